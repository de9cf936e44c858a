"""Expressions ``{{ ... }}`` over plain JSON: references, checking, evaluation (minijinja, strict and capped)."""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import cast

from minijinja import Environment, TemplateError
from pydantic import JsonValue

__all__ = ["ExpressionError", "References", "evaluate", "is_template", "references", "resolve"]

_FUEL = 50_000
_MAX_TEXT = 1_000_000
_LONE = re.compile(r"^\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*$", re.DOTALL)
_BY_KEY = re.compile(r"\bsteps\s*\[\s*(?:'([^'\]]*)'|\"([^\"\]]*)\")\s*\]")


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; one line."""


@dataclass(frozen=True, slots=True)
class References:
    """What the expressions of a value name."""

    steps: frozenset[str] = frozenset()
    """Ids of steps."""
    inputs: frozenset[str] = frozenset()
    """Names of inputs."""


_NOTHING = References()


@cache
def _environment() -> Environment:
    environment = Environment(undefined_behavior="strict", fuel=_FUEL)
    environment.auto_escape_callback = lambda _name: None
    return environment


def is_template(value: object) -> bool:
    """Whether a value holds an expression anywhere."""
    return any(True for _ in _templates(value))


def references(value: object) -> References:
    """Find the steps and inputs that the expressions in a value name.

    Raises:
        ExpressionError: An expression cannot be read, or takes ``steps`` as a whole, which hides what it needs.
    """
    steps: set[str] = set()
    inputs: set[str] = set()
    for text in _templates(value):
        by_key: list[str] = []

        def remember(match: re.Match[str], by_key: list[str] = by_key) -> str:
            by_key.append(match[1] if match[1] is not None else match[2])
            return f"steps.key_{len(by_key) - 1}"

        plain = _BY_KEY.sub(remember, text)
        with _readable(text):
            names = _environment().undeclared_variables_in_str(plain, nested=True)
        for name in names:
            root, _, rest = name.partition(".")
            first = rest.partition(".")[0]
            if root == "steps" and not first:
                raise ExpressionError(f"{_shown(text)} takes all steps at once; name one, as in steps.ID.output")
            if root == "steps":
                steps.add(by_key[int(first[4:])] if first.startswith("key_") and first[4:].isdigit() else first)
            elif root == "input" and first:
                inputs.add(first)
            elif root not in ("input", "item", "now"):
                raise ExpressionError(f"{_shown(text)} names {root!r}; there are input, steps, item and now()")
    return References(frozenset(steps), frozenset(inputs)) if steps or inputs else _NOTHING


def evaluate(expression: str, scope: Mapping[str, object]) -> JsonValue:
    """Evaluate one expression, with or without its braces, to a native value.

    Args:
        expression: Such as ``steps.read.output.rows | length > 3``.
        scope: ``input``, ``steps`` and the like; plain JSON (and ``now``, a function).

    Raises:
        ExpressionError: It cannot be read, names something that is not there, or is too expensive.
    """
    lone = _LONE.match(expression)
    source = lone[1] if lone else expression
    if len(source) > _MAX_TEXT:
        raise ExpressionError("the expression is longer than a million characters")
    environment = _environment()
    with _readable(expression):
        value = environment.eval_expr(source, **scope)
        if value is None and not environment.eval_expr(f"({source}) is defined", **scope):
            raise ExpressionError(f"{_shown(expression)} names something that is not there")
    return cast("JsonValue", value)


def resolve(value: JsonValue, scope: Mapping[str, object]) -> JsonValue:
    """Replace the expressions in a value by what they come to.

    A string that is one lone expression becomes its native value; within other text its printed form. What comes out is
    never read as an expression again.

    Raises:
        ExpressionError: As `evaluate`.
    """
    if isinstance(value, str):
        if "{{" not in value and "{%" not in value:
            return value
        if _LONE.match(value):
            return evaluate(value, scope)
        with _readable(value):
            text = _environment().render_str(value, None, **scope)
        if len(text) > _MAX_TEXT:
            raise ExpressionError(f"{_shown(value)} gives {len(text)} characters; at most {_MAX_TEXT} are allowed")
        return str(text)
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    if isinstance(value, dict):
        return {key: resolve(item, scope) for key, item in value.items()}
    return value


def _templates(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from _templates(item)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for item in cast("Sequence[object]", value):
            yield from _templates(item)


@contextmanager
def _readable(text: str) -> Generator[None]:
    """Turn minijinja's errors, which span several lines, into one line."""
    try:
        yield
    except ExpressionError:
        raise
    except (TemplateError, TypeError, ValueError, OverflowError) as error:
        reason = str(error).partition("\n")[0].partition(" (in ")[0]
        raise ExpressionError(f"{_shown(text)}: {reason}") from error


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
