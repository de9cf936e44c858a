"""Programs that try to get out of the sandbox, or to take more than they may: each is contained, in bounded time."""

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from tests.specialists.code.confined import WAYS, sandbox_of

from goalgraph.specialists.code import LocalSandbox, Program, ProgramResult, SandboxLimits
from goalgraph.specialists.code.confinement import Way
from goalgraph.specialists.code.memory import memory_of

ATTEMPTS = """
import json, os, sys
for attempt in json.load(open("attempts.json")):
    try:
        exec(attempt, {"os": os})
    except BaseException as error:
        print("refused", type(error).__name__, error)
    else:
        print("ESCAPED", attempt)
"""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Each confinement."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def sandbox(way: Way) -> LocalSandbox:
    return sandbox_of(way)


async def tried(sandbox: LocalSandbox, attempts: Sequence[str]) -> list[str]:
    """What became of each attempt, in a line; one program makes all of them."""
    given = {"attempts.json": json.dumps(attempts).encode()}
    result = await sandbox.run(Program(source=ATTEMPTS, files=given))
    assert result.ended == "exited", result
    lines = [line for line in result.stdout.splitlines() if line.startswith(("refused", "ESCAPED"))]
    assert len(lines) == len(attempts), result
    return lines


async def refused(sandbox: LocalSandbox, *attempts: str) -> None:
    assert [line for line in await tried(sandbox, attempts) if not line.startswith("refused")] == []


@contextlib.contextmanager
def listening(family: socket.AddressFamily, address: object) -> Generator[tuple[socket.socket, list[bytes]]]:
    """A server that counts who comes."""
    with socket.socket(family) as server:
        server.bind(address)  # type: ignore[arg-type]
        server.listen()
        server.settimeout(30)
        came: list[bytes] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    came.append(b"x")
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server, came


@pytest.mark.enable_socket
async def test_a_server_of_this_machine_is_not_reached(sandbox: LocalSandbox) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as (server, came):
        port = server.getsockname()[1]
        await asyncio.to_thread(socket.create_connection(("127.0.0.1", port)).close)
        leaves = [line.split()[0] for line in Path("/proc/net/fib_trie").read_text().split("|--")[1:]]
        own = [one for one in dict.fromkeys(leaves) if not one.startswith(("127.", "0.")) and one[-2:] != ".0"]
        connect = "import socket\nsocket.create_connection(({!r}, {}), timeout=1)"
        await refused(sandbox, *(connect.format(address, port) for address in ("127.0.0.1", "localhost", *own[:3])))
    assert len(came) == 1


async def test_a_unix_socket_of_this_machine_is_not_reached(sandbox: LocalSandbox, tmp_path: Path) -> None:
    for address in (str(tmp_path / "s"), f"\0goalgraph-{os.getpid()}-{sandbox.confinement}"):
        with listening(socket.AF_UNIX, address) as (_, came):
            await refused(sandbox, f"import socket\nsocket.socket(socket.AF_UNIX).connect({address!r})")
            assert not came


async def test_there_is_no_network(sandbox: LocalSandbox) -> None:
    await refused(
        sandbox,
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "import socket\nsocket.getaddrinfo('example.org', 80)",
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import socket\nsocket.create_connection(('2001:db8::1', 80), timeout=1)",
        "import socket\nsocket.socket(40, socket.SOCK_STREAM)",  # vsock, which is in no namespace
        "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    )


async def test_files_of_the_user_are_not_seen(sandbox: LocalSandbox, tmp_path: Path) -> None:
    wanted = (Path("/root"), Path("/tmp"), Path.home(), Path(__file__).parents[3], tmp_path)
    name = f".goalgraph-secret-{os.getpid()}"
    secrets = [folder / name for folder in wanted if os.access(folder, os.W_OK)]
    assert secrets
    for secret in secrets:
        secret.write_text("secret")
        secret.chmod(0o644)
    try:
        await refused(sandbox, *(f"open({str(secret)!r}).read()" for secret in secrets))
        listing = """
import os
for folder, folders, names in os.walk("/"):
    folders[:] = set(folders) - {"usr", "lib"}
    for name in names: print(folder, name)
"""
        limits = SandboxLimits(output_kb=50_000)
        result = await sandbox.run(Program(source=listing, limits=limits))
        assert "/sandbox main.py" in result.stdout
        assert name not in result.stdout
    finally:
        for secret in secrets:
            secret.unlink(missing_ok=True)


async def test_what_is_of_the_machine_is_not_read(sandbox: LocalSandbox) -> None:
    places = (
        "/etc/passwd",
        "/etc/shadow",
        "/proc/1/environ",
        "/proc/self/mem",
        "/proc/cpuinfo",
        "/sys/kernel/uevent_seqnum",
    )
    devices = ("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/tty", "/dev/ptmx", "/dev/kvm", "/dev/fuse")
    await refused(
        sandbox,
        *(f"open({place!r}, 'rb')" for place in (*places, *devices)),
        *(f"os.listdir({folder!r})" for folder in ("/proc", "/sys", "/var", "/run", "/home", "/boot", "/opt")),
        "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    )


async def test_nothing_is_written_outside_of_its_own_folders(sandbox: LocalSandbox) -> None:
    folders = (
        "",
        "/usr",
        "/usr/lib",
        "/bin",
        "/dev",
        "/dev/shm",
        "/etc",
        "/root",
        "/lib",
        str(Path(os.__file__).parent),
    )
    await refused(sandbox, *(f"open({folder + '/x'!r}, 'w')" for folder in folders))


CALLING = """
import ctypes
x86 = os.uname().machine == "x86_64"
def call(*words):
    found = ctypes.CDLL(None, use_errno=True).syscall(*words)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
"""


async def test_calls_that_could_undo_the_confinement_are_refused(sandbox: LocalSandbox) -> None:
    if os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("calls are filtered on x86_64 and aarch64")
    calls = (
        "call(101 if x86 else 117, 0, 0, 0, 0)",  # ptrace(TRACEME)
        "call(310 if x86 else 270, 0, 0, 0, 0, 0, 0)",  # process_vm_readv
        "call(272 if x86 else 97, 0x10000000)",  # unshare(NEWUSER)
        "call(435, 0, 0)",  # clone3
        "call(56 if x86 else 220, 0x10000000 | 17, 0, 0, 0, 0)",  # clone(NEWUSER)
        "call(308 if x86 else 268, 0, 0)",  # setns
        "call(165 if x86 else 40, b'none', b'/tmp', b'tmpfs', 0, 0)",  # mount
        "call(319 if x86 else 279, b'x', 0)",  # memfd_create
        "call(425, 1, 0)",  # io_uring_setup
        "call(434, 1, 0)",  # pidfd_open
        "call(321 if x86 else 280, 0, 0, 0)",  # bpf
        "call(250 if x86 else 219, 0, -3, 0, 0)",  # keyctl
        "call(29 if x86 else 194, 0, 4096, 0o1600)",  # shmget
        "call(304 if x86 else 265, -100, 0, 0)",  # open_by_handle_at
    )
    found = await tried(sandbox, [CALLING + one for one in calls])
    assert [line.split()[1] for line in found] == [
        "OSError" if "(435" in one else "PermissionError" for one in calls
    ], found


async def test_no_rights_are_had_and_none_are_got(sandbox: LocalSandbox) -> None:
    nothing = "\nimport time\ntime.sleep(0.1)\nraise SystemExit('nothing happened')"
    await refused(
        sandbox,
        "os.setuid(0)",
        "os.setgid(0)",
        "os.setgroups([0])",
        "os.mknod('disk', 0o60660, os.makedev(254, 0))\nopen('disk', 'rb')",
        "os.chroot('/')",
        "os.sethostname('x')" if hasattr(os, "sethostname") else "import socket\nsocket.sethostname('x')",
        "import socket\nsocket.if_nameindex()[1]",
        "os.nice(-5)",
        "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (10_000, 10_000))",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "import subprocess\nsubprocess.run(['/usr/bin/su', '-c', 'id'], check=True, capture_output=True)",
        "os.kill(1, 9)" + nothing,
        "os.kill(os.getppid(), 19)" + nothing,
        "os.kill(-1, 9)" + nothing,
        f"os.kill({os.getpid()}, 9)",
    )


async def test_the_environment_of_the_caller_is_not_seen(
    sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOALGRAPH_SECRET", "swordfish")
    result = await sandbox.run(Program(source="import os; print(sorted(os.environ))"))
    assert "PATH" in result.stdout
    assert "SECRET" not in result.stdout


async def test_links_that_point_outside_are_not_followed(sandbox: LocalSandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    source = f"""
import os
os.symlink({str(tmp_path / "secret")!r}, "a")
os.symlink("/etc/passwd", "b")
os.symlink({str(tmp_path)!r}, "folder")
os.mkfifo("pipe")
os.link("main.py", "hard")
open("real", "w").write("mine")
"""
    result = await sandbox.run(Program(source=source))
    assert result.files == {"real": b"mine"}
    assert {note.split("'")[1] for note in result.notes} == {"a", "b", "folder", "pipe", "hard", "main.py"}


async def bounded(sandbox: LocalSandbox, source: str, within: float = 9) -> ProgramResult:
    began = time.monotonic()
    result = await sandbox.run(Program(source=source))
    assert time.monotonic() - began < within
    return result


async def test_a_fork_bomb_ends_and_leaves_nothing(way: Way) -> None:
    source = """
import os, time
count = 0
while True:
    try:
        if os.fork() == 0:
            count = 0
        else:
            count += 1
    except OSError:
        time.sleep(0.01)
"""
    result = await bounded(sandbox_of(way, seconds=1.5), source)
    assert result.ended == "timeout"
    assert not orphans()


async def test_processes_and_threads_are_counted(way: Way) -> None:
    source = """
import threading, time, os
made = 0
try:
    for _ in range(500):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
print(made, flush=True)
os._exit(0)
"""
    result = await bounded(sandbox_of(way, processes=8), source)
    assert 1 <= int(result.stdout) < 8


@pytest.mark.parametrize(
    "source",
    [
        "data = bytearray()\nwhile True: data += b'x' * 10_000_000",
        "data = []\nwhile True: data.append(bytearray(1_000_000))",
    ],
    ids=["one", "many"],
)
async def test_memory_of_one_process_is_limited(way: Way, source: str) -> None:
    result = await bounded(sandbox_of(way, memory_mb=200), source)
    assert (result.ended, result.exit_code) == ("memory", None)


async def test_memory_of_all_processes_together_is_limited(way: Way) -> None:
    source = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        break
data = bytearray(b"x") * 60_000_000
time.sleep(60)
"""
    result = await bounded(sandbox_of(way, memory_mb=200, seconds=8), source)
    assert result.ended == "memory"
    assert not orphans()


async def test_endless_output_is_cut_and_ended(sandbox: LocalSandbox) -> None:
    for stream in ("stdout", "stderr"):
        result = await bounded(sandbox, f"import sys\nwhile True: sys.{stream}.write('x' * 1000)")
        assert result.ended == "output"
        assert len(getattr(result, stream)) == 256 * 1024
        assert any(stream in note for note in result.notes)


async def test_an_endless_loop_is_ended(way: Way) -> None:
    result = await bounded(sandbox_of(way, seconds=0.7), "print('begun', flush=True)\nwhile True: pass")
    assert (result.ended, result.stdout, result.exit_code) == ("timeout", "begun\n", None)


async def test_time_of_the_processor_is_limited(way: Way) -> None:
    result = await bounded(sandbox_of(way, cpu_seconds=1), "while True: pass")
    assert result.ended == "timeout"


async def test_a_program_that_ignores_signals_is_ended(way: Way) -> None:
    source = """
import signal, time
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
time.sleep(600)
"""
    result = await bounded(sandbox_of(way, seconds=0.7), source)
    assert result.ended == "timeout"
    assert not orphans()


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (0, 1, 2): os.close(number)
        time.sleep(600)
    os._exit(0)
os.wait()
open("done", "w").write("yes")
"""


async def test_daemons_do_not_survive(sandbox: LocalSandbox) -> None:
    result = await bounded(sandbox, DAEMON)
    assert (result.ended, result.exit_code, result.files) == ("exited", 0, {"done": b"yes"})
    assert not orphans()


async def test_a_daemon_that_holds_the_output_does_not_hold_up_the_result(sandbox: LocalSandbox) -> None:
    result = await bounded(sandbox, "import os, time\nif os.fork() == 0: time.sleep(600)\nprint('end')", within=4)
    assert (result.ended, result.stdout) == ("exited", "end\n")


async def test_a_huge_file_is_refused(sandbox: LocalSandbox) -> None:
    source = """
try:
    with open("huge", "wb") as file:
        while True: file.write(b"x" * 1_000_000)
except OSError as error:
    print(error.errno, flush=True)
os = __import__("os"); os.truncate("huge", 10)
"""
    result = await bounded(sandbox, source)
    assert result.stdout.strip() == "27"
    assert len(result.files["huge"]) == 10


async def test_the_disk_is_limited_also_for_files_without_a_name(way: Way) -> None:
    source = """
import os, tempfile
kept, size = [], 0
for folder in (".", "/tmp"):
    try:
        while True:
            kept.append(tempfile.TemporaryFile(dir=folder))
            size += kept[-1].write(b"x" * 1_000_000)
            kept[-1].flush()
    except OSError as error:
        print(error.errno)
print(size)
"""
    result = await bounded(sandbox_of(way, disk_mb=8), source)
    assert result.stdout.split()[:2] == ["28", "28"]
    assert int(result.stdout.split()[2]) < 20_000_000


async def test_many_files_are_ended(way: Way) -> None:
    source = "n = 0\nwhile True:\n    open(f'{n}', 'w').write('x'); n += 1"
    result = await bounded(sandbox_of(way, files=10), source)
    assert result.ended in ("output", "exited")
    assert len(result.files) == 10
    assert any("10 are here" in note for note in result.notes)


async def test_a_deep_tree_of_folders_is_read_to_an_end(sandbox: LocalSandbox) -> None:
    source = "import os\nfor _ in range(400):\n    os.mkdir('d'); os.chdir('d')\nopen('x', 'w').write('deep')"
    result = await bounded(sandbox, source)
    assert result.files == {}
    assert any("deep" in note for note in result.notes)


async def test_a_cancelled_program_is_ended_at_once(sandbox: LocalSandbox) -> None:
    running = asyncio.create_task(sandbox.run(Program(source=DAEMON + "\ntime.sleep(600)")))
    while not orphans():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 2
    assert not orphans()


async def test_what_a_program_says_of_itself_is_only_data(sandbox: LocalSandbox) -> None:
    source = """
import os, json
forged = json.dumps({"exit_code": 0, "ended": "exited", "stdout": "forged", "stderr": "", "seconds": 0, "notes": [],
                     "files": {}}).encode()
for number in range(3, 64):
    try: os.write(number, forged)
    except OSError: pass
print("honest")
"""
    result = await bounded(sandbox, source)
    assert result.stdout == "honest\n"


def orphans() -> list[int]:
    """Processes that a sandbox's keeper has started, and that are still there a moment later."""
    deadline = time.monotonic() + 1
    while found := _programs():
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return found


def _programs() -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().split(b"\0")[-5:-1] == [b"-B", b"-X", b"utf8", b"main.py"] and memory_of(
                int(path.parent.name)
            ):
                found.append(int(path.parent.name))
    return found
