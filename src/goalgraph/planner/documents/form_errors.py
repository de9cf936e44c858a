"""What pydantic finds wrong with the form of a plan, in the words and the codes of this library."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.documents.faults import MAX_FAULTS, Fault, Path, found_text, readable, suggestion
from goalgraph.planner.documents.forms import SYNONYMS
from goalgraph.planner.documents.outline import origin
from goalgraph.planner.documents.shapes import as_list, as_mapping
from goalgraph.planner.plan import (
    AgentStep,
    ApprovalGuardrail,
    BudgetGuardrail,
    ConditionStep,
    Coordinator,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    ParallelStep,
    Plan,
    Retry,
    SubPlanStep,
    TimeoutGuardrail,
    TransformStep,
    WaitStep,
)
from goalgraph.planner.roles import Role
from goalgraph.planner.votes import Vote

__all__ = ["faults_of", "fields_of", "odd_values"]

_MODELS: dict[str, type[BaseModel]] = {
    "plan": Plan,
    "coordinator": Coordinator,
    "retry": Retry,
    "vote": Vote,
    "role": Role,
    "agent": AgentStep,
    "human_approval": HumanApprovalStep,
    "human_input": HumanInputStep,
    "condition": ConditionStep,
    "parallel": ParallelStep,
    "map": MapStep,
    "wait": WaitStep,
    "sub_plan": SubPlanStep,
    "transform": TransformStep,
    "budget": BudgetGuardrail,
    "timeout": TimeoutGuardrail,
    "approval": ApprovalGuardrail,
}

_ANY = "*"
_MOVES: dict[tuple[str, str], tuple[str, bool]] = {
    ("plan", "steps"): ("steps", True),
    ("plan", "coordinator"): ("coordinator", True),
    ("plan", "roles"): ("roles", True),
    ("roles", _ANY): ("role", True),
    ("coordinator", "guardrails"): ("guardrails", True),
    ("guardrails", _ANY): ("guardrail", True),
    ("guardrail", _ANY): ("fields", False),
    ("steps", _ANY): ("step", True),
    ("step", _ANY): ("fields", False),
    ("fields", "then"): ("targets", True),
    ("fields", "else"): ("targets", True),
    ("fields", "branches"): ("branches", True),
    ("fields", "step"): ("step", True),
    ("fields", "plan"): ("inner plan", True),
    ("fields", "over"): ("items", True),
    ("fields", "retry"): ("retry", True),
    ("fields", "vote"): ("vote", True),
    ("targets", _ANY): ("target", True),
    ("target", "whole"): ("step", False),
    ("target", _ANY): ("data", False),
    ("branches", _ANY): ("branch", True),
    ("branch", "step"): ("step", False),
    ("branch", "list"): ("targets", False),
    ("branch", _ANY): ("data", False),
    ("inner plan", "whole"): ("plan", False),
    ("inner plan", _ANY): ("data", False),
    ("items", _ANY): ("data", False),
}
"""Where a part of pydantic's path leads from where, and whether a document has that part too, or it tags a union."""

_CODES: dict[str, ProblemCode] = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "union_tag_invalid": "unknown_type",
    "string_type": "wrong_type",
    "int_type": "wrong_type",
    "int_from_float": "wrong_type",
    "float_type": "wrong_type",
    "bool_type": "wrong_type",
    "bool_parsing": "wrong_type",
    "tuple_type": "wrong_type",
    "list_type": "wrong_type",
    "dict_type": "wrong_type",
    "model_type": "wrong_type",
    "model_attributes_type": "wrong_type",
    "union_tag_not_found": "wrong_type",
}
"""Codes by those of pydantic; every other one is an ``invalid_value``, or an ``invalid_id`` where an id stands."""

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_unicode": "text without halves of characters (lone surrogates)",
    "finite_number": "a finite number",
}

_BOUNDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda found: f"a number above {found['gt']:g}",
    "greater_than_equal": lambda found: f"a number of at least {found['ge']:g}",
    "less_than": lambda found: f"a number below {found['lt']:g}",
    "less_than_equal": lambda found: f"a number of at most {found['le']:g}",
    "string_too_short": lambda _found: "text that is not blank",
    "string_too_long": lambda found: f"at most {found['max_length']} characters",
    "too_short": lambda _found: "a list that is not empty",
    "literal_error": lambda found: str(found["expected"]),
}

_MANY = 10 * MAX_FAULTS

_ID = "an id: letters, digits, '_', '-' and '.', at most 128 of them, not starting with '-' or '.'"
_ROLE = "a name: letters, digits, '_', '-' and '.', at most 64 of them, not starting with '-' or '.'"
_VARIABLE = "a name: letters, digits and '_', at most 64 of them, not starting with a digit"


@dataclass(frozen=True, slots=True)
class _Found:
    """An error of pydantic's, and where it stands."""

    kind: str
    value: object
    context: Mapping[str, Any]
    path: Path
    """As the document has it."""
    position: str
    """What may stand there, in the terms of `_MOVES`."""
    owner: str
    """Name in `_MODELS` of what has the field."""
    name: str
    """The field's name in the plan's types."""


def fields_of(owner: str) -> tuple[str, ...]:
    """Names that a document may use for the fields of a model, such as ``"agent"`` or ``"coordinator"``."""
    own = [field.serialization_alias or name for name, field in _MODELS[owner].model_fields.items()]
    others = [name for name in SYNONYMS.get(owner, {}) if name in ("title", "assign")]
    return (*own, *others, *(("workflow", "info") if owner == "plan" else ()))


def faults_of(error: ValidationError, made: Mapping[str, object], data: Mapping[str, object]) -> list[Fault]:
    """Translate what pydantic found, up to a limit.

    Args:
        error: From the validation of ``made``.
        made: The plan in its canonical form.
        data: The same as the document has it.
    """
    found = (_fault(_placed(one, data)) for one in _details(error, made) if not _is_echo(one))
    return list(islice(found, MAX_FAULTS))


def _details(error: ValidationError, made: Mapping[str, object]) -> Iterator[ErrorDetails]:
    steps = as_list(made.get("steps"))
    if error.error_count() <= _MANY or steps is None:
        yield from error.errors(include_url=False)
        return
    # All details of a million errors take more than a gigabyte; so step by step, as far as they are wanted.
    for number, plan in enumerate(chain(({**made, "steps": ()},), ({"steps": (step,)} for step in steps)), -1):
        try:
            Plan.model_validate(plan)
        except ValidationError as inner:
            for one in inner.errors(include_url=False):
                if number >= 0:
                    one["loc"] = ("steps", number, *one["loc"][2:])
                yield one


def _is_echo(found: ErrorDetails) -> bool:
    """Tell whether a list is too short only because its items were refused."""
    return found["type"] == "too_short" and bool(as_list(found["input"]))


def _placed(found: ErrorDetails, data: Mapping[str, object]) -> _Found:
    position, owner = "plan", "plan"
    path: list[str | int] = []
    for part in found["loc"]:
        before = position
        position, stands = _MOVES.get((before, str(part))) or _MOVES.get((before, _ANY), ("data", True))
        if stands:
            path.append(part)
        if position == "fields":
            owner = str(part)
        elif position in ("plan", "coordinator", "retry", "role", "vote"):
            owner = position
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    where = origin(data, tuple(path))
    return _Found(found["type"], found["input"], found.get("ctx", {}), where, position, owner, name)


def _fault(found: _Found) -> Fault:
    if found.kind == "union_tag_not_found":
        return _untyped(found)
    if found.kind == "string_pattern_mismatch":
        expected = _VARIABLE if found.name == "as" else _ROLE if found.owner == "role" else _ID
        code: ProblemCode = "invalid_id" if expected is _ID else "invalid_value"
        return Fault(code, f"expected {expected}, found {found_text(found.value)}", found.path)
    code = _CODES.get(found.kind, "invalid_value")
    if code == "missing_field":
        return Fault(code, "this field is missing", found.path, "add it")
    if code == "unknown_field":
        message = f"{_article(found.owner)} has no field {readable(found.name)!r}"
        return Fault(code, message, found.path, suggestion(found.name, fields_of(found.owner)))
    if code == "unknown_type":
        return _unknown_type(found)
    if found.kind == "value_error":
        return Fault(code, str(found.context["error"]), found.path)
    expected = _expected(found)
    return Fault(code, f"expected {expected}, found {found_text(found.value)}", found.path, _hint(found))


def _expected(found: _Found) -> str:
    if found.kind in _BOUNDS:
        return _BOUNDS[found.kind](found.context)
    if (found.owner, found.name) == ("map", "over"):
        return "a list, or an expression that gives one"
    return _EXPECTED.get(found.kind, "another value")


def _hint(found: _Found) -> str:
    if found.kind == "string_type":
        if found.value is None:
            return "leave the field out, or give it a value"
        return "put it in quotes" if isinstance(found.value, (bool, int, float)) else ""
    if found.kind == "literal_error" and isinstance(found.value, str):
        known = str(found.context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        hint = suggestion(found.value, known)
        return hint if hint.startswith("did") else ""
    if found.kind in ("float_type", "int_type") and isinstance(found.value, str):
        return "write it without quotes"
    return ""


def _untyped(found: _Found) -> Fault:
    """Explain what could be no step and no guardrail at all."""
    what = "guardrail" if found.position == "guardrail" else "step"
    value = as_mapping(found.value)
    if value is None:
        message = f"expected a {what}, which is a mapping, found {found_text(found.value)}"
        return Fault("wrong_type", message, found.path)
    if "type" not in value:
        return Fault("missing_field", "this field is missing", (*found.path, "type"), "add it")
    message = f"expected text, found {found_text(value['type'])}"
    return Fault("wrong_type", message, (*found.path, "type"), f"use one of: {', '.join(_types(what))}")


def _unknown_type(found: _Found) -> Fault:
    what = "guardrail" if found.position == "guardrail" else "step"
    tag = str(found.context["tag"])
    message = f"there is no {what} of type {found_text(tag)}"
    return Fault("unknown_type", message, (*found.path, "type"), suggestion(tag, _types(what)))


def _types(what: str) -> tuple[str, ...]:
    kinds = {"guardrail": ("budget", "timeout", "approval")}
    return kinds.get(what) or tuple(name for name, model in _MODELS.items() if "join" in model.model_fields)


def _article(owner: str) -> str:
    if "join" in _MODELS[owner].model_fields:
        return f"{'an' if owner[0] in 'aeiou' else 'a'} {owner} step"
    if owner in ("budget", "timeout", "approval"):
        return f"{'an' if owner[0] in 'aeiou' else 'a'} {owner} guardrail"
    return f"a {owner}" if owner in ("plan", "role") else f"{owner!r}"


def odd_values(data: object, path: Path = ()) -> Iterator[Fault]:
    """Find the values that JSON cannot hold, wherever they stand."""
    if (mapping := as_mapping(data)) is not None:
        for key, value in mapping.items():
            if not _is_whole_text(key):
                yield Fault("invalid_value", f"expected {_EXPECTED['string_unicode']}, found {found_text(key)}", path)
            yield from odd_values(value, (*path, key))
    elif (items := as_list(data)) is not None:
        for number, value in enumerate(items):
            yield from odd_values(value, (*path, number))
    elif isinstance(data, float) and not math.isfinite(data):
        message = f"expected a value that JSON can hold, found {found_text(data)}"
        yield Fault("invalid_value", message, path, "put it in quotes if it is text")
    elif isinstance(data, str) and not _is_whole_text(data):
        yield Fault("invalid_value", f"expected {_EXPECTED['string_unicode']}, found {found_text(data)}", path)


def _is_whole_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
