"""How much memory a process has, with all that it has started."""

from pathlib import Path

__all__ = ["memory_of"]

_ROOT = Path("/proc")


def memory_of(pid: int) -> int:
    """Return the bytes that a process and its descendants have written to; 0 where the system does not tell.

    Memory that processes share since one was made from the other counts for each of them.
    """
    return sum(_anonymous(one) for one in _family(pid))


def _family(pid: int) -> list[int]:
    """List a process and its descendants; orphans are children of whoever took them in, so that none gets lost."""
    found, waiting = [pid], [pid]
    while waiting:
        for path in _ROOT.glob(f"{waiting.pop()}/task/*/children"):
            children = [int(child) for child in _text(path).split()]
            found += children
            waiting += children
    return found


def _anonymous(pid: int) -> int:
    for line in _text(_ROOT / str(pid) / "status").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def _text(path: Path) -> str:
    """Read a file of ``/proc``, whose process may just have gone."""
    try:
        return path.read_text()
    except OSError:
        return ""
