"""Texts with ``{{ }}`` in them: where the expressions are; these are small, and multiply nothing but numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Expression", "ExpressionError", "literal", "read", "segments", "shown", "without_slices"]

_MAX_TOKENS = 400
"""Longer expressions could nest deeper than the native parser's stack, which ends the process."""
_MAX_TEXT = 1_000_000
_MAX_EXPRESSIONS = 1_000

_TOKEN = re.compile(
    r"""\s*( '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*"
    | [^\W\d]\w* | 0[xXoObB]\w+ | \d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?
    | \*\* | // | == | != | <= | >= | -(?=\}\}) | \S )""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; one line."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands between two braces."""

    text: str
    """As it was written, braces included where there are any."""
    tokens: tuple[str, ...]
    offsets: tuple[int, ...]
    """Where each token begins in the text."""

    @property
    def source(self) -> str:
        """What is evaluated: ``*`` takes numbers only, so that it cannot repeat texts and lists.

        Both its sides are raised to the power of 1, which nothing but a number can be.
        """
        if "*" not in self.tokens:
            return " ".join(self.tokens)
        powers = {
            place
            for at, token in enumerate(self.tokens)
            if token == "*"
            for place in (at, _operand_end(self.tokens, at + 1))
        }
        written: list[str] = []
        for at, token in enumerate((*self.tokens, "")):
            if at in powers and token != "**":
                written += ("**", "1")
            written.append(token)
        return " ".join(written).rstrip()


def segments(text: str) -> tuple[str | Expression, ...]:
    """Split a text into what is literal and what are expressions, in order.

    Raises:
        ExpressionError: An expression has no end, or is too large.
    """
    found: list[str | Expression] = []
    start = 0
    while (opening := text.find("{{", start)) >= 0:
        if len(text) > _MAX_TEXT or len(found) > 2 * _MAX_EXPRESSIONS:
            raise ExpressionError(f"{shown(text)}: at most {_MAX_TEXT} characters, {_MAX_EXPRESSIONS} expressions")
        trims = text.startswith("-", opening + 2)
        tokens, offsets, end, trims_after = _scan(text, opening + 2 + trims)
        literal = text[start:opening]
        found += (
            literal.rstrip() if trims else literal,
            _checked(tokens, [at - opening for at in offsets], text[opening:end]),
        )
        start = end
        if trims_after:
            start += len(text[end:]) - len(text[end:].lstrip())
    found.append(text[start:])
    return tuple(part for part in found if part != "")


def read(text: str) -> Expression:
    """Read a text that is one expression, with or without its braces.

    Raises:
        ExpressionError: It is too large.
    """
    if text.lstrip().startswith("{{"):
        written = [part for part in segments(text) if isinstance(part, Expression) or part.strip()]
        if len(written) == 1 and isinstance(written[0], Expression):
            return written[0]
    if len(text) > _MAX_TEXT:
        raise ExpressionError(f"{shown(text)}: at most {_MAX_TEXT} characters")
    found = list(_TOKEN.finditer(text))
    return _checked([match[1] for match in found], [match.start(1) for match in found], text)


def literal(text: str) -> str:
    """Write a text so that its braces are text and no expression."""
    return text.replace("{{", "{{ '{{' }}")


def shown(text: str) -> str:
    """Quote a text for a message, cut at 80 characters."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def without_slices(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tokens of an expression with ``x[1:4]`` as ``x[0]``."""
    if ":" not in tokens:
        return tokens
    kept: list[str] = []
    opened: list[int] = []
    for token in tokens:
        kept.append(token)
        if token in _CLOSING:
            opened.append(len(kept))
        elif token in _CLOSING.values() and opened:
            begins = opened.pop()
            if token == "]" and ":" in _outermost(kept[begins:-1]):
                kept[begins:] = ["0", "]"]
    return tuple(kept)


def _outermost(tokens: Sequence[str]) -> list[str]:
    """Those that stand in no brackets."""
    found: list[str] = []
    depth = 0
    for token in tokens:
        depth -= token in _CLOSING.values()
        if depth == 0:
            found.append(token)
        depth += token in _CLOSING
    return found


def _scan(text: str, at: int) -> tuple[list[str], list[int], int, bool]:
    """Tokens up to the closing braces and where each begins, where what follows begins, and whether that is trimmed."""
    tokens: list[str] = []
    offsets: list[int] = []
    depth = 0
    while match := _TOKEN.match(text, at):
        token, begins = match[1], match.start(1)
        if not depth and text.startswith(("}}", "-}}"), begins):
            trims = token == "-"
            return tokens, offsets, begins + 2 + trims, trims
        depth += (token == "{") - (token == "}")
        tokens.append(token)
        offsets.append(begins)
        at = match.end()
        if len(tokens) > _MAX_TOKENS:
            break
    if len(tokens) > _MAX_TOKENS:
        raise ExpressionError(f"{shown(text)}: an expression has more than {_MAX_TOKENS} words and signs")
    raise ExpressionError(f"{shown(text)}: an expression is opened and not closed, expected '}}}}'")


def _checked(tokens: Sequence[str], offsets: Sequence[int], text: str) -> Expression:
    if len(tokens) > _MAX_TOKENS:
        raise ExpressionError(f"{shown(text)} has more than {_MAX_TOKENS} words and signs")
    for at, token in enumerate(tokens) if "map" in tokens else ():
        if token == "map" and tokens[at - 1 : at] == ["|"] and "," in tokens[at + 1 : _past(tokens, at + 1)]:
            raise ExpressionError(f"{shown(text)}: map takes one argument here")
    if "__" in text and any(one == "." and two.startswith("__") for one, two in pairwise(tokens)):
        raise ExpressionError(f"{shown(text)}: fields that begin with '__' are taken as in x['__name']")
    return Expression(text, tuple(tokens), tuple(offsets))


def _operand_end(tokens: Sequence[str], at: int) -> int:
    """Index after an operand: its signs, a name, literal or group, then fields, subscripts, calls and filters."""
    while tokens[at : at + 1] in (("-",), ("+",)):
        at += 1
    at = _past(tokens, at)
    while at < len(tokens):
        if tokens[at] in (".", "|"):
            at += 2
        elif tokens[at] in ("(", "["):
            at = _past(tokens, at)
        else:
            break
    return min(at, len(tokens))


def _past(tokens: Sequence[str], at: int) -> int:
    """Index after the token or the bracketed group that begins here."""
    depth = 0
    while at < len(tokens):
        depth += (tokens[at] in _CLOSING) - (tokens[at] in _CLOSING.values())
        at += 1
        if depth <= 0:
            break
    return at
