"""The steps of a document as it is written: their qualified ids, and the paths that lead to them and their fields."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import cast

from goalgraph.planner.documents.faults import Path, readable
from goalgraph.planner.documents.forms import STEP_LISTS
from goalgraph.planner.documents.shapes import as_list, as_mapping

__all__ = ["described", "field_path", "origin", "outline"]

_MOST_PARTS = 50
_TARGETS = ("then", "else", "otherwise")
_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "steps": ("workflow",),
    "name": ("info",),
    "description": ("info",),
    "agent": ("assign",),
    "agents": ("assign",),
    "assignee": ("assign",),
    "task": ("title",),
    "prompt": ("title",),
    "schema": ("answer_schema",),
    "if": ("test",),
    "else": ("otherwise",),
    "as": ("variable",),
    "answer_schema": ("schema",),
    "test": ("if",),
    "otherwise": ("else",),
    "variable": ("as",),
}
"""What a field may be called in a document, or what it stands in, where it is not there by its own name."""


def outline(plan: object, path: Path = (), prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Qualified ids of all steps, and where they stand, in the order of the document.

    Args:
        plan: Plain data; whatever in it has not the form of steps is passed over.
        path: Where the plan itself stands.
        prefix: What its steps' ids begin with.
    """
    for name, steps in (as_mapping(plan) or {}).items():
        if name in STEP_LISTS:
            yield from _listed(steps, (*path, name), prefix)


def _listed(steps: object, path: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    named: Iterable[tuple[str | int, object]] = (as_mapping(steps) or {}).items()
    for part, step in chain(named, enumerate(as_list(steps) or ())):
        if isinstance(step, list):
            yield from _listed(cast("object", step), (*path, part), prefix)
        elif not isinstance(step, str):
            yield from _within(step, (*path, part), prefix + _name(step, part))


def _within(step: object, path: Path, name: str) -> Iterator[tuple[str, Path]]:
    yield name, path
    for field, value in (as_mapping(step) or {}).items():
        if field in _TARGETS or field == "branches":
            if isinstance(value, list):
                yield from _listed(cast("object", value), (*path, field), f"{name}.")
        elif field == "plan":
            yield from outline(value, (*path, field), f"{name}.")
        elif field == "step" and isinstance(value, Mapping):
            yield from _within(cast("object", value), (*path, field), f"{name}[*]")


def _name(step: object, part: str | int) -> str:
    """Return a step's own id: the key it stands under, or its field; by its number from 1 where it has none."""
    if isinstance(part, str):
        return readable(part)
    own = (as_mapping(step) or {}).get("id")
    if isinstance(own, str) and own:
        return readable(own)
    return str(own) if isinstance(own, int) and not isinstance(own, bool) and abs(own) < 10**9 else f"#{part + 1}"


def described(plan: Mapping[str, object], path: Path) -> tuple[str | None, str | None]:
    """Return the qualified id of the step that a path leads into, and the path in it; None where there is none."""
    step: str | None = None
    prefix, position = "", "plan"
    value: object = plan
    field: list[str] = []
    for part in path:
        value = _inner(value, part)
        field.append(readable(str(part)))
        if position == "plan":
            position = "steps" if part in STEP_LISTS else "data"
        elif position in ("steps", "branches"):
            if position == "branches" and as_list(value) is not None:
                continue
            if position == "branches" and isinstance(value, str):
                position = "data"
                continue
            step = prefix + _name(value, part)
            prefix, field, position = f"{step}.", [], "step"
        elif position == "step":
            if part in _TARGETS or part == "branches":
                position = "branches" if as_list(value) is not None else "data"
            elif part == "plan" and as_mapping(value) is not None:
                position = "plan"
            elif part == "step" and as_mapping(value) is not None:
                step = f"{step}[*]"
                prefix, field = f"{step}.", []
            else:
                position = "data"
    return step, ".".join(field) or None


_ABSENT = object()


def _inner(value: object, part: str | int, default: object = None) -> object:
    mapping, items = as_mapping(value), as_list(value)
    if mapping is not None:
        return mapping.get(str(part), default)
    if items is not None and isinstance(part, int) and part < len(items):
        return items[part]
    return default


def origin(plan: object, path: Path) -> Path:
    """Return where in a document stands what in the canonical form of it stands at a path."""
    found: list[str | int] = []
    value = plan
    for part in path:
        mapping = as_mapping(value)
        name = part if mapping is None else _written(mapping, part)
        if isinstance(part, int) and mapping is None and as_list(value) is None:
            continue  # one text, which stands for a list of one
        if name == "info" and part != "info":
            found.append(name)
            value, name = _inner(value, name), part
        found.append(name)
        value = _inner(value, name)
    return tuple(found)


def _written(data: Mapping[str, object], part: str | int) -> str | int:
    """Return the key of a canonical field, or of the step of that number."""
    if isinstance(part, int):
        return list(data)[part] if part < len(data) else part
    if part in data:
        return part
    return next((other for other in _OTHER_NAMES.get(part, ()) if other in data), part)


def field_path(plan: Mapping[str, object], step: Path, field: str | None) -> Path:
    """Return the path of a step's field, or of a plan's where ``step`` is empty, as far as it exists.

    Args:
        plan: The document.
        step: Path of the step.
        field: Dotted, in the names of the plan's types or as written.
    """
    value: object = plan
    for part in step:
        value = _inner(value, part)
    path = step
    parts = field.split(".")[:_MOST_PARTS] if field else []
    while parts:
        for count in range(len(parts), 0, -1):  # the longest first: keys may have dots in them
            name = ".".join(parts[:count])
            is_number = as_mapping(value) is None and re.fullmatch("[0-9]{1,6}", name) is not None
            found = origin(value, (int(name) if is_number else _place(value, name),))
            inner = value
            for part in found:
                inner = _inner(inner, part, _ABSENT)
            if inner is not _ABSENT:
                break
        else:
            break
        path, value, parts = (*path, *found), inner, parts[count:]
    return path


def _place(value: object, name: str) -> str | int:
    """Return the number of the item of a list that has a name of its own, as roles have; else the name itself."""
    items = enumerate(as_list(value) or ())
    return next((number for number, item in items if (as_mapping(item) or {}).get("name") == name), name)
