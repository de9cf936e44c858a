"""A caller's data as plain data of our own: texts, numbers, lists and mappings, under the same caps as documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from goalgraph.planner.documents.faults import Fault, Path, Refused, found_text
from goalgraph.planner.documents.limits import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_STEPS,
    MAX_VALUES,
    too_deep,
    too_large,
    too_many,
)

__all__ = ["plain"]


@dataclass(slots=True)
class _Room:
    """What is left of the limits on the whole."""

    values: int = MAX_VALUES
    characters: int = MAX_BYTES


def plain(data: Mapping[str, object]) -> dict[str, object]:
    """Copy a mapping, so that nothing the caller changes later changes what was read.

    Raises:
        Refused: It holds what no document can hold, or more than the limits allow.
    """
    return cast("dict[str, object]", _copy(data, (), _Room()))


def _copy(value: object, path: Path, room: _Room) -> object:
    room.values -= 1
    if isinstance(value, str):
        room.characters -= len(value)
    if room.values < 0 or room.characters < 0:
        raise Refused([too_large()])
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # not str(value), which is something else for members of enumerations
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, BaseModel):
        value = _fields(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return _copy(_jsonable(value, path), path, room)
    many = cast("Mapping[object, object] | list[object] | tuple[object, ...]", value)
    holds_steps = path in (("steps",), ("workflow",))
    if len(many) > (MAX_STEPS if holds_steps else MAX_ITEMS):
        raise Refused([too_many(path, holds_steps)])
    if len(path) >= MAX_DEPTH:
        raise Refused([too_deep(path)])
    if isinstance(many, Mapping):
        return {(name := _key(key, path)): _copy(item, (*path, name), room) for key, item in many.items()}
    return [_copy(item, (*path, number), room) for number, item in enumerate(many)]


def _key(key: object, path: Path) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return str(int(key))
    raise Refused([Fault("wrong_type", f"expected keys that are text, found {found_text(key)}", path)])


def _fields(model: BaseModel) -> dict[str, object]:
    """Return the fields that were set, and the type of a step, which is a default of its class."""
    fields = type(model).model_fields
    return {
        field.serialization_alias or name: cast("object", getattr(model, name))
        for name, field in fields.items()
        if name in model.model_fields_set or name == "type"
    }


def _jsonable(value: object, path: Path) -> object:
    try:
        found: object = to_jsonable_python(value)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        message = f"expected text, numbers, lists and mappings, found {type(value).__name__}"
        raise Refused([Fault("wrong_type", message, path, "give plain data")]) from error
    return found
