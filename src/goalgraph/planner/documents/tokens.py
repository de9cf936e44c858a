"""Where the values of a document stand: a pass over its tokens that looks only where it was asked to."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from goalgraph.planner.documents.faults import Path, Place

__all__ = ["Token", "places_of"]

Token = tuple[str, str | None, Place]
"""``"{"``, ``"}"``, ``"["``, ``"]"`` or ``"value"``; the text of a value that could be a key; where it begins."""

_Trie = dict[str | int, "_Trie"]


@dataclass(slots=True)
class _Frame:
    path: Path
    wanted: "_Trie | None"
    kind: Literal["{", "["]
    awaits_key: bool
    key: str | None = None
    count: int = 0


def places_of(paths: Collection[Path], tokens: Iterable[Token]) -> dict[Path, Place]:
    """Find where paths begin: at the key, or at the item of a list; where a path ends early, at the last part there is.

    Args:
        paths: Any.
        tokens: Those of the document; they may end early.
    """
    wanted = _trie(paths)
    missing = set(paths)
    found: dict[Path, Place] = {}
    stack: list[_Frame] = []
    for kind, text, place in tokens:
        if kind in "}]":
            stack.pop()
            continue
        path: Path = ()
        inner: _Trie | None = wanted
        if not stack:
            found[()] = place
            missing.discard(())
        else:
            frame = stack[-1]
            if frame.awaits_key:
                frame.key, frame.awaits_key = text, False
                if text is not None and frame.wanted and text in frame.wanted:
                    found.setdefault((*frame.path, text), place)
                    missing.discard((*frame.path, text))
                if kind == "value":
                    if not missing:
                        break
                    continue
            part = frame.key if frame.kind == "{" else frame.count
            frame.count += 1
            inner = frame.wanted.get(part) if frame.wanted and part is not None else None
            path = (*frame.path, part) if inner is not None and part is not None else ()
            if frame.kind == "{":
                frame.awaits_key = True
            elif inner is not None:
                found[path] = place
                missing.discard(path)
        if not missing:
            break
        if kind == "{":
            stack.append(_Frame(path, inner, "{", True))
        elif kind == "[":
            stack.append(_Frame(path, inner, "[", False))
    return {path: _nearest(path, found) for path in paths if found}


def _trie(paths: Iterable[Path]) -> _Trie:
    root: _Trie = {}
    for path in paths:
        node = root
        for part in path:
            node = node.setdefault(part, {})
    return root


def _nearest(path: Path, found: dict[Path, Place]) -> Place:
    for length in range(len(path), 0, -1):
        if path[:length] in found:
            return found[path[:length]]
    return found[()]
