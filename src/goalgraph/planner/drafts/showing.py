"""A plan, and what is wrong with one, in the words of the form that a model fills in."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import cast

from pydantic import JsonValue

from goalgraph.errors import PlanProblem
from goalgraph.planner.drafts.form import ANSWER_TYPES, FIELDS
from goalgraph.planner.drafts.proposing import drafted_role
from goalgraph.planner.drafts.reading import ITEM_INPUT
from goalgraph.planner.plan import (
    AgentStep,
    ConditionStep,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    Plan,
    Step,
    TransformStep,
    WaitStep,
)
from goalgraph.planner.templates import literal
from goalgraph.planner.wording import task_of

__all__ = ["as_draft", "problems_as_drafted"]

_Shown = tuple[str, dict[str, JsonValue], frozenset[str]]
"""A list of the form, an item of it, and the fields of the step that it says."""

_HINTS = {
    "never_together": "depend on one of the two, or on steps of both branches without being in one",
    "missing_approval": "add an approval of it, and let it depend on that",
    "missing_input": "name an input of the run, or ask for it in a question",
    "too_many_steps": "merge steps",
}
"""What to do, where a plan's author can do more than the form can say."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "human_approval": {"prompt": "question"},
    "human_input": {"prompt": "question", "schema": "fields"},
    "wait": {"duration": "value", "until": "value", "event": "value"},
    "map": {"task": "each", "input": "each"},
}


def as_draft(plan: Plan) -> dict[str, JsonValue]:
    """Return a plan in the form that a model fills in, to be shown to one.

    Lists without items are left out. What the form cannot say stands as text in a list ``others``, if there is any:
    settings of steps that are shown in their lists, whole steps, and what is said of the plan itself.

    Args:
        plan: As it is written, or flat.
    """
    found: dict[str, list[JsonValue]] = {name: [] for name in FIELDS}
    others: list[JsonValue] = []
    for name, value in plan.model_dump(mode="json", by_alias=True, exclude_defaults=True).items():
        if name not in ("name", "roles", "steps"):
            others.append(f"the plan has {_json({name: value})}")
    for step in plan.steps:
        data: dict[str, JsonValue] = step.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        shown = _SHOWN.get(step.type, _nowhere)(step)
        if shown is None:
            others.append(f"step {step.id!r} is {_json({**data, 'type': step.type})}")
            continue
        name, item, said = shown
        found[name].append(item)
        if rest := {field: value for field, value in data.items() if field not in said | {"id", "depends_on", "type"}}:
            others.append(f"step {step.id!r} has also {_json(rest)}")
    found = {"roles": [drafted_role(role) for role in plan.roles], **found}
    lists: dict[str, JsonValue] = {name: list(items) for name, items in found.items() if items}
    return {"name": plan.name, **lists, **({"others": others} if others else {})}


def problems_as_drafted(problems: Iterable[PlanProblem], steps: Iterable[Step]) -> tuple[PlanProblem, ...]:
    """Tell problems of a plan with the fields of the form, and with what can be done about them there.

    Args:
        problems: As `validate_plan` found them.
        steps: Of the plan that they are in.
    """
    by_id = {step.id: step for step in steps}
    return tuple(_as_drafted(problem, by_id) for problem in problems)


def _as_drafted(problem: PlanProblem, by_id: Mapping[str, Step]) -> PlanProblem:
    step = by_id.get((problem.step or "").partition("[")[0].partition(".")[0])
    field = problem.field
    if step is not None and field is not None:
        listed = step.type == "agent" and not (step.agents or (step.requires and step.agent is None))
        names = {} if listed else {"depends_on": "follows"}
        if step.type == "agent" and not listed:
            names |= {"agent": "agents", "requires": "capabilities"}
        field = {**names, **_NAMES.get(step.type, {})}.get(field, field)
    return replace(problem, field=field, hint=_HINTS.get(problem.code, problem.hint))


def _of_agent(step: AgentStep) -> _Shown:
    task = _plain(task_of(step))
    if step.agent is not None:
        item: dict[str, JsonValue] = {
            "id": step.id,
            "agent": step.agent,
            "task": task,
            "depends_on": [*step.depends_on],
        }
        return "steps", item, frozenset(("agent", "task"))
    item = {"id": step.id, "agents": list(step.agents), "capabilities": list(step.requires), "task": task}
    return "teams", item | _follows(step), frozenset(("agents", "requires", "task"))


def _of_map(step: MapStep) -> _Shown | None:
    each = step.step
    if not isinstance(step.over, str) or step.variable != "item" or each.type != "agent" or each.agent is None:
        return None
    plain = AgentStep(id=each.id, agent=each.agent, task=each.task, input=each.input)
    if each != plain or each.input not in ({}, ITEM_INPUT):
        return None
    item: dict[str, JsonValue] = {"id": step.id, "over": step.over, "agent": each.agent, "each": _plain(task_of(each))}
    return "maps", item | _follows(step), frozenset(("over", "step"))


def _of_question(step: HumanInputStep) -> _Shown:
    fields = _fields(step.answer_schema)
    item: dict[str, JsonValue] = {"id": step.id, "question": _plain(step.prompt), "fields": fields or []}
    said = frozenset(("prompt", "schema")) if fields is not None else frozenset(("prompt",))
    return "questions", item | _follows(step), said


def _fields(schema: Mapping[str, JsonValue]) -> list[JsonValue] | None:
    """What is to be filled in, if that is all that a schema says."""
    types = {kind: word for word, kind in ANSWER_TYPES.items()}
    properties = cast("Mapping[str, Mapping[str, JsonValue]]", schema.get("properties", {}))
    try:
        found: list[JsonValue] = [
            {"field": name, "type": types[cast("str", one["type"])], "description": one["description"]}
            for name, one in properties.items()
        ]
    except (AttributeError, KeyError, TypeError):
        return None
    whole = {
        "type": "object",
        "properties": {
            name: {"type": one["type"], "description": one["description"]} for name, one in properties.items()
        },
        "required": list(properties),
        "additionalProperties": False,
    }
    return found if schema == (whole if found else {}) else None


def _of_approval(step: HumanApprovalStep) -> _Shown:
    item: dict[str, JsonValue] = {"id": step.id, "question": _plain(step.prompt)}
    return "approvals", item | _follows(step), frozenset(("prompt",))


def _of_condition(step: ConditionStep) -> _Shown | None:
    then = [name for name in step.then if isinstance(name, str)]
    otherwise = [name for name in step.otherwise if isinstance(name, str)]
    if len(then) + len(otherwise) < len(step.then) + len(step.otherwise):
        return None
    item: dict[str, JsonValue] = {"id": step.id, "if": step.test, "then": [*then], "else": [*otherwise]}
    return "conditions", item | _follows(step), frozenset(("if", "then", "else"))


def _of_wait(step: WaitStep) -> _Shown | None:
    given = {"duration": step.duration, "until": step.until, "event": step.event}
    kinds = [kind for kind, value in given.items() if value is not None]
    if len(kinds) != 1:
        return None
    value = given[kinds[0]]
    text = value if isinstance(value, str) else f"{value:g}s"
    item: dict[str, JsonValue] = {"id": step.id, "for": kinds[0], "value": text}
    return "waits", item | _follows(step), frozenset(kinds)


def _of_transform(step: TransformStep) -> _Shown | None:
    if not isinstance(step.output, str):
        return None
    return "transforms", {"id": step.id, "output": step.output} | _follows(step), frozenset(("output",))


def _nowhere(_step: object) -> None:
    """Show nothing of a step that the form does not know."""


_SHOWN: Mapping[str, Callable[..., _Shown | None]] = {
    "agent": _of_agent,
    "human_approval": _of_approval,
    "human_input": _of_question,
    "condition": _of_condition,
    "map": _of_map,
    "wait": _of_wait,
    "transform": _of_transform,
}


def _follows(step: Step) -> dict[str, JsonValue]:
    return {"follows": list(step.depends_on)}


def _plain(text: str) -> str:
    """Show braces that are text as such."""
    return text.replace(literal("{{"), "{{").replace("{{ '{' }}", "{")


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
