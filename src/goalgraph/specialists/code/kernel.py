"""What only the kernel can do: namespaces with a tree of their own, users without rights, refused system calls.

It is handed to a bare interpreter as text, so it needs nothing but the standard library.
"""

import os
import signal
import sys
from typing import Any

__all__ = ["confined", "drop_user", "enter", "prctl"]

_CLONE_NEW = 0x7E020080
_NEWUSER = 0x10000000
_UNSHARED = 0x6E020000
_MS_BIND_REC, _MS_PRIVATE_REC, _NOSUID_NODEV = 4096 | 16384, 262144 | 16384, 2 | 4
_BASE = "/tmp"
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR, _RECURSIVE, _HERE = 442, 0x8000, -100

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED = {
    # ptrace, process_vm_*, mounts, namespaces, keys, bpf, perf, userfaultfd, modules, System V IPC, memfd, handles.
    "x86_64": (
        *(101, 310, 311, 165, 166, 155, 161, 272, 308, 248, 249, 250, 321, 298, 323, 175, 313, 246, 29, 68, 64),
        *(319, 304),
    ),
    "aarch64": (
        *(117, 270, 271, 40, 39, 41, 51, 97, 268, 217, 218, 219, 280, 241, 282, 105, 273, 104, 194, 186, 190),
        *(279, 265),
    ),
}
_REFUSED_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 442, 447)
"""io_uring, the newer calls for mounts, pidfds, and secret memory: numbers that all machines share."""
_CLONE, _CLONE3, _SOCKET = {"x86_64": 56, "aarch64": 220}, 435, {"x86_64": 41, "aarch64": 198}
_FAMILIES = (1, 2, 10)
"""Of sockets: Unix, IPv4, IPv6, which a network namespace confines; others, such as vsock, it does not."""


def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _checked(what: str, returned: int) -> None:
    if returned:
        import ctypes

        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, by its number; an `OSError` where the kernel refuses."""
    _checked("prctl", _libc().prctl(option, value, 0, 0, 0))


def enter(setup: dict[str, Any]) -> None:
    """Go on as the first process of new namespaces, in a tree of nothing but what the setup names."""
    libc, uid, gid = _libc(), os.getuid(), os.getgid()
    _checked("unshare", libc.unshare(_UNSHARED | (_NEWUSER if uid else 0)))
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    prctl(1, signal.SIGKILL)
    if first := os.fork():
        os.close(0)
        os.close(1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) and 1)
    prctl(1, signal.SIGKILL)
    _build(libc, setup)


def _build(libc: Any, setup: dict[str, Any]) -> None:
    def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
        words = (source.encode(), target.encode(), kind and kind.encode(), flags, data.encode())
        _checked(f"mount {target}", libc.mount(*words))

    def pivot(new: bytes, old: bytes) -> None:
        _checked("pivot_root", libc.syscall(_PIVOT_ROOT[os.uname().machine], new, old))

    mount("none", "/", None, _MS_PRIVATE_REC)
    # Any folder will do: under the old root it is still what it was.
    mount("tmpfs", _BASE, "tmpfs", _NOSUID_NODEV)
    for name in ("old", "new"):
        os.mkdir(f"{_BASE}/{name}")
    pivot(_BASE.encode(), f"{_BASE}/old".encode())
    os.chdir("/")
    mount("tmpfs", "/new", "tmpfs", _NOSUID_NODEV, "size=1m,mode=0755")
    for place in setup["folders"]:  # first of all: the interpreter may live in one of them
        os.mkdir(f"/new{place}")
        size = f"size={setup['disk']},nr_inodes={setup['inodes']},mode=0777"
        mount("tmpfs", f"/new{place}", "tmpfs", _NOSUID_NODEV, size)
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
    _protect(libc, "/new", 1 | 2 | 4, 0)
    os.chdir("/new")
    pivot(b".", b".")
    _checked("umount", libc.umount2(b".", 2))


def _protect(libc: Any, place: str, attributes: int, flags: int) -> None:
    import ctypes

    told = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    _checked(f"protect {place}", libc.syscall(_MOUNT_SETATTR, _HERE, place.encode(), flags, told, 32))


def drop_user(uid: int | None) -> None:
    """Give up what a user of no rights does not have."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def confined() -> None:
    """Give up all capabilities, the way back to them, and the system calls that no program of ours needs."""
    _without_capabilities()
    prctl(38, 1)
    _filter()


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
