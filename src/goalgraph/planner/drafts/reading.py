"""Steps out of the lists of a draft, with all that is wrong with their form."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from goalgraph.errors import PlanProblem
from goalgraph.planner.drafts.arranging import arranged
from goalgraph.planner.drafts.form import ANSWER_TYPES, FIELDS, WAITS
from goalgraph.planner.drafts.item import STAND_IN, Item, wrong
from goalgraph.planner.durations import checked_time
from goalgraph.planner.plan import (
    AgentStep,
    ConditionStep,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    Step,
    TransformStep,
    WaitStep,
)
from goalgraph.planner.templates import literal

__all__ = ["ITEM_INPUT", "DraftedSteps", "read_item", "read_steps"]

ITEM_INPUT: dict[str, JsonValue] = {"item": "{{ item }}"}
"""Input of what a map repeats, where its text does not name the item."""

_OF_ITEM = re.compile(
    r"""\{\{\s*((?:item|index)(?:\.[A-Za-z_]\w*|\[(?:\d{1,6}|'[^'{}\\]{0,80}'|"[^"{}\\]{0,80}")\])*)\s*\}\}"""
)
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedSteps:
    """Steps as far as they can be read."""

    steps: tuple[Step, ...]
    """All with a usable id, each after what it needs; a stand-in takes the place of each unreadable field."""
    problems: tuple[PlanProblem, ...]
    """All that could not be read. Steps with problems must not run."""


def read_steps(data: Mapping[str, object]) -> DraftedSteps:
    """Read the lists that `steps_schema` describes out of an object; an absent list is an empty one.

    Numbers as ids become text. A task and a question are data: braces in them are no expression, but for ``{{ item }}``
    and ``{{ index }}``, with fields where wanted, in what a map repeats. A step that follows both branches of a
    condition depends on a group of theirs, which goes on with the one that is taken.

    Args:
        data: Anything; nothing raises, and other keys are left alone.
    """
    steps: list[Step] = []
    problems: list[PlanProblem] = []
    for name in FIELDS:
        value = data.get(name)
        if value is None:
            continue
        if not isinstance(value, list):
            problems.append(wrong(name, f"a list of {name}", value))
            continue
        for position, written in enumerate(cast("list[object]", value)):
            step, found = read_item(name, written, position)
            problems += found
            steps += [step] if step is not None else []
    return DraftedSteps(steps=arranged(steps), problems=tuple(problems))


def read_item(name: str, written: object, position: int) -> tuple[Step | None, list[PlanProblem]]:
    """Read one item of a list.

    Args:
        name: Of the list.
        written: Anything.
        position: In the list, from 0.

    Returns:
        The step, None where it has no usable id; and all that is wrong with its form.
    """
    place, fields = f"{name}[{position}]", FIELDS[name]
    if not isinstance(written, Mapping):
        return None, [wrong(place, f"an object with {', '.join(fields)}", written)]
    item = Item(cast("Mapping[object, object]", written), place, fields)
    step = _KINDS[name](item)
    return (step if item.id is not None else None), item.problems


def _agent(item: Item) -> Step:
    agent, task = item.text("agent"), item.text("task") or STAND_IN
    values = {"id": item.id or "_", "agent": agent, "task": literal(task), "depends_on": item.ids("depends_on")}
    return item.made(AgentStep, values, {"agent": None, "task": STAND_IN})


def _team(item: Item) -> Step:
    agents, capabilities, task = item.names("agents"), item.names("capabilities"), item.text("task")
    if agents and capabilities:
        message = "the step names specialists and, in 'capabilities', what they must be able to do"
        item.add("conflicting_fields", "capabilities", message, "leave one of the two lists empty")
    elif not (agents or capabilities or item.problems):
        message = "the step names no specialist and requires no capability"
        item.add("missing_field", "agents", message, "fill in agents, or capabilities")
    who: dict[str, object] = {"agents": agents} if agents else {"requires": capabilities}
    if len(agents) == 1:
        who = {"agent": agents[0]}
    values = {
        **who,
        "task": literal(task or STAND_IN),
        **_common(item),
    }
    stand_ins = {"agent": None, "agents": (), "requires": (), "task": STAND_IN}
    return item.made(AgentStep, values, stand_ins, {"agent": "agents", "requires": "capabilities"})


def _map(item: Item) -> Step:
    over, agent, text = item.text("over"), item.text("agent"), item.text("each")
    task = _with_item(text or STAND_IN)
    given = {} if text is not None and _OF_ITEM.search(text) else ITEM_INPUT
    repeated = {"id": "each", "agent": agent, "task": task, "input": given}
    each = item.made(AgentStep, repeated, {"agent": None, "task": STAND_IN}, {"task": "each"})
    values = {"over": "{{ [] }}" if over is None else _expression(over), "step": each, **_common(item)}
    return item.made(MapStep, values, {})


def _approval(item: Item) -> Step:
    values = {"prompt": literal(item.text("question") or STAND_IN), **_common(item)}
    return item.made(HumanApprovalStep, values, {"prompt": STAND_IN}, {"prompt": "question"})


def _question(item: Item) -> Step:
    values = {
        "prompt": literal(item.text("question") or STAND_IN),
        "schema": dict(_answer_schema(item)),
        **_common(item),
    }
    return item.made(HumanInputStep, values, {"prompt": STAND_IN}, {"prompt": "question"})


def _condition(item: Item) -> Step:
    values = {"if": item.text("if") or "true", "then": item.ids("then"), "else": item.ids("else"), **_common(item)}
    return item.made(ConditionStep, values, {"if": "true"})


def _wait(item: Item) -> Step:
    kind, value = item.one_of("for", WAITS), item.text("value")
    if kind is None or value is None:
        return item.made(WaitStep, {"duration": 1, **_common(item)}, {})
    values: dict[str, object] = {kind: _time(value) if kind == "until" else value.strip(), **_common(item)}
    stand_ins = {kind: {"duration": 1, "until": "2000-01-01T00:00:00Z", "event": "event"}[kind]}
    return item.made(WaitStep, values, stand_ins, {kind: "value"})


def _transform(item: Item) -> Step:
    output = item.text("output")
    return item.made(TransformStep, {"output": None if output is None else _expression(output), **_common(item)}, {})


_KINDS: Mapping[str, Callable[[Item], Step]] = {
    "conditions": _condition,
    "steps": _agent,
    "teams": _team,
    "maps": _map,
    "approvals": _approval,
    "questions": _question,
    "waits": _wait,
    "transforms": _transform,
}


def _common(item: Item) -> dict[str, object]:
    return {"id": item.id or "_", "depends_on": item.follows()}


def _answer_schema(item: Item) -> Iterator[tuple[str, JsonValue]]:
    """JSON Schema of an object with what is to be filled in; nothing where that is left open."""
    properties: dict[str, JsonValue] = {}
    for field in item.objects("fields", ("field", "type", "description")):
        name, kind = field["field"].strip(), field["type"]
        if not _FIELD_NAME.fullmatch(name) or kind not in ANSWER_TYPES or name in properties:
            expected = f"names of letters, digits and '_', each once, and types out of {', '.join(ANSWER_TYPES)}"
            item.add("invalid_field", "fields", f"expected {expected}, found {field}", "write it as the schema says")
            continue
        properties[name] = {"type": ANSWER_TYPES[kind], "description": field["description"]}
    if properties:
        yield from (("type", "object"), ("properties", properties), ("required", list[JsonValue](properties)))
        yield "additionalProperties", False


def _expression(text: str) -> str:
    """Write one expression, or a text with some, so that it is read as such."""
    return text if "{{" in text else f"{{{{ {text.strip()} }}}}"


def _time(text: str) -> str:
    try:
        return checked_time(text)
    except ValueError:
        return _expression(text)


def _with_item(text: str) -> str:
    """Keep what names the item as an expression, and everything else as text."""
    parts: list[str] = []
    at = 0
    for match in _OF_ITEM.finditer(text):
        before = literal(text[at : match.start()])
        # A brace right before the two of an expression would be taken for the first of them.
        parts += [f"{before[:-1]}{{{{ '{{' }}}}" if before.endswith("{") else before, f"{{{{ {match[1]} }}}}"]
        at = match.end()
    return "".join((*parts, literal(text[at:])))
