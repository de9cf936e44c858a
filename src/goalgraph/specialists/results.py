"""From what a specialist returned to plain, capped JSON that every store keeps unchanged."""

import asyncio
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, cast

from langchain_core.messages import BaseMessage
from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from goalgraph.specialists.artifacts import ArtifactStore, stored
from goalgraph.specialists.confidence import known_confidence, refused
from goalgraph.specialists.schemas import misfits
from goalgraph.specialists.specialist import StepResult

__all__ = ["InvalidOutput", "OutputTooLarge", "as_json", "as_result", "checked", "fitting", "kept"]

MAX_CHARACTERS = 5_000_000
"""Largest output that is kept, counted in characters of all its texts, keys and numbers, and one for each item."""
MAX_STORED_CHARACTERS = 100_000_000
"""Largest output that is kept in a store of artifacts."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MAX_DEPTH = 100
_INT64 = 2**63


class InvalidOutput(TypeError):
    """An output that cannot become JSON, or does not fit its schema."""


class OutputTooLarge(ValueError):
    """An output past the cap."""


def as_result(returned: object) -> StepResult:
    """Read what a specialist returned: a result, a message by its text, anything else as the output."""
    if isinstance(returned, StepResult):
        if isinstance(returned.output, BaseMessage):
            returned = returned.model_copy(update={"output": returned.output.text})
        return returned if returned.confidence is None else _known(returned, returned.confidence)
    if isinstance(returned, BaseMessage):
        return StepResult(output=returned.text)
    return StepResult(output=returned)


def _known(result: StepResult, confidence: float) -> StepResult:
    """Refuse a confidence that came past the result's own check: pydantic makes changed copies without one."""
    if known_confidence(confidence) is not None:
        return result
    return result.model_copy(update={"confidence": None, "degraded": (*result.degraded, refused(confidence))})


def as_json(value: object, *, max_characters: int = MAX_CHARACTERS) -> JsonValue:
    """Turn a value into JSON that SQLite, PostgreSQL and msgpack all keep unchanged.

    NUL and lone surrogates become U+FFFD, NaN and infinities null, integers past 64 bit their digits as text;
    dataclasses, pydantic models, dates, paths, sets and tuples what pydantic makes of them.

    Raises:
        InvalidOutput: The value, or something in it, has no JSON form, or is nested deeper than 100.
        OutputTooLarge: More characters than allowed.
    """
    return _Cleaner(max_characters).clean(value, 0)


def fitting(output: JsonValue, schema: Mapping[str, JsonValue] | None) -> JsonValue:
    """Return an output that fits a JSON Schema.

    Args:
        output: Plain JSON.
        schema: None: anything fits.

    Raises:
        InvalidOutput: It does not; the text is one line and says all that is wrong.
    """
    if schema is not None and (wrong := misfits(output, schema)):
        raise InvalidOutput(f"the output does not fit the schema that was declared for it: {wrong}")
    return output


def checked(
    output: object, schema: Mapping[str, JsonValue] | None, store: ArtifactStore | None
) -> tuple[JsonValue, int]:
    """Turn an output into JSON that fits a schema.

    Args:
        output: As a specialist gave it.
        schema: JSON Schema that it must fit.
        store: Where it may be kept if it is large; None: there is none.

    Returns:
        The output, and its size as `as_json` counts it.

    Raises:
        InvalidOutput: See `as_json` and `fitting`.
        OutputTooLarge: It is too large, even for the store.
    """
    cleaner = _Cleaner(MAX_CHARACTERS if store is None else MAX_STORED_CHARACTERS)
    try:
        return fitting(cleaner.clean(output, 0), schema), cleaner.spent
    except OutputTooLarge as error:
        if store is not None:
            raise
        raise OutputTooLarge(f"{error}, or keep it with create_plan_agent(..., artifacts=a folder)") from None


async def kept(
    result: StepResult, schema: Mapping[str, JsonValue] | None, store: ArtifactStore | None
) -> tuple[StepResult, JsonValue]:
    """Turn the output of a result into JSON, and put one that is too large into the store.

    Args:
        result: What a specialist gave.
        schema: JSON Schema that the output must fit.
        store: None: there is none.

    Returns:
        The result, with the artifact where there is one, and the output, or the object that stands for it; see
        `StepContext.load`.

    Raises:
        InvalidOutput: See `checked`.
        OutputTooLarge: See `checked`.
    """
    output, size = checked(result.output, schema, store)
    if store is None or size <= MAX_CHARACTERS:
        return result, output
    reference, artifact = await asyncio.to_thread(stored, output, store)
    return result.model_copy(update={"artifacts": (*result.artifacts, artifact)}), reference


class _Cleaner:
    def __init__(self, budget: int) -> None:
        self._cap = self._left = budget

    @property
    def spent(self) -> int:
        """Characters so far."""
        return self._cap - self._left

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise OutputTooLarge(
                f"the output has more than {self._cap} characters; write it to a file and return its path"
            )

    def clean(self, value: object, depth: int) -> JsonValue:
        if value is None or isinstance(value, bool):
            self._spend(4)
            return value
        if isinstance(value, str):
            self._spend(len(value))
            # Not str(value), which gives a name for a member of an enum that is text.
            return _UNSTORABLE.sub("\ufffd", value) if _UNSTORABLE.search(value) else str.__str__(value)
        if isinstance(value, int):
            self._spend(8)
            return int(value) if -_INT64 <= value < _INT64 else self.clean(_digits(value), depth)
        if isinstance(value, float):
            self._spend(8)
            return float(value) if math.isfinite(value) else None
        if depth >= _MAX_DEPTH:
            raise InvalidOutput(f"the output is nested deeper than {_MAX_DEPTH} levels, or contains itself")
        if isinstance(value, Mapping):
            self._spend(1 + len(cast("Mapping[object, object]", value)))
            return self._mapping(cast("Mapping[object, object]", value), depth)
        if isinstance(value, (list, tuple)):
            self._spend(1 + len(cast("list[object]", value)))
            return [self.clean(item, depth + 1) for item in cast("list[object]", value)]
        if isinstance(value, Iterator):
            return [self._next(item, depth) for item in cast("Iterator[object]", value)]
        if type(value).__module__ == "numpy":
            return self.clean(self._from_numpy(value), depth)
        return self.clean(_converted(value), depth + 1)

    def _next(self, item: object, depth: int) -> JsonValue:
        self._spend(1)
        return self.clean(item, depth + 1)

    def _from_numpy(self, value: object) -> object:
        array = cast("Any", value)
        self._spend(int(getattr(array, "size", 0)))
        plain: object = array.tolist() if hasattr(array, "tolist") else value
        return _converted(value) if type(plain) is type(value) else plain

    def _mapping(self, value: "Mapping[object, object]", depth: int) -> dict[str, JsonValue]:
        cleaned: dict[str, JsonValue] = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else _converted(key)
            if not isinstance(name, (str, int, float)):
                raise InvalidOutput(f"a key of the output is a {type(key).__name__}; use text")
            text = cast("str", self.clean(name if isinstance(name, str) else str(name), depth))
            if text in cleaned:
                raise InvalidOutput(f"two keys of the output are both {text[:80]!r}")
            cleaned[text] = self.clean(item, depth + 1)
        return cleaned


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        return hex(value)


def _converted(value: object) -> object:
    if isinstance(value, (str, int, float)) or value is None:
        return value
    try:
        if isinstance(value, BaseMessage):
            return value.text
        if isinstance(value, PurePath):
            return str(value)
        return cast("object", to_jsonable_python(value, inf_nan_mode="constants", bytes_mode="utf8"))
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        raise InvalidOutput(
            f"the output holds a {type(value).__name__}, which has no JSON form; return text, numbers, lists and dicts"
        ) from error
