"""The styles in which people write plans, and how they become one form, that of the plan's types."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.documents.faults import Fault, Path, Refused, found_text, readable, suggestion
from goalgraph.planner.documents.limits import MAX_STEPS, too_many
from goalgraph.planner.documents.shapes import as_list, as_mapping

__all__ = ["CONFLICT", "STEP_LISTS", "SYNONYMS", "canonical"]

CONFLICT: ProblemCode = "conflicting_fields"
"""Code of two fields that say the same thing in different styles."""

STEP_LISTS = ("steps", "workflow")
"""Where a plan's steps may stand, as a list or by id."""

_HUMAN = {"title": "prompt", "assign": "assignee"}

SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "agent": {"title": "task", "assign": "agent"},
    "human_approval": _HUMAN,
    "human_input": {**_HUMAN, "answer_schema": "schema"},
    "condition": {"test": "if", "otherwise": "else"},
    "map": {"variable": "as"},
}
"""Per type of step: other names of its fields, those of the second style and those that Python code uses."""

_LISTS = ("depends_on", "then", "else")
"""Lists that may be written as one text."""

_BRANCHES = ("then", "else", "branches")

_ABOUT = ("name", "description")

_NONE: Mapping[str, str] = {}


@dataclass(slots=True)
class _Work:
    faults: list[Fault] = field(default_factory=list[Fault])
    steps: int = 0


def canonical(data: Mapping[str, object]) -> tuple[dict[str, object], list[Fault]]:
    """Write a plan in the form of its types; what has no known form stays as it is, for the types to refuse.

    Args:
        data: Plain data, not changed.

    Returns:
        The plan, and what contradicts itself in it.

    Raises:
        Refused: It has more steps than the limits allow.
    """
    work = _Work()
    return _plan(data, (), work), work.faults


def _plan(data: Mapping[str, object], path: Path, work: _Work) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in data.items():
        if key == "info":
            made.update(_info(value, data, (*path, key), work))
        elif key in STEP_LISTS:
            if "steps" in made:
                _conflict(work, (*path, key), "steps", "workflow")
            else:
                made["steps"] = _steps(value, (*path, key), work)
        elif key == "roles":
            made[key] = _roles(value, (*path, key), work)
        else:
            made[key] = value
    return made


def _info(value: object, data: Mapping[str, object], path: Path, work: _Work) -> dict[str, object]:
    about = as_mapping(value)
    if about is None:
        work.faults.append(Fault("wrong_type", f"expected a mapping, found {found_text(value)}", path))
        return {}
    made: dict[str, object] = {}
    for key, item in about.items():
        if key not in _ABOUT:
            message = f"'info' has no field {readable(key)!r}"
            work.faults.append(Fault("unknown_field", message, (*path, key), suggestion(key, _ABOUT)))
        elif key in data:
            _conflict(work, (*path, key), key, f"info.{key}")
        else:
            made[key] = item
    return made


def _roles(value: object, path: Path, work: _Work) -> object:
    named = as_mapping(value)
    if named is None:
        return value
    return [_keyed(key, item, (*path, key), "name", "role", work) for key, item in named.items()]


def _steps(value: object, path: Path, work: _Work) -> object:
    items, named = as_list(value), as_mapping(value)
    if items is not None:
        return [_step(item, (*path, number), work) for number, item in enumerate(items)]
    if named is not None:
        return [_named(key, item, (*path, key), work) for key, item in named.items()]
    return value


def _named(key: str, value: object, path: Path, work: _Work) -> object:
    return _keyed(key, _step(value, path, work), path, "id", "step", work)


def _keyed(key: str, made: object, path: Path, field: str, what: str, work: _Work) -> object:
    """Give a step, or a role, the key it stands under as its id, or its name."""
    one = as_mapping(made)
    if one is None:
        return made
    own = one.get(field, key)
    if own != key:
        message = f"the {field} is {found_text(own)}, but the {what} stands under {readable(key)!r}"
        work.faults.append(Fault("invalid_id", message, (*path, field), f"leave the {field} out"))
    return {**one, field: key}


def _step(value: object, path: Path, work: _Work) -> object:
    work.steps += 1
    if work.steps > MAX_STEPS:
        raise Refused([*work.faults, too_many(path[:1], steps=True)])
    step = as_mapping(value)
    if step is None:
        return value
    kind = step.get("type", "agent")
    synonyms = SYNONYMS.get(kind, _NONE) if isinstance(kind, str) else _NONE
    made: dict[str, object] = {}
    for written, given in step.items():
        name, item = synonyms.get(written, written), given
        rivals: tuple[str, ...] = (name,)
        if written == "assign" and name == "agent":
            name, item = _assigned(given, (*path, written), work)
            rivals = ("agent", "agents")
        elif written == "assign" and name == "assignee" and len(names := as_list(given) or []) == 1:
            item = names[0]
        rival = next((one for one in step if one != written and synonyms.get(one, one) in rivals), None)
        if rival is None or name == written:
            made[name] = _value(name, item, (*path, written), work)
        else:
            _conflict(work, (*path, written), rival, written)
    return made


def _assigned(value: object, path: Path, work: _Work) -> tuple[str, object]:
    names = as_list(value)
    if names is None:
        return "agent", value
    if not names:
        work.faults.append(Fault("invalid_value", "expected one or more names, found none", path))
    return ("agent", names[0]) if len(names) == 1 else ("agents", names)


def _value(name: str, value: object, path: Path, work: _Work) -> object:
    """Look into the fields that hold steps."""
    if name in _LISTS and isinstance(value, str):
        return [value]
    if name == "plan" and (inner := as_mapping(value)) is not None:
        return _plan(inner, path, work)
    if name == "step":
        return _step(value, path, work)
    return _branch(value, path, work) if name in _BRANCHES and as_list(value) is not None else value


def _branch(value: object, path: Path, work: _Work) -> object:
    items = as_list(value)
    if items is not None:
        return [_branch(item, (*path, number), work) for number, item in enumerate(items)]
    return value if isinstance(value, str) else _step(value, path, work)


def _conflict(work: _Work, path: Path, first: str, second: str) -> None:
    message = f"{first!r} and {second!r} say the same thing"
    work.faults.append(Fault(CONFLICT, message, path, "keep one of them"))
