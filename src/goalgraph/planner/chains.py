"""Where an expression follows a name inwards, as in ``steps.read.output.rows``, and how to write such places anew."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import is_

from pydantic import JsonValue

from goalgraph.planner.templates import Expression, read, segments

__all__ = ["Chain", "Renaming", "chains", "rewritten", "rewritten_condition"]


@dataclass(frozen=True, slots=True)
class Chain:
    """A name, and the fields and places that are followed from it."""

    parts: tuple[str | int, ...]
    """The name first."""
    start: int
    """Index of its first token."""
    ends: tuple[int, ...]
    """For each part, the index after its last token."""
    lenient: bool
    """Whether the expression itself provides for its absence: ``is defined``, ``| default(...)``."""


Renaming = Callable[[Chain], tuple[int, str] | None]
"""What is to stand in place of a chain's first parts: how many of them, and the new text; None: it stays."""


def chains(expression: Expression, root: str) -> Iterator[Chain]:
    """Find every use of a name in an expression, in order."""
    tokens = expression.tokens
    for at, token in enumerate(tokens):
        if token != root:
            continue
        before, after = tokens[at - 1 : at], tokens[at + 1 : at + 2]
        if before in ((".",), ("|",)) or after == ("=",):
            continue
        parts: list[str | int] = [token]
        ends = [at + 1]
        place = at + 1
        while (found := _next_part(tokens, place)) is not None:
            part, place = found
            parts.append(part)
            ends.append(place)
        yield Chain(tuple(parts), at, tuple(ends), _lenient(tokens, place))


def rewritten(value: JsonValue, renaming: dict[str, Renaming]) -> JsonValue:
    """Write the expressions in a value anew, with other names; what does not change is the same object.

    Args:
        value: Any JSON.
        renaming: By the name that chains begin with.

    Raises:
        ExpressionError: An expression cannot be read.
    """
    if isinstance(value, str):
        return _rewritten_text(value, renaming) if "{{" in value else value
    if isinstance(value, list):
        items = [rewritten(item, renaming) for item in value]
        return value if all(map(is_, items, value)) else items
    if isinstance(value, dict):
        fields = {key: rewritten(item, renaming) for key, item in value.items()}
        return value if all(map(is_, fields.values(), value.values())) else fields
    return value


def rewritten_condition(text: str, renaming: dict[str, Renaming]) -> str:
    """Write a condition, which may stand without braces, anew.

    Raises:
        ExpressionError: It cannot be read.
    """
    return _rewritten_expression(read(text), renaming) if "{{" not in text else _rewritten_text(text, renaming)


def _rewritten_text(text: str, renaming: dict[str, Renaming]) -> str:
    parts = segments(text)
    written = [part if isinstance(part, str) else _rewritten_expression(part, renaming) for part in parts]
    changed = any(isinstance(part, Expression) and part.text != new for part, new in zip(parts, written, strict=True))
    return "".join(written) if changed else text


def _rewritten_expression(expression: Expression, renaming: dict[str, Renaming]) -> str:
    places: list[tuple[int, int, str]] = []
    for root, rename in renaming.items():
        for chain in chains(expression, root):
            if (found := rename(chain)) is not None:
                count, text = found
                last = chain.ends[count - 1] - 1
                places.append((expression.offsets[chain.start], _end(expression, last), text))
    text = expression.text
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _end(expression: Expression, token: int) -> int:
    return expression.offsets[token] + len(expression.tokens[token])


def _next_part(tokens: tuple[str, ...], at: int) -> tuple[str | int, int] | None:
    """Read ``.name``, ``.0``, ``['name']`` or ``[0]``: the part, and the index after it."""
    if tokens[at : at + 1] == (".",) and at + 1 < len(tokens):
        name = tokens[at + 1]
        if name.isidentifier():
            return name, at + 2
        return (int(name), at + 2) if name.isdecimal() else None
    if tokens[at : at + 1] == ("[",) and tokens[at + 2 : at + 3] == ("]",):
        key = tokens[at + 1]
        if key[0] in "'\"" and "\\" not in key:
            return key[1:-1], at + 3
        return (int(key), at + 3) if key.isdecimal() else None
    return None


def _lenient(tokens: tuple[str, ...], at: int) -> bool:
    after = tokens[at : at + 3]
    return after[:2] in (("|", "default"), ("|", "d"), ("is", "defined"), ("is", "undefined")) or after == (
        "is",
        "not",
        "defined",
    )
