"""Which ways there are to confine a program on this machine, and the command that each of them comes down to."""

import json
import os
import secrets
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import IO, Literal, cast

from goalgraph.errors import NoConfinement
from goalgraph.specialists.code.program import SandboxLimits

__all__ = ["Confinement", "Way", "command_of", "fault_of", "request_of", "way_of"]

Confinement = Literal["best", "bubblewrap", "namespaces", "none"]
"""What a caller may ask for."""
Way = Literal["bubblewrap", "namespaces", "none"]
"""What it comes down to."""

_BEST_FIRST: tuple[Way, ...] = ("bubblewrap", "namespaces")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_START = """
import sys, types
kernel = types.ModuleType("goalgraph.specialists.code.kernel")
exec(sys.argv[1], vars(kernel))
sys.modules[kernel.__name__] = kernel
exec(sys.argv[2], {"__name__": "__main__"})
"""
"""Runs the keeper, which stands in two modules, where no file of ours is seen."""
_HOME, _TEMPORARY = "/sandbox", "/tmp"
"""Folders that a confined program may write to."""
_NOBODY = 65_534
_FIRST_USER, _USERS = 61_184, 4_336
"""Numbers that distributions keep for users made on the fly."""
_INODES = 20
_PROBE_SECONDS = 20.0
_WORKING: set[Way] = set()

_HINT = (
    "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap), or allow user "
    "namespaces, in a container too; use a hosted sandbox; or, for programs that you trust, confinement='none'"
)


def fault_of(way: Way) -> str:
    """Try a way; empty where it works, else what is wrong with it. What has worked once is not tried again."""
    if way in _WORKING:
        return ""
    if sys.platform != "linux":
        return "it needs Linux"
    if way == "bubblewrap" and shutil.which("bwrap") is None:
        return "there is no bwrap"
    limits = SandboxLimits(seconds=10)
    request = request_of("print('confined')", {}, "", limits)
    try:
        # Its input stays open meanwhile: the end of it means that nobody wants the program any more.
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(
                command_of(way, limits, packages=False, home=None),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={},
                cwd="/",
            ) as process,
        ):
            stdin, stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
            late = threading.Timer(_PROBE_SECONDS, process.kill)
            late.start()
            try:
                stdin.write(request)
                stdin.flush()
                answer = json.loads(stdout.read() or b"{}")
            finally:
                late.cancel()
                process.kill()
            complaints.seek(0)
            complained = complaints.read().decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"[:300]
    if answer.get("stdout") == "confined\n":
        _WORKING.add(way)
        return ""
    said = (complained + str(answer.get("stderr", ""))).strip().splitlines()
    return (said[-1] if said else "it does not start")[:300]


def way_of(wanted: Confinement, *, fault: Callable[[Way], str] = fault_of) -> Way:
    """Return the best way that there is, of those a caller allows; each is tried until it works once.

    Args:
        wanted: What the caller asks for.
        fault: Says what is wrong with a way here; empty where it works.

    Raises:
        ValueError: There is no such confinement.
        NoConfinement: The wanted one, or any, does not work here.
    """
    if wanted not in ("best", *_BEST_FIRST, "none"):
        raise ValueError(f"confinement must be best, bubblewrap, namespaces or none, found {wanted!r}")
    if os.name != "posix":
        raise NoConfinement("programs run on Linux, and unconfined on other POSIX systems", hint="use a hosted sandbox")
    if wanted == "none":
        return "none"
    tried: list[str] = []
    for way in _BEST_FIRST if wanted == "best" else (wanted,):
        if not (found := fault(way)):
            return way
        tried.append(f"{way}: {found}")
    raise NoConfinement(f"no program can be confined here ({'; '.join(tried)})", hint=_HINT)


def request_of(source: str, given: dict[str, str], stdin: str, limits: SandboxLimits) -> bytes:
    """Write what ``keeper.py`` reads: the length in eight bytes, and JSON.

    Args:
        source: Of the program.
        given: Files by name, in base64.
        stdin: What it reads.
        limits: What it may use.
    """
    told = {name: getattr(limits, name) for name in SandboxLimits.__slots__}
    text = json.dumps({"source": source, "files": given, "stdin": stdin, "limits": told}).encode()
    return len(text).to_bytes(8, "big") + text


def command_of(way: Way, limits: SandboxLimits, *, packages: bool, home: Path | None) -> list[str]:
    """Return the command that runs ``keeper.py``.

    Args:
        way: How it is confined.
        limits: Its files may be so large.
        packages: Whether it sees the packages of this interpreter.
        home: Folder that it runs in, where it is not confined.
    """
    is_root = os.getuid() == 0
    python = _python(packages=packages)
    tree = _tree(packages=packages)
    setup = {
        "confined": way != "none",
        "namespaces": way == "namespaces",
        # Root's number stays root's whatever it is called inside, and no limit of processes holds for it.
        "uid": _FIRST_USER + secrets.randbelow(_USERS) if is_root and way != "none" else None,
        "tree": tree if way == "namespaces" else [],
        "disk": limits.disk_mb << 20,
        "inodes": 2 * _INODES * limits.files,
        "folders": [_HOME, _TEMPORARY],
        "home": _HOME if home is None else str(home),
        "command": [python, "-I", *(() if packages else ("-S",)), "-B", "-X", "utf8", "main.py"],
        "environment": _environment(_HOME if home is None else str(home), _TEMPORARY if home is None else str(home)),
    }
    inner = [python, "-I", "-S", "-B", "-c", _START, *_sources(), json.dumps(setup)]
    return [*_bubblewrap(tree, limits, is_root=is_root), *inner] if way == "bubblewrap" else inner


def _bubblewrap(tree: list[tuple[str, str, str]], limits: SandboxLimits, *, is_root: bool) -> list[str]:
    options = {"bind": "--ro-bind", "device": "--dev-bind", "link": "--symlink"}
    disk = ("--perms", "0777", "--size", str(limits.disk_mb << 20), "--tmpfs")
    user = (
        ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        if is_root
        else ("--unshare-user", "--uid", str(_NOBODY), "--gid", str(_NOBODY))
    )
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--as-pid-1", "--hostname", "sandbox", "--cap-drop", "ALL", *user),
        # First of all: the interpreter may live in one of them.
        *(word for folder in (_HOME, _TEMPORARY) for word in (*disk, folder)),
        # Else folders on the way are root's alone, where those that they are named after are.
        *(word for folder in _above(tree) if folder != _TEMPORARY for word in ("--perms", "0755", "--dir", folder)),
        *(word for kind, source, target in tree for word in (options[kind], source, target)),
        *("--remount-ro", "/", "--chdir", _HOME),
    ]


def _above(tree: list[tuple[str, str, str]]) -> list[str]:
    """List the folders that a tree's parts stand in, outermost first."""
    return sorted({str(folder) for _, _, target in tree for folder in Path(target).parents} - {"/"})


def _tree(*, packages: bool) -> list[tuple[str, str, str]]:
    """List what a confined program sees of this machine, read-only: kind, source and target."""
    tree: list[tuple[str, str, str]] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            tree.append(("link", str(path.readlink()), name))
        elif path.exists():
            tree.append(("bind", name, name))
    shown = [Path(sys.base_prefix, part) for part in ("bin", "lib")]
    shown.append(Path(sysconfig.get_path("stdlib")))
    if packages:
        shown += [Path(sys.prefix, part) for part in ("bin", "lib", "pyvenv.cfg")]
        shown += [Path(one) for one in site.getsitepackages()]
    for path in dict.fromkeys(one.resolve() for one in shown if one.exists()):
        covered = any(path.is_relative_to(target) for kind, _, target in tree if kind == "bind")
        if not covered:
            tree.append(("bind", str(path), str(path)))
    return tree + [("device", name, name) for name in _DEVICES if Path(name).exists()]


def _python(*, packages: bool) -> str:
    """Return the interpreter: of the environment where its packages are wanted, else the one it was made from."""
    if packages:
        return str(Path(sys.prefix).resolve() / "bin" / Path(sys.executable).name)
    return str(Path(sys.executable).resolve())


def _environment(home: str, temporary: str) -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "2")
    return {"PATH": "/usr/bin:/bin", "HOME": home, "TMPDIR": temporary, "LANG": "C.UTF-8", **threads}


@lru_cache(maxsize=1)
def _sources() -> tuple[str, str]:
    folder = files("goalgraph.specialists.code")
    return folder.joinpath("kernel.py").read_text("utf-8"), folder.joinpath("keeper.py").read_text("utf-8")
