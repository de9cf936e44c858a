"""What runs inside of a sandbox: confines itself, runs one program under limits, and says what came of it.

It is handed to a bare interpreter as text, so it needs nothing but the standard library, and ``kernel.py``.
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

from goalgraph.specialists.code.kernel import confined, drop_user, enter, prctl

__all__ = ["main"]

_LOOK = 0.05
_MB = 1 << 20
_INODES = 20
_DEEPEST = 8


def main() -> None:
    """Do what the argument and the standard input say, and write the result, as JSON, to the standard output."""
    setup: dict[str, Any] = json.loads(sys.argv[-1])
    os.umask(0o022)
    if setup["namespaces"]:
        enter(setup)
    drop_user(setup["uid"])
    if sys.platform == "linux":
        prctl(1, signal.SIGKILL)  # with its parent
        prctl(36, 1)  # orphans come to this process
        if setup["confined"]:
            prctl(4, 0)  # not to be traced
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
        self._given["main.py"] = self._request["source"].encode("utf-8", "replace")
        for name, content in self._given.items():
            os.makedirs(os.path.dirname(os.path.join(self._home, name)), exist_ok=True)
            with open(name, "wb") as file:
                file.write(content)
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
            failed = code > 0 and b"MemoryError" in self._printed["stderr"].rstrip().rpartition(b"\n")[2]
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
            confined()
        for what, value in most.items():
            _, hard = resource.getrlimit(what)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            try:
                resource.setrlimit(what, (value, value + 1 if what == resource.RLIMIT_CPU else value))
            except (OSError, ValueError):
                if self._setup["confined"]:  # some systems do not know all of the limits
                    raise

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
            for place in self._setup["folders"]:
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
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    main()
