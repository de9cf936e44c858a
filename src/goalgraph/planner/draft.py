"""The flat form in which a model writes a plan, and its compilation into a plan."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue, ValidationError

from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.plan import STEP_ID, AgentStep, Plan
from goalgraph.planner.templates import literal

__all__ = ["DRAFT_NAME", "Draft", "compile_draft", "draft_schema", "read_draft"]

DRAFT_NAME = "plan"
"""Title of the schema, and so the name of the tool a model calls to give its plan."""

_MAX_ENUM = 250
"""OpenAI's strict mode limits an enum of more values by their total length, see its guide to structured outputs."""

_FIELDS = ("id", "agent", "task", "depends_on")
_STAND_IN = "(not written)"


def draft_schema(cards: Iterable[SpecialistCard]) -> dict[str, JsonValue]:
    """JSON Schema of a draft: no unions, no free-form objects, every field required, as strict modes ask for.

    Args:
        cards: The specialists that a step may name.
    """
    names = sorted({card.name for card in cards})
    agent: dict[str, JsonValue] = {"type": "string", "description": "Name of the specialist that does the step."}
    if 0 < len(names) <= _MAX_ENUM:
        agent["enum"] = list[JsonValue](names)
    step: dict[str, JsonValue] = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Short and unique: letters, digits, '_' and '-', no spaces."},
            "agent": agent,
            "task": {"type": "string", "description": "What is to be done, complete without the other steps' text."},
            "depends_on": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Ids of the steps whose results this step works with; empty where it needs none.",
            },
        },
        "required": list[JsonValue](_FIELDS),
        "additionalProperties": False,
    }
    return {
        "title": DRAFT_NAME,
        "description": "A plan that reaches the goal: steps, each done by one specialist, as a graph without cycles.",
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "A few words that say what the plan is for."},
            "steps": {"type": "array", "items": step},
        },
        "required": ["name", "steps"],
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft as far as it can be read."""

    plan: Plan
    """Every step with a usable id; a stand-in takes the place of each unreadable field, to check the graph by."""
    problems: tuple[PlanProblem, ...]
    """All that could not be read. A plan with problems must not run."""


def compile_draft(data: object) -> Plan | tuple[PlanProblem, ...]:
    """Turn what a model filled in into a plan, or say all that is wrong with its form.

    Numbers as ids become text, and an absent name is no problem. Whether the plan makes sense is for `validate_plan` to
    say. A task is data: braces in it are no expression.

    Args:
        data: Anything at all; nothing raises.
    """
    draft = read_draft(data)
    return draft.problems or draft.plan


def read_draft(data: object) -> Draft:
    """Read as much of a draft as there is, with all problems of its form."""
    if not isinstance(data, Mapping):
        return Draft(plan=Plan(), problems=(_wrong("steps", "an object with 'name' and 'steps'", data),))
    plan = cast("Mapping[object, object]", data)
    problems = [_surplus(key, None, "the plan", "'name' and 'steps'") for key in plan if key not in ("name", "steps")]
    name = plan.get("name")
    if name is not None and not isinstance(name, str):
        problems.append(_wrong("name", "text", name))
    listed = plan.get("steps")
    if not isinstance(listed, list):
        problems.append(_missing("steps", None) if listed is None else _wrong("steps", "a list of steps", listed))
        listed = list[object]()
    steps: list[AgentStep] = []
    for position, item in enumerate(cast("list[object]", listed)):
        step, found = _read_step(item, position)
        problems.extend(found)
        if step is not None:
            steps.append(step)
    title = _clean(name)[:200] if isinstance(name, str) else ""
    return Draft(plan=Plan(name=title, steps=tuple(steps)), problems=tuple(problems))


def _read_step(item: object, position: int) -> tuple[AgentStep | None, list[PlanProblem]]:
    place = f"steps[{position}]"
    if not isinstance(item, Mapping):
        return None, [_wrong(place, f"an object with {', '.join(_FIELDS)}", item)]
    written = cast("Mapping[object, object]", item)
    step_id, problems = _read_id(written, f"{place}.id")
    step = step_id if step_id is not None else _shown_id(written.get("id"))

    def field(name: str) -> str:
        return name if step is not None else f"{place}.{name}"

    where = "a step" if step is not None else place
    problems += [_surplus(key, step, where, ", ".join(_FIELDS)) for key in written if key not in _FIELDS]
    texts: dict[str, str] = {}
    for name in ("agent", "task"):
        value = written.get(name)
        if isinstance(value, str) and _clean(value).strip():
            texts[name] = _clean(value)
        else:
            problems.append(_missing(field(name), step) if value is None else _wrong(field(name), "text", value, step))
    needs, found = _read_needs(written, step, field("depends_on"))
    problems += found
    if step_id is None:
        return None, problems
    task = literal(texts.get("task", _STAND_IN))
    fields = {"id": step_id, "agent": texts.get("agent"), "task": task, "depends_on": needs}
    try:
        return AgentStep.model_validate(fields), problems
    except ValidationError as error:
        problems += [
            PlanProblem(
                code="invalid_field",
                step=step_id,
                field=str(detail["loc"][0]),
                message=detail["msg"],
                hint="write it as the schema says",
            )
            for detail in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        return AgentStep(id=step_id, task=_STAND_IN, depends_on=needs), problems


def _read_id(written: Mapping[object, object], place: str) -> tuple[str | None, list[PlanProblem]]:
    value = written.get("id")
    text = _as_id(value)
    if text is not None:
        return text, []
    if value is None:
        return None, [_missing(place, None)]
    return None, [_invalid_id(value, _shown_id(value), "id" if isinstance(value, str) else place)]


def _read_needs(
    written: Mapping[object, object], step: str | None, field: str
) -> tuple[tuple[str, ...], list[PlanProblem]]:
    value = written.get("depends_on")
    if value is None:
        return (), [_missing(field, step)]
    if not isinstance(value, list):
        return (), [_wrong(field, "a list of step ids", value, step)]
    found = [(item, _as_id(item)) for item in cast("list[object]", value)]
    problems = [_invalid_id(item, step, field) for item, need in found if need is None]
    return tuple(dict.fromkeys(need for _, need in found if need is not None)), problems


def _as_id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return str(value)
    return value.strip() if isinstance(value, str) and re.fullmatch(STEP_ID, value.strip()) else None


def _shown_id(value: object) -> str | None:
    return _clean(value[:128]) if isinstance(value, str) and value.strip() else None


def _clean(text: str) -> str:
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def _invalid_id(value: object, step: str | None, field: str) -> PlanProblem:
    return PlanProblem(
        code="invalid_id",
        step=step,
        field=field,
        message=f"expected an id of letters, digits, '_', '-' and '.', found {_found(value)}",
        hint="write ids like 'read_report'",
    )


def _missing(field: str, step: str | None) -> PlanProblem:
    return PlanProblem(
        code="missing_field", step=step, field=field, message="the field is missing", hint="every field must be there"
    )


def _surplus(key: object, step: str | None, where: str, expected: str) -> PlanProblem:
    return PlanProblem(
        code="unknown_field",
        step=step,
        field=_clean(str(key))[:80],
        message=f"{where} has no such field, only {expected}",
        hint="leave it out, and say what matters in the task",
    )


def _wrong(field: str, expected: str, found: object, step: str | None = None) -> PlanProblem:
    return PlanProblem(
        code="wrong_type",
        step=step,
        field=field,
        message=f"expected {expected}, found {_found(found)}",
        hint="write it as the schema says",
    )


def _found(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:60]}...")
    if isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return repr(value) if isinstance(value, int) and abs(value) < 10**18 else "a number"
