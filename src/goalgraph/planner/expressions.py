"""Expressions ``{{ ... }}`` over plain JSON: references, checking, evaluation (minijinja, strict and capped)."""

import json
import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import cast

from minijinja import Environment
from pydantic import JsonValue

from goalgraph.planner.chains import chains
from goalgraph.planner.templates import Expression, ExpressionError, read, segments, shown, without_slices

__all__ = ["ExpressionError", "References", "condition", "evaluate", "is_template", "references", "resolve"]

_FUEL = 50_000
_MAX_TEXT = 1_000_000
_MAX_RANGE = 10_000
_WITHOUT = ("attr", "batch", "format", "indent", "pprint", "slice")
"""Filters that make much out of little, or reach into Python objects."""


@dataclass(frozen=True, slots=True)
class References:
    """What the expressions of a value name."""

    steps: frozenset[str] = frozenset()
    """Ids of steps."""
    inputs: frozenset[str] = frozenset()
    """Names of inputs."""
    required_inputs: frozenset[str] = frozenset()
    """Those that must be there: not tested with ``is defined`` nor given a ``default``."""
    paths: frozenset[tuple[str | int, ...]] = frozenset()
    """Ways into steps: the id, then fields and places, such as ``("read", "output", "rows", 0)``."""
    names: frozenset[str] = frozenset()
    """Other names, such as ``item`` and ``now``."""

    def __or__(self, other: "References") -> "References":
        """Everything that either names."""
        return References(
            self.steps | other.steps,
            self.inputs | other.inputs,
            self.required_inputs | other.required_inputs,
            self.paths | other.paths,
            self.names | other.names,
        )


_NOTHING = References()


def _inner_only(value: object, name: str) -> object:
    """Give what Python and minijinja themselves use; an expression cannot ask for names that begin with ``_``."""
    if name.startswith("__") or name in ("items", "keys"):
        return object.__getattribute__(value, name)
    raise AttributeError(f"no method {name!r}; there are filters, as in value | length")


class _Object(dict[str, object]):
    """A mapping without methods, so that ``output.items`` is a field or nothing, and nothing can be changed."""

    def __getattribute__(self, name: str) -> object:
        return _inner_only(self, name)


class _Array(list[object]):
    """A list without methods."""

    def __getattribute__(self, name: str) -> object:
        return _inner_only(self, name)


@cache
def _environment() -> Environment:
    environment = Environment(undefined_behavior="strict", fuel=_FUEL, pycompat=False)
    environment.auto_escape_callback = lambda _name: None
    for name in _WITHOUT:
        environment.remove_filter(name)
    for name in ("cycler", "debug", "joiner", "lipsum"):
        environment.remove_global(name)
    environment.add_filter("join", _join)
    environment.add_filter("replace", _replace)
    environment.add_filter("tojson", _to_json)
    environment.add_global("range", _range)
    return environment


def is_template(value: object) -> bool:
    """Whether a value holds an expression anywhere."""
    return any(True for _ in _templates(value))


def references(value: object) -> References:
    """Find what the expressions in a value name.

    Raises:
        ExpressionError: An expression cannot be read, takes ``steps`` as a whole, which hides what it needs, or names
            nothing and fails whenever it is evaluated.
    """
    return _all(_of_text(text) for text in _templates(value))


def condition(when: str) -> References:
    """Find what a condition names, written with or without braces.

    Raises:
        ExpressionError: As `references`.
    """
    return _of_condition(when)


def evaluate(expression: str, scope: Mapping[str, object]) -> JsonValue:
    """Evaluate one expression, with or without its braces, to a native value.

    Args:
        expression: Such as ``steps.read.output.rows | length > 3``.
        scope: ``input``, ``steps`` and the like; plain JSON (and ``now``, a function). None of it is changed, and the
            value shares nothing with it.

    Raises:
        ExpressionError: It cannot be read, names something that is not there, or is too expensive.
    """
    return _evaluated(read(expression), scope)


def resolve(value: JsonValue, scope: Mapping[str, object]) -> JsonValue:
    """Replace the expressions in a value by what they come to.

    A string that is one lone expression becomes its native value; within other text its printed form. What comes out is
    never read as an expression again.

    Raises:
        ExpressionError: As `evaluate`.
    """
    if isinstance(value, str):
        return _resolved(value, scope) if "{{" in value else value
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    if isinstance(value, dict):
        return {key: resolve(item, scope) for key, item in value.items()}
    return value


def _resolved(text: str, scope: Mapping[str, object]) -> JsonValue:
    parts = segments(text)
    written = [part for part in parts if isinstance(part, Expression) or part.strip()]
    if len(written) == 1 and isinstance(written[0], Expression):
        return _evaluated(written[0], scope)
    printed: list[str] = []
    left = _MAX_TEXT
    for part in parts:
        printed.append(part if isinstance(part, str) else _printed(_evaluated(part, scope)))
        left -= len(printed[-1])
        if left < 0:
            raise ExpressionError(f"{shown(text)} gives more than {_MAX_TEXT} characters")
    return "".join(printed)


@lru_cache(maxsize=20_000)
def _of_text(text: str) -> References:
    return _all(_named(part) for part in segments(text) if isinstance(part, Expression))


@lru_cache(maxsize=20_000)
def _of_condition(text: str) -> References:
    return _named(read(text))


def _all(found: Iterable[References]) -> References:
    merged = _NOTHING
    for one in found:
        merged = one if merged is _NOTHING else merged if one is _NOTHING else merged | one
    return merged


def _named(expression: Expression) -> References:
    with _readable(expression.text):
        names = _environment().undeclared_variables_in_str(f"{{{{ {expression.source} }}}}")
        if (whole := without_slices(expression.tokens)) != expression.tokens:  # minijinja overlooks what is sliced
            names |= _environment().undeclared_variables_in_str(f"{{{{ {' '.join(whole)} }}}}")
    if names <= {"range"}:
        _evaluated(expression, {})  # it names nothing, so that what it comes to is known now
        return _NOTHING
    steps = list(chains(expression, "steps")) if "steps" in names else []
    if any(len(chain.parts) < 2 or not isinstance(chain.parts[1], str) for chain in steps):
        raise ExpressionError(f"{shown(expression.text)} takes all steps at once; name one, as in steps.ID.output")
    inputs = [chain for chain in chains(expression, "input") if len(chain.parts) > 1] if "input" in names else []
    lenient = {chain.parts[1] for chain in inputs if chain.lenient}
    named = frozenset(str(chain.parts[1]) for chain in inputs)
    return References(
        steps=frozenset(str(chain.parts[1]) for chain in steps),
        inputs=named,
        required_inputs=frozenset(name for name in named if name not in lenient),
        paths=frozenset(chain.parts[1:] for chain in steps),
        names=frozenset(names) - {"steps", "input"},
    )


def _evaluated(expression: Expression, scope: Mapping[str, object]) -> JsonValue:
    environment = _environment()
    source = expression.source
    with _readable(expression.text):
        seen = _visible(expression, scope)
        value: object = environment.eval_expr(source, **seen)
        if value is None and not environment.eval_expr(f"({source}) is defined", **seen):
            raise ExpressionError(f"{shown(expression.text)} names something that is not there")
        return _plain(value)


def _visible(expression: Expression, scope: Mapping[str, object]) -> dict[str, object]:
    """The part of the scope that an expression names, in a form without methods."""
    words = {token[1:-1] if token[0] in "'\"" else token for token in expression.tokens}
    seen: dict[str, object] = {}
    for name in words & scope.keys():
        value = scope[name]
        if name == "steps" and isinstance(value, dict):
            steps = cast("dict[str, object]", value)
            value = {step: steps[step] for step in words & steps.keys()}
        seen[name] = _bare(value)
    return seen


def _bare(value: object) -> object:
    if isinstance(value, dict):
        return _Object({key: _bare(item) for key, item in cast("dict[str, object]", value).items()})
    if isinstance(value, (list, tuple)):
        return _Array(map(_bare, cast("list[object]", value)))
    return value


def _plain(value: object) -> JsonValue:
    """Turn what minijinja gave into JSON."""
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, float):
        raise ExpressionError(f"expected a finite number, found {value}")
    raise ExpressionError(f"expected data, found a {type(value).__name__}")


def _printed(value: object) -> str:
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    return "none" if plain is None else json.dumps(plain, ensure_ascii=False)


def _join(values: Iterable[object], separator: str = "", attribute: str | None = None) -> str:
    """Take the place of minijinja's filter, which is not capped."""
    items = values if attribute is None else [cast("dict[str, object]", item)[attribute] for item in values]
    texts = [_printed(item) for item in items]
    _fits(sum(map(len, texts)) + len(separator) * max(len(texts) - 1, 0))
    return separator.join(texts)


def _replace(text: object, old: str, new: str) -> str:
    """Take the place of minijinja's filter, which is not capped."""
    whole = _printed(text)
    _fits(len(whole) + whole.count(old) * (len(new) - len(old)))
    return whole.replace(old, new)


def _to_json(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _range(start: int, stop: int | None = None, step: int = 1) -> list[int]:
    numbers = range(start) if stop is None else range(start, stop, step)
    if not len(numbers) <= _MAX_RANGE:
        raise ExpressionError(f"a range has at most {_MAX_RANGE} numbers")
    return list(numbers)


def _fits(length: int) -> None:
    if length > _MAX_TEXT:
        raise ExpressionError(f"a text has at most {_MAX_TEXT} characters, this one {length}")


def _templates(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if "{{" in value:
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
    except ExpressionError as error:
        if shown(text) in str(error):
            raise
        raise ExpressionError(f"{shown(text)}: {error}") from error
    except Exception as error:
        reason = str(error).partition("\n")[0].partition(" (in ")[0]
        raise ExpressionError(f"{shown(text)}: {reason or type(error).__name__}") from error
