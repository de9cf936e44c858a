"""Read documents as passages, each with the line (and in a PDF the page) where it starts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from goalgraph.errors import InvalidData, MissingExtra
from goalgraph.specialists.builtin.files import is_binary

__all__ = ["Passage", "read_passages"]

_MAX_CHARACTERS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A paragraph, or a piece of a long one."""

    file: str
    line: int
    """First line, from 1; in a PDF counted within the page."""
    page: int | None
    """Page of a PDF, from 1."""
    text: str
    heading: str = ""
    """The Markdown heading that it stands under."""


def read_passages(path: Path, name: str) -> list[Passage]:
    """Read a document; paragraphs end at blank lines and are cut where they are longer than 1,200 characters.

    Raises:
        InvalidData: The document cannot be read, or holds no text.
        MissingExtra: It is a PDF and pypdf is not installed.
    """
    if path.suffix.lower() == ".pdf":
        found = [item for page, text in _pages(path, name) for item in _split(text, name, page, marked=False)]
        hint = "a scanned PDF needs text recognition first"
    else:
        marked = path.suffix.lower() in {".md", ".markdown"}
        found = list(_split(_text(path, name), name, None, marked=marked))
        hint = "give a document with text"
    if not found:
        raise InvalidData(f"{name!r} holds no text", hint=hint)
    return found


def _pages(path: Path, name: str) -> Iterator[tuple[int, str]]:
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError as error:
        raise MissingExtra("reading PDF files", "data") from error
    try:
        for number, page in enumerate(PdfReader(path).pages, 1):
            yield number, page.extract_text()
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise InvalidData(
            f"{name!r} cannot be read as PDF: {reason}", hint="repair it, or remove its password"
        ) from error


def _text(path: Path, name: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidData(
            f"{name!r} cannot be opened: {error.strerror or error}", hint="check its permissions"
        ) from error
    if is_binary(raw[:8192]):
        raise InvalidData(f"{name!r} is binary, not text", hint="give a text document, or correct its suffix")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _split(text: str, name: str, page: int | None, *, marked: bool) -> Iterator[Passage]:
    heading, start, lines = "", 1, list[str]()

    def passage() -> Iterator[Passage]:
        body = "\n".join(lines).strip()
        if body:
            yield Passage(file=name, line=start, page=page, text=body, heading=heading)

    for number, line in enumerate([*text.splitlines(), ""], 1):
        title = marked and line.startswith("#")
        if not line.strip() or title or sum(map(len, lines)) + len(line) > _MAX_CHARACTERS:
            yield from passage()
            lines.clear()
        if title:
            heading = line.lstrip("#").strip()
        elif line.strip():
            pieces = [line[at : at + _MAX_CHARACTERS] for at in range(0, len(line), _MAX_CHARACTERS)]
            for piece in pieces[:-1]:
                yield Passage(file=name, line=number, page=page, text=piece.strip(), heading=heading)
            start = start if lines else number
            lines.append(pieces[-1])
