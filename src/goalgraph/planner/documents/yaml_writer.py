"""From a plan to YAML as a person would write it, whatever texts it holds."""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from pydantic import BaseModel

from goalgraph.planner.documents.faults import Fault, Path, Refused, found_text
from goalgraph.planner.documents.limits import MAX_BYTES, MAX_DEPTH, too_deep, too_large
from goalgraph.planner.documents.plain_data import plain
from goalgraph.planner.documents.scalars import MAX_DIGITS
from goalgraph.planner.documents.shapes import as_list, as_mapping
from goalgraph.planner.plan import AgentStep, Plan

__all__ = ["data_of", "written"]

_WIDTH = 120
_PLAIN = re.compile(r"[^\W\d][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\\]*")
"""What may stand without quotes, as long as it has nothing in it that means something in YAML."""
_MEANS_SOMETHING = re.compile(r": |:$| #| $")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
"""Words that YAML 1.1 or 1.2 takes for something else."""
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BLOCK = re.compile(r"(?![ \n])[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]+(?<![\n ])\n?")
_SPACE = re.compile(r"(?<=[^ ]) (?=[^ ])")
_LONGEST_KEY = 1_000
"""Longer keys have to be marked with a question mark."""


def written(plan: Plan) -> str:
    """Write a plan as YAML; fields at their defaults are left out, the types of steps that are no agent's are not.

    Raises:
        Refused: It holds what would not be read again.
    """
    lines: list[str] = []
    _write_mapping(data_of(plan), 0, lines)
    text = "\n".join(lines) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise Refused([too_large()])
    return text


def data_of(plan: Plan) -> dict[str, object]:
    """Return what is written, as plain data.

    Raises:
        Refused: It holds what would not be read again.
    """
    data = cast("dict[str, object]", _data(plan, ()))
    data.setdefault("steps", [])
    plain(data)  # under the caps on reading
    return data


@lru_cache(maxsize=64)
def _fields(model: type[BaseModel]) -> tuple[tuple[str, str, bool, object], ...]:
    """Name, name in documents, whether it is required, and default of each field; the id first and the type second."""
    first = {"id": 0, "type": 1}
    return tuple(
        (name, field.serialization_alias or name, field.is_required(), field.get_default(call_default_factory=True))
        for name, field in sorted(model.model_fields.items(), key=lambda item: first.get(item[0], 2))
    )


def _data(value: object, path: Path) -> object:
    """Return plain data, in the order in which it is to stand.

    Raises:
        Refused: A value would not be read again.
    """
    if isinstance(value, (BaseModel, dict, list, tuple)) and len(path) >= MAX_DEPTH:
        raise Refused([too_deep(path)])
    if isinstance(value, BaseModel):
        return _data_of_model(value, path)
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {cast("str", _data(key, path)): _data(item, (*path, key)) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [_data(item, (*path, number)) for number, item in enumerate(cast("list[object]", value))]
    if _is_unreadable(value):
        message = f"expected a value that a document can hold, found {found_text(value)}"
        raise Refused([Fault("invalid_value", message, path)])
    return value


def _data_of_model(model: BaseModel, path: Path) -> dict[str, object]:
    data: dict[str, object] = {}
    for name, alias, is_required, default in _fields(type(model)):
        value = cast("object", getattr(model, name))
        is_said = name == "type" and not isinstance(model, AgentStep)
        if is_required or is_said or value != default:
            data[alias] = _data(value, (*path, alias))
    return data


def _is_unreadable(value: object) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and abs(value) >= 10 ** (MAX_DIGITS - 1)


def _write_mapping(data: Mapping[str, object], indent: int, lines: list[str]) -> None:
    for key, value in data.items():
        name = _quoted_or_plain(key)
        if len(name) > _LONGEST_KEY:
            lines.append(f"{' ' * indent}? {name}")
            name = ""
        _write_value(f"{' ' * indent}{name}:", value, indent, lines)


def _write_value(start: str, value: object, indent: int, lines: list[str]) -> None:
    """Write what follows a key or a hyphen.

    Args:
        start: The line so far.
        value: What follows.
        indent: Of the key or the hyphen.
        lines: Where to write it.
    """
    if mapping := as_mapping(value):
        lines.append(start)
        _write_mapping(mapping, indent + 2, lines)
    elif items := as_list(value):
        lines.append(start)
        _write_list(items, indent + 2, lines)
    elif isinstance(value, str):
        lines.extend(_text(start, value, indent + 2))
    else:
        lines.append(f"{start} {_short(value)}")


def _write_list(items: list[object], indent: int, lines: list[str]) -> None:
    for item in items:
        first = len(lines)
        if mapping := as_mapping(item):
            _write_mapping(mapping, indent + 2, lines)
        elif inner := as_list(item):
            _write_list(inner, indent + 2, lines)
        else:
            _write_value(f"{' ' * indent}-", item, indent, lines)
            continue
        lines[first] = f"{' ' * indent}- {lines[first][indent + 2 :]}"


def _short(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, (bool, dict, list)):
        return json.dumps(value)
    shown = repr(value)
    # readers of YAML 1.1 take 1e17 for text
    return shown.replace("e", ".0e") if isinstance(value, float) and "e" in shown and "." not in shown else shown


def _text(start: str, text: str, indent: int) -> list[str]:
    if "\n" in text and _BLOCK.fullmatch(text):
        block = text.removesuffix("\n")
        head = f"{start} |" if text.endswith("\n") else f"{start} |-"
        return [head, *(" " * indent + line if line else "" for line in block.split("\n"))]
    return _folded(f"{start} {_quoted_or_plain(text)}", len(start) + 1, indent)


def _quoted_or_plain(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _MEANS_SOMETHING.search(text) and text.lower() not in _WORDS:
        return text
    escaped = json.dumps(text, ensure_ascii=False)
    is_escaped = len(escaped) != len(text) + 2 + text.count('"') or _UNPRINTABLE.search(text)
    if '"' in text and "'" not in text and not is_escaped:
        return f"'{text}'"
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", escaped)


def _folded(line: str, begin: int, indent: int) -> list[str]:
    """Break a long line at single spaces, where YAML reads the break as a space."""
    if len(line) <= _WIDTH:
        return [line]
    lines: list[str] = []
    words = _SPACE.split(line[begin:])
    current = line[:begin] + words[0]
    for word in words[1:]:
        if len(current) + 1 + len(word) > _WIDTH:
            lines.append(current)
            current = " " * indent + word
        else:
            current += f" {word}"
    return [*lines, current]
