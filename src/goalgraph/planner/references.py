"""References to what a plan will know when it runs, as Python objects that print as expressions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from pydantic import JsonValue

__all__ = ["Reference", "StepRef", "Value", "expr", "index", "item", "now", "plain", "quoted"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


class Reference:
    """Something that is known only when the plan runs, such as the output of a step.

    ``str()`` and f-strings give its expression with braces, ``expr()`` without:

        >>> output = StepRef("read").output
        >>> str(output.pages[0].text)
        '{{ steps.read.output.pages[0].text }}'
        >>> f"{expr(output['n pages'])} > 3"
        "steps.read.output['n pages'] > 3"

    A field whose name begins with ``_`` or is no name is written in brackets.
    """

    __slots__ = ("_source",)
    __iter__ = None  # else Python would ask for [0], [1], ... without end
    __contains__ = None

    def __init__(self, source: str) -> None:
        self._source = source

    def __getattr__(self, name: str) -> "Reference":
        if name.startswith("_"):  # Python's own questions, as of copy and pickle
            raise AttributeError(f"write a field whose name begins with '_' in brackets: [{name!r}]")
        return self[name]

    def __getitem__(self, key: str | int) -> "Reference":
        if isinstance(key, str) and _NAME.fullmatch(key):
            return Reference(f"{self._source}.{key}")
        return Reference(f"{self._source}[{quoted(key) if isinstance(key, str) else key}]")

    def __getstate__(self) -> str:
        return self._source

    def __setstate__(self, state: str) -> None:
        self._source = state

    def __str__(self) -> str:
        return f"{{{{ {self._source} }}}}"

    def __repr__(self) -> str:
        return f"Reference({self._source!r})"


Value: TypeAlias = bool | int | float | str | Reference | Sequence["Value"] | Mapping[str, "Value"] | None
"""JSON, with references anywhere in it."""


@dataclass(frozen=True, slots=True)
class StepRef:
    """A step of a plan: what later steps may depend on, and take things from."""

    id: str

    @property
    def output(self) -> Reference:
        """What it gave; nothing where it was skipped."""
        return self._reference.output

    @property
    def status(self) -> Reference:
        """``"succeeded"``, ``"failed"``, ``"skipped"``, ``"blocked"`` or ``"cancelled"``."""
        return self._reference.status

    @property
    def confidence(self) -> Reference:
        """From 0 to 1, or nothing."""
        return self._reference.confidence

    @property
    def error(self) -> Reference:
        """Why it failed, in a line, or nothing."""
        return self._reference.error

    @property
    def _reference(self) -> Reference:
        return Reference("steps")[self.id]


item = Reference("item")
"""The item, in a map's step."""
index = Reference("index")
"""The item's number from 0, in a map's step."""
now = Reference("now()")
"""The time, as ISO 8601 text in UTC."""


def expr(reference: Reference) -> str:
    """Return the expression without braces, to be part of a longer one."""
    return str(reference)[3:-3]


def plain(value: Value) -> JsonValue:
    """Return the value with its references as text."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    return cast("JsonValue", value)


def quoted(text: str) -> str:
    """Quote a text as the expression language reads it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "'"
