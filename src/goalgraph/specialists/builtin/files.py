"""Which of the given files are tables and which are documents, and whether they can be used at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goalgraph.errors import InvalidData

__all__ = ["Sources", "check_files", "find_sources", "is_binary"]

TABLES = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq"})
DOCUMENTS = frozenset({".txt", ".text", ".md", ".markdown", ".rst", ".pdf", ".log"})

_MAGIC = {".parquet": b"PAR1", ".pq": b"PAR1", ".pdf": b"%PDF"}
_HEAD = 8192
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files that the built-in specialists may read."""

    tables: tuple[Path, ...] = ()
    documents: tuple[Path, ...] = ()
    common: Path = Path()
    """Folder that shown names are relative to."""

    def name(self, path: Path) -> str:
        """Return the name of a file as results show it."""
        return path.relative_to(self.common).as_posix() if path.is_relative_to(self.common) else path.name


def check_files(files: Sequence[Path]) -> None:
    """Look at every file's kind and first bytes, before anything is planned.

    Raises:
        InvalidData: A file is missing, empty, unreadable, of an unknown kind or not what its name says; the text
            names it.
    """
    find_sources(files)


def find_sources(files: Sequence[Path]) -> Sources:
    """Sort files, and what lies in folders, into tables and documents.

    Hidden files and links that leave a folder are passed over, as are files of other kinds inside a folder.

    Raises:
        InvalidData: See `check_files`.
    """
    found: dict[Path, None] = {}
    for path in files:
        if not path.exists():
            raise InvalidData(f"there is no file {str(path)!r}", hint="check the path")
        if path.is_dir():
            inside = list(_inside(path))
            if not inside:
                raise InvalidData(
                    f"the folder {str(path)!r} holds no table and no document",
                    hint=f"known kinds: {' '.join(sorted(TABLES | DOCUMENTS))}",
                )
            found.update(dict.fromkeys(inside))
        else:
            _check(path)
            found[path] = None
    paths = tuple(found)
    return Sources(
        tables=tuple(path for path in paths if path.suffix.lower() in TABLES),
        documents=tuple(path for path in paths if path.suffix.lower() in DOCUMENTS),
        common=_common(paths),
    )


def is_binary(head: bytes) -> bool:
    """Tell whether a file's first bytes are no text: a NUL outside of UTF-16."""
    return b"\x00" in head and not head.startswith(_UTF16)


def _inside(folder: Path) -> Iterator[Path]:
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in TABLES | DOCUMENTS or not path.is_file():
            continue
        if path.resolve().is_relative_to(root) and path.stat().st_size:
            _check(path)
            yield path


def _check(path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix not in TABLES | DOCUMENTS:
        raise InvalidData(
            f"{str(path)!r} is of a kind that is not read ({suffix or 'no suffix'!r})",
            hint=f"known kinds: {' '.join(sorted(TABLES | DOCUMENTS))}",
        )
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidData(f"{str(path)!r} cannot be opened: {reason}", hint="check its permissions") from error
    if not head.strip():
        raise InvalidData(f"{str(path)!r} is empty", hint="give a file with content")
    magic = _MAGIC.get(suffix)
    if magic is not None and magic not in head[:1024]:
        raise InvalidData(f"{str(path)!r} is not a {suffix[1:]} file", hint="export it again, or correct its suffix")
    if magic is None and is_binary(head):
        raise InvalidData(
            f"{str(path)!r} is binary, not text", hint=f"give a real {suffix[1:]} file, or correct its suffix"
        )


def _common(paths: Sequence[Path]) -> Path:
    if not paths:
        return Path()
    parents = [path.parent for path in paths]
    first = parents[0]
    return next((top for top in (first, *first.parents) if all(p.is_relative_to(top) for p in parents)), first)
