"""What a program in a sandbox of this machine may do, and how its results come back."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from tests.specialists.code.confined import WAYS, any_confined, sandbox_of

from goalgraph.errors import NoConfinement
from goalgraph.specialists.code import LocalSandbox, Program, Sandbox, SandboxLimits
from goalgraph.specialists.code.confinement import Confinement, way_of


@pytest.fixture(params=[*WAYS, "none"])
def sandbox(request: pytest.FixtureRequest) -> LocalSandbox:
    """Each way to run programs, the unconfined one included."""
    if request.param == "none":
        return LocalSandbox(SandboxLimits(seconds=10), confinement="none")
    return sandbox_of(request.param)


async def test_a_program_reads_and_writes(sandbox: LocalSandbox) -> None:
    source = """
import json, pathlib, sys, tempfile, subprocess, threading
data = json.load(open("in/data.json"))
print(data["n"] * 2, sys.stdin.read(), "ü")
print("aside", file=sys.stderr)
pathlib.Path("out").mkdir()
pathlib.Path("out/result.bin").write_bytes(bytes(3))
tempfile.TemporaryFile().write(b"x")
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
print(subprocess.run(["/bin/echo", "other"], capture_output=True, text=True).stdout.strip())
sys.exit(7)
"""
    result = await sandbox.run(Program(source=source, files={"in/data.json": b'{"n": 21}'}, stdin="words"))
    assert result.stdout == "42 words ü\nthread\nother\n"
    assert result.stderr == "aside\n"
    assert result.files == {"out/result.bin": bytes(3)}
    assert (result.exit_code, result.ended, result.notes) == (7, "exited", ())
    assert 0 < result.seconds < 10
    assert isinstance(sandbox, Sandbox)


async def test_files_that_were_given_come_back_only_where_they_changed(sandbox: LocalSandbox) -> None:
    source = "open('a', 'w').write('new')"
    result = await sandbox.run(Program(source=source, files={"a": b"old", "b": b"same"}))
    assert result.files == {"a": b"new"}


async def test_a_crash_of_the_program_is_its_result(sandbox: LocalSandbox) -> None:
    crashed = await sandbox.run(Program(source="import os\nos.kill(os.getpid(), 11)"))
    assert (crashed.ended, crashed.exit_code) == ("killed", None)
    wrong = await sandbox.run(Program(source="print(1"))
    assert (wrong.ended, wrong.exit_code) == ("exited", 1)
    assert "SyntaxError" in wrong.stderr


async def test_text_that_is_no_unicode_does_not_break_the_sandbox(sandbox: LocalSandbox) -> None:
    source = "# \ud800\nimport sys\nsys.stdout.buffer.write(b'\\xff')"
    assert (await sandbox.run(Program(source=source, stdin="\ud800"))).stdout == "\ufffd"


async def test_what_was_printed_before_the_end_is_there(sandbox: LocalSandbox) -> None:
    source = "import time\nprint('begun', flush=True)\nopen('f', 'w').write('part')\ntime.sleep(60)"
    result = await sandbox.run(Program(source=source, limits=SandboxLimits(seconds=1)))
    assert (result.ended, result.stdout, result.files) == ("timeout", "begun\n", {"f": b"part"})


async def test_many_programs_run_at_once(sandbox: LocalSandbox) -> None:
    results = await asyncio.gather(*(sandbox.run(Program(source=f"print({n})")) for n in range(6)))
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(6)]


async def test_unconfined_programs_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sandbox = LocalSandbox(SandboxLimits(seconds=1), confinement="none")
    source = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(END)
"""
    for end in ("0.1", "600"):
        result = await sandbox.run(Program(source=source.replace("END", end)))
        assert result.ended == ("exited" if end == "0.1" else "timeout")
        assert gone(int(result.stdout))
    running = asyncio.create_task(sandbox.run(Program(source=source.replace("END", "600"))))
    await asyncio.sleep(0.5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert list(tmp_path.iterdir()) == []


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


async def test_packages_are_there_where_they_are_wanted() -> None:
    source = "import yaml; print(yaml.safe_load('a: 1'))"
    without = any_confined()
    assert "ModuleNotFoundError" in (await without.run(Program(source=source))).stderr
    having = LocalSandbox(SandboxLimits(memory_mb=1024), confinement=without.confinement, packages=True)
    result = await having.run(Program(source=source))
    assert (result.stdout, result.stderr) == ("{'a': 1}\n", "")
    refused = await having.run(Program(source="import yaml; open(yaml.__file__, 'a')"))
    assert "OSError" in refused.stderr or "PermissionError" in refused.stderr


async def test_files_larger_than_the_disk_are_refused_before_anything_runs() -> None:
    sandbox = LocalSandbox(SandboxLimits(disk_mb=1), confinement="none")
    with pytest.raises(ValueError, match="disk_mb"):
        await sandbox.run(Program(source="", files={"a": bytes(2_000_000)}))


@pytest.mark.parametrize("wanted", [*WAYS, "best"])
def test_without_any_confinement_it_says_what_to_do(wanted: Confinement) -> None:
    with pytest.raises(NoConfinement, match=r"install bubblewrap .*confinement='none'") as caught:
        way_of(wanted, fault=lambda way: f"no {way} here")
    tried = WAYS if wanted == "best" else [wanted]
    assert [way for way in WAYS if f"{way}: no {way} here" in str(caught.value)] == [*tried]


def test_the_best_way_is_the_first_that_works_and_never_none() -> None:
    assert way_of("best", fault=lambda way: "no" if way == "bubblewrap" else "") == "namespaces"
    assert way_of("best", fault=lambda way: "") == "bubblewrap"
    assert way_of("none", fault=lambda way: "no") == "none"


def test_an_unknown_confinement_is_refused() -> None:
    with pytest.raises(ValueError, match="confinement must be"):
        LocalSandbox(confinement="docker")  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["seconds", "memory_mb", "processes", "files"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), "1", True, None])
def test_limits_are_numbers_above_0(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        SandboxLimits(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../b", "", ".", "main.py", "a//b", "a\0", "./a", "x" * 300])
def test_a_name_of_a_file_is_a_plain_relative_path(name: str) -> None:
    with pytest.raises(ValueError, match="files: a name"):
        Program(source="", files={name: b""})
