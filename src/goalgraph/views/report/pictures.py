"""Pictures that steps have made, read into the page itself: data URIs, of plain files that are pictures indeed."""

import base64
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goalgraph.planner.outcome import Artifact, Outcome

__all__ = ["File", "by_name", "files_of", "picture_type"]

_MOST_BYTES = 2_000_000
"""Of one picture."""
_MOST_IN_ALL = 12_000_000
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that a step has written."""

    path: str
    """As it is shown: of one in the run's folder from there."""
    title: str
    media_type: str
    """As the step has said."""
    step: str
    uri: str = ""
    """The picture itself, as a data URI; empty where it is none, or cannot be had."""


def files_of(outcomes: Mapping[str, Outcome], folder: Path | None = None) -> tuple[File, ...]:
    """List what steps have written, each file once, with the pictures among them.

    Args:
        outcomes: Of the run.
        folder: Of the run: files are looked for from there, and none outside of it is read.
    """
    found: dict[str, File] = {}
    left = _MOST_IN_ALL
    for outcome in outcomes.values():
        for artifact in outcome.artifacts:
            if artifact.path not in found:
                file = _file(artifact, outcome.step, folder, min(left, _MOST_BYTES))
                found[artifact.path] = file
                left -= len(file.uri)
    return tuple(found.values())


def picture_type(content: bytes) -> str:
    """Say what kind of picture the content of a file is; empty where it is none that browsers show."""
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return media_type
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    head = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return "image/svg+xml" if head.startswith(b"<") and b"<svg" in head else ""


def _file(artifact: Artifact, step: str, folder: Path | None, most: int) -> File:
    uri = ""
    with suppress(OSError, ValueError):
        path = Path(artifact.path) if folder is None else folder / artifact.path
        if artifact.media_type.startswith("image/") and (folder is None or _is_inside(path, folder)):
            uri = _uri(_content(path, most))
    return File(
        path=_shown(artifact.path, folder), title=artifact.title, media_type=artifact.media_type, step=step, uri=uri
    )


def _content(path: Path, most: int) -> bytes:
    """Read a plain file; nothing of another kind, or of one that is too large."""
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(opened, "rb") as file:
        about = os.fstat(opened)
        return file.read(most) if stat.S_ISREG(about.st_mode) and about.st_size <= most else b""


def _uri(content: bytes) -> str:
    media_type = picture_type(content)
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}" if media_type else ""


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _shown(path: str, folder: Path | None) -> str:
    if folder is not None:
        with suppress(OSError, ValueError):
            return Path(path).resolve().relative_to(folder.resolve()).as_posix()
    return path


def by_name(files: Iterable[File]) -> dict[str, str]:
    """Find pictures by what an answer may call them: the path, or the last part of it."""
    shown = [file for file in files if file.uri]
    return {**{Path(file.path).name: file.uri for file in reversed(shown)}, **{file.path: file.uri for file in shown}}
