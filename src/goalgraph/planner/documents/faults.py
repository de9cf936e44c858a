"""What is wrong with a document, before it is said of which step, and how values and names are shown in messages."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from goalgraph.errors.codes import ProblemCode

__all__ = ["MAX_FAULTS", "Fault", "Path", "Place", "Refused", "found_text", "readable", "suggestion"]

MAX_FAULTS = 1_000
"""Reading stops after so many; whoever wrote the document has enough to do."""

Path = tuple[str | int, ...]
"""Keys and positions (from 0) that lead from the root of a document to a value."""

Place = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a document."""

    code: ProblemCode
    message: str
    path: Path = ()
    hint: str = ""
    place: Place | None = None
    """None where it is to be found from the path."""


class Refused(Exception):
    """A document that cannot be read to its end; never leaves the package."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


def found_text(value: object) -> str:
    """Show a value as a document writes it, in at most 60 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, str):
        value = value[:100]
    elif isinstance(value, int) and abs(value) >= 10**50:
        return "a number of more than 50 digits"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def readable(name: str) -> str:
    """Shorten a name and escape what cannot be printed, so that a message stays one line."""
    shown = name if name.isprintable() else repr(name)[1:-1]
    return shown if len(shown) <= 128 else shown[:125] + "..."


def suggestion(name: str, known: Collection[str]) -> str:
    """Name what was probably meant, or all there is."""
    near = difflib.get_close_matches(name, known, n=1) if len(name) <= 60 else []
    return f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known)}"
