"""What runs inside of a sandbox: confines itself, runs one program under limits, and says what came of it.

It is handed to a bare interpreter as text, so it needs nothing but the standard library.
"""

import base64
import json
import os
import resource
import selectors
import signal
import stat
import subprocess
import sys
import tempfile
import time
from typing import Any

__all__ = ["main"]

_LOOK = 0.05
_MB = 1 << 20
_INODES = 20
_DEEPEST = 8

_CLONE_NEW = 0x7E020080
_NEWUSER = 0x10000000
_UNSHARED = 0x6E020000
_MS_BIND_REC, _MS_PRIVATE_REC, _NOSUID_NODEV = 4096 | 16384, 262144 | 16384, 2 | 4
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR, _RECURSIVE, _HERE = 442, 0x8000, -100

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED = {
    # ptrace, process_vm_*, mounts, namespaces, keys, bpf, perf, userfaultfd, modules, System V IPC, memfd, handles.
    "x86_64": (101, 310, 311, 165, 166, 155, 161, 272, 308, 248, 249, 250, 321, 298, 323, 175, 313, 246, 29, 68, 64)
    + (319, 304),
    "aarch64": (117, 270, 271, 40, 39, 41, 51, 97, 268, 217, 218, 219, 280, 241, 282, 105, 273, 104, 194, 186, 190)
    + (279, 265),
}
_REFUSED_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 442, 447)
"""io_uring, the newer calls for mounts, pidfds, and secret memory: numbers that all machines share."""
_CLONE, _CLONE3, _SOCKET = {"x86_64": 56, "aarch64": 220}, 435, {"x86_64": 41, "aarch64": 198}
_FAMILIES = (1, 2, 10)
"""Of sockets: Unix, IPv4, IPv6, which a network namespace confines; others, such as vsock, it does not."""


def main() -> None:
    """Do what the argument and the standard input say, and write the result, as JSON, to the standard output."""
    setup: dict[str, Any] = json.loads(sys.argv[1])
    if setup["namespaces"]:
        _enter(setup)
    _drop(setup["uid"])
    if sys.platform == "linux":
        _prctl(1, signal.SIGKILL)  # with its parent
        _prctl(36, 1)  # orphans come to this process
        if setup["confined"]:
            _prctl(4, 0)  # not to be traced
    size = int.from_bytes(_exactly(8), "big")
    request: dict[str, Any] = json.loads(_exactly(size))
    answer = json.dumps(_Run(setup, request).result()).encode()
    with os.fdopen(1, "wb") as out:
        out.write(answer)


def _exactly(size: int) -> bytes:
    read = b""
    while len(read) < size:
        if not (more := os.read(0, min(size - len(read), _MB))):
            sys.exit("nobody asks any more")
        read += more
    return read


def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _checked(what: str, returned: int) -> None:
    if returned:
        import ctypes

        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _prctl(option: int, value: int) -> None:
    _checked("prctl", _libc().prctl(option, value, 0, 0, 0))


def _enter(setup: dict[str, Any]) -> None:
    """Go on as the first process of new namespaces, in a tree of nothing but what the setup names."""
    libc, uid, gid = _libc(), os.getuid(), os.getgid()
    _checked("unshare", libc.unshare(_UNSHARED | (_NEWUSER if uid else 0)))
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                file.write(text)
    _prctl(1, signal.SIGKILL)
    if first := os.fork():
        os.close(0)
        os.close(1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) and 1)
    _prctl(1, signal.SIGKILL)
    _build(libc, setup)


def _build(libc: Any, setup: dict[str, Any]) -> None:
    def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
        words = (source.encode(), target.encode(), kind and kind.encode(), flags, data.encode())
        _checked(f"mount {target}", libc.mount(*words))

    def pivot(new: bytes, old: bytes) -> None:
        _checked("pivot_root", libc.syscall(_PIVOT_ROOT[os.uname().machine], new, old))

    mount("none", "/", None, _MS_PRIVATE_REC)
    mount("tmpfs", "/tmp", "tmpfs", _NOSUID_NODEV)
    os.mkdir("/tmp/old")
    os.mkdir("/tmp/new")
    pivot(b"/tmp", b"/tmp/old")
    os.chdir("/")
    mount("tmpfs", "/new", "tmpfs", _NOSUID_NODEV, "size=1m,mode=0755")
    for kind, source, target in setup["tree"]:
        place = "/new" + target
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if kind == "link":
            os.symlink(source, place)
            continue
        if os.path.isdir("/old" + source):
            os.makedirs(place, exist_ok=True)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
        mount("/old" + source, place, None, _MS_BIND_REC)
        _protect(libc, place, 1 | 2 | (0 if kind == "device" else 4), _RECURSIVE)
    for place in ("/new/work", "/new/tmp"):
        os.mkdir(place)
        mount("tmpfs", place, "tmpfs", _NOSUID_NODEV, f"size={setup['disk']},nr_inodes={setup['inodes']},mode=0777")
    _protect(libc, "/new", 1 | 2 | 4, 0)
    os.chdir("/new")
    pivot(b".", b".")
    _checked("umount", libc.umount2(b".", 2))
    os.chdir("/work")


def _protect(libc: Any, place: str, attributes: int, flags: int) -> None:
    import ctypes

    told = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    _checked(f"protect {place}", libc.syscall(_MOUNT_SETATTR, _HERE, place.encode(), flags, told, 32))


def _drop(uid: int | None) -> None:
    """Give up what a user of no rights does not have."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _without_capabilities() -> None:
    import ctypes

    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _checked("capset", _libc().capset(header, none))


def _filter() -> None:
    """Have the kernel refuse calls that no program of ours needs, and by which it would get around the limits."""
    import ctypes

    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        return
    load, equal, above, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, unknown = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
    rules = [(load, 0, 0, 4), (equal, 1, 0, _ARCHITECTURES[machine]), (give, 0, 0, refuse), (load, 0, 0, 0)]
    rules += [(above, 0, 1, 0x40000000), (give, 0, 0, refuse)]
    for number in (*_REFUSED[machine], *_REFUSED_EVERYWHERE):
        rules += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    rules += [(equal, 0, 1, _CLONE3), (give, 0, 0, unknown)]
    rules += [(equal, 0, 3, _CLONE[machine]), (load, 0, 0, 16), (any_bit, 0, 1, _CLONE_NEW), (give, 0, 0, refuse)]
    rules += [(load, 0, 0, 0), (equal, 0, 5, _SOCKET[machine]), (load, 0, 0, 16)]
    rules += [(equal, 3 - place, 0, family) for place, family in enumerate(_FAMILIES)]
    rules += [(give, 0, 0, refuse), (give, 0, 0, allow)]
    code = b"".join(
        what.to_bytes(2, sys.byteorder) + bytes((yes, no)) + value.to_bytes(4, sys.byteorder)
        for what, yes, no, value in rules
    )
    kept = ctypes.create_string_buffer(code, len(code))

    class Told(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    told = Told(len(rules), ctypes.addressof(kept))
    _checked("seccomp", _libc().prctl(22, 2, ctypes.byref(told), 0, 0))


class _Run:
    """One program from its start to the death of its last process."""

    def __init__(self, setup: dict[str, Any], request: dict[str, Any]) -> None:
        self._setup, self._request = setup, request
        self._limits: dict[str, Any] = request["limits"]
        self._home: str = setup["home"]
        self._given = {name: base64.b64decode(text) for name, text in request["files"].items()}
        self._printed = {"stdout": bytearray(), "stderr": bytearray()}
        self._notes: list[str] = []
        self._ended = ""

    def result(self) -> dict[str, Any]:
        os.chdir(self._home)
        for name, content in {"main.py": self._request["source"].encode(), **self._given}.items():
            os.makedirs(os.path.dirname(os.path.join(self._home, name)), exist_ok=True)
            with open(name, "wb") as file:  # noqa: PTH123
                file.write(content)
        self._given["main.py"] = self._request["source"].encode()
        began = time.monotonic()
        code = self._code(began)
        seconds = time.monotonic() - began
        return {
            "exit_code": code if self._ended == "exited" else None,
            "ended": self._ended,
            "seconds": seconds,
            "notes": self._notes,
            "files": self._written(),
            **{name: bytes(text).decode("utf-8", "replace") for name, text in self._printed.items()},
        }

    def _code(self, began: float) -> int:
        with tempfile.TemporaryFile() as stdin:
            stdin.write(self._request["stdin"].encode("utf-8", "replace"))
            stdin.seek(0)
            process = subprocess.Popen(
                self._setup["command"],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._setup["environment"],
                start_new_session=True,
                preexec_fn=self._confine,
            )
        try:
            self._watch(process, began + float(self._limits["seconds"]))
        finally:
            _kill_all(process.pid, confined=self._setup["confined"])
        code = process.returncode if process.returncode is not None else 0
        if not self._ended:
            out_of_time = code == -signal.SIGXCPU
            failed = code > 0 and b"MemoryError" in bytes(self._printed["stderr"][-2000:]).splitlines()[-1:]
            self._ended = "timeout" if out_of_time else "killed" if code < 0 else "memory" if failed else "exited"
        return code

    def _confine(self) -> None:
        limits, mb = self._limits, _MB
        most = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_CPU: limits["cpu_seconds"],
            resource.RLIMIT_FSIZE: limits["file_mb"] * mb,
            resource.RLIMIT_NOFILE: limits["open_files"],
            resource.RLIMIT_AS: limits["memory_mb"] * mb,
        }
        if self._setup["confined"]:
            # Elsewhere it would count all processes that the user has.
            most[resource.RLIMIT_NPROC] = limits["processes"]
        if self._setup["confined"]:
            _without_capabilities()
            _prctl(38, 1)
            _filter()
        for what, value in most.items():
            _, hard = resource.getrlimit(what)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(what, (value, value + 1 if what == resource.RLIMIT_CPU else value))

    def _watch(self, process: "subprocess.Popen[bytes]", deadline: float) -> None:
        """Read what it prints until it ends, or must."""
        with selectors.DefaultSelector() as selector:
            for name in ("stdout", "stderr"):
                pipe = getattr(process, name)
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ, name)
            selector.register(0, selectors.EVENT_READ, "")
            while not self._ended:
                over = _gone(process)
                for key, _ in selector.select(0 if over else _LOOK):
                    self._read(selector, key)
                if over and not self._ended:
                    for key in list(selector.get_map().values()):
                        while key.data and self._read(selector, key):
                            pass
                    return
                if time.monotonic() > deadline:
                    self._ended = "timeout"
                elif self._is_full():
                    self._ended = "output"
                    self._notes.append("it was ended, since it wrote more, or more files, than it may")

    def _read(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> bool:
        """Take in what there is of one stream; false where there is no more of it now."""
        try:
            read = os.read(key.fd, 65_536)
        except BlockingIOError:
            return False
        if not key.data:  # the host says stop: one letter, or the end of its words
            self._ended = self._ended or ("memory" if read == b"m" else "killed")
            return False
        if not read:
            selector.unregister(key.fileobj)
            return False
        text, most = self._printed[key.data], int(self._limits["output_kb"]) * 1024
        text += read
        if len(text) > most:
            del text[most:]
            self._notes.append(f"{key.data} was cut after {self._limits['output_kb']} kB, and the program ended")
            self._ended = "output"
            return False
        return True

    def _is_full(self) -> bool:
        files = int(self._limits["files"]) * _INODES
        if self._setup["confined"]:
            for place in (self._home, "/tmp"):
                found = os.statvfs(place)
                if found.f_files - found.f_ffree > files:
                    return True
            return False
        count = size = 0
        for _, _, names, folder in os.fwalk(self._home):
            for name in names:
                try:
                    size += os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
                except OSError:
                    continue
                count += 1
                if count > files or size > int(self._limits["disk_mb"]) * _MB:
                    return True
        return False

    def _written(self) -> dict[str, str]:
        """Read what it wrote, once nobody can change it any more."""
        found: dict[str, str] = {}
        left = int(self._limits["disk_mb"]) * _MB
        for path in self._paths(self._home, ""):
            try:
                handle = os.open(os.path.join(self._home, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                with os.fdopen(handle, "rb") as file:
                    content = file.read(left + 1)
            except OSError as error:
                self._leave_out(path, f"it cannot be read: {error.strerror}")
                continue
            if self._given.get(path) == content:
                continue
            if len(content) > left or len(found) >= int(self._limits["files"]):
                self._notes.append(f"of the files that it wrote, {len(found)} are here: more, or larger ones, are cut")
                break
            left -= len(content)
            found[path] = base64.b64encode(content).decode()
        return found

    def _paths(self, folder: str, prefix: str) -> list[str]:
        if prefix.count("/") > _DEEPEST:
            self._leave_out(prefix, "it is nested too deep")
            return []
        paths: list[str] = []
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self._leave_out(prefix or ".", f"it cannot be read: {error.strerror}")
            return []
        for entry in entries:
            path = prefix + entry.name
            status = entry.stat(follow_symlinks=False)
            if path != path.encode("utf-8", "replace").decode():
                self._leave_out(path, "its name is no UTF-8")
            elif stat.S_ISDIR(status.st_mode):
                paths += self._paths(entry.path, f"{path}/")
            elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                paths.append(path)
            else:
                self._leave_out(path, "it is a link, or no regular file")
        return paths

    def _leave_out(self, path: str, why: str) -> None:
        if len(self._notes) < 10:
            self._notes.append(f"the file {path[:100]!r} was left out: {why}")


def _gone(process: "subprocess.Popen[bytes]") -> bool:
    """Whether the program itself has ended; orphans that came to us are buried on the way."""
    while process.returncode is None:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            return False
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
    return True


def _kill_all(program: int, *, confined: bool) -> None:
    """Kill everything that the program has started, wherever it went; orphans of what is killed come to us."""
    while True:
        for pid in [-1] if confined else [-program, *_children()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    main()
