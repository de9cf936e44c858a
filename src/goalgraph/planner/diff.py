"""What is different between two plans."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from pydantic import JsonValue

from goalgraph.planner.plan import (
    AgentStep,
    Branch,
    ConditionStep,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    ParallelStep,
    Plan,
    Step,
    SubPlanStep,
    TransformStep,
    WaitStep,
)
from goalgraph.shown import Shown

__all__ = ["FieldChange", "PlanDiff", "StepChange", "diff_plans"]

_WIDTH = 80
"""Characters of a value that are shown."""
_COMMON = 24
"""Characters of a common beginning that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field that has another value now."""

    field: str
    """As it is written in documents, such as ``"if"``."""
    old: JsonValue
    """None also where the field was at its default of nothing, or the step's type had no such field."""
    new: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChange:
    """A step that is in both plans, and is not the same."""

    step: str
    """Its qualified id, such as ``"research.web"``."""
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff(Shown):
    """All that is different; true where anything is.

    A step within another is a step of its own here, named by its qualified id: ``"research.web"`` for a branch or a
    step of an inner plan, ``"each[*]"`` for what a map does. Its parent's field holds that id in its place.
    """

    plan: tuple[FieldChange, ...] = ()
    """Fields of the plan itself."""
    removed: tuple[str, ...] = ()
    """Qualified ids, in the old plan's order."""
    added: tuple[tuple[str, Step], ...] = ()
    """Qualified ids and steps, in the new plan's order."""
    changed: tuple[StepChange, ...] = ()
    """In the new plan's order."""
    reordered: bool = False
    """Steps in both plans stand in another order."""

    def __bool__(self) -> bool:
        return bool(self.plan or self.removed or self.added or self.changed or self.reordered)

    @property
    def text(self) -> str:
        """The differences, one in each line; empty where there are none."""
        lines = [_line("plan", change) for change in self.plan]
        lines += [f"- step {_printable(step)}" for step in self.removed]
        lines += [f"+ step {path} {_headline(step)}" for path, step in self.added]
        lines += [_line(f"step {_printable(change.step)}", field) for change in self.changed for field in change.fields]
        if self.reordered:
            lines.append("~ plan: the order of the steps")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text


def diff_plans(old: Plan, new: Plan) -> PlanDiff:
    """Find what is different in the new plan, down to the fields of steps within steps."""
    before, after = _numbered(_flat(old.steps, "")), _numbered(_flat(new.steps, ""))
    changes = ((path, _step_changes(before[path], after[path])) for path in after if path in before)
    return PlanDiff(
        plan=_changes(_plan_fields(old), _plan_fields(new)),
        removed=tuple(path for path in before if path not in after),
        added=tuple((path, place.step) for path, place in after.items() if path not in before),
        changed=tuple(StepChange(step=path, fields=fields) for path, fields in changes if fields),
        reordered=_order(before, after) != _order(after, before),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A step with its qualified id."""

    path: str
    step: Step
    listed: bool = True
    """It stands in the steps of a plan, not in a field of a step that says its order itself."""


def _flat(steps: Iterable[Step], inside: str) -> Iterator[_Place]:
    """All steps, each before those within it."""
    for step in steps:
        yield from _within(_Place(f"{inside}{step.id}", step))


def _within(place: _Place) -> Iterator[_Place]:
    yield place
    match place.step:
        case SubPlanStep(plan=Plan() as plan):
            yield from _flat(plan.steps, f"{place.path}.")
        case MapStep(step=step):
            yield from _within(_Place(f"{place.path}[*]", step, listed=False))
        case ConditionStep(then=then, otherwise=otherwise):
            yield from _inline((*then, *otherwise), place.path)
        case ParallelStep(branches=branches):
            for branch in branches:
                yield from _inline(branch if isinstance(branch, tuple) else (branch,), place.path)
        case _:
            pass


def _inline(branches: Iterable[Branch], outer: str) -> Iterator[_Place]:
    for branch in branches:
        if not isinstance(branch, str):
            yield from _within(_Place(f"{outer}.{branch.id}", branch, listed=False))


def _numbered(places: Iterable[_Place]) -> dict[str, _Place]:
    """Places by their paths; a path that is there again, in a plan that is not valid, gets a number."""
    found: dict[str, _Place] = {}
    seen: Counter[str] = Counter()
    for place in places:
        seen[place.path] += 1
        again = seen[place.path]
        found[place.path if again == 1 else f"{place.path} ({again})"] = place
    return found


def _order(own: Mapping[str, _Place], other: Mapping[str, _Place]) -> list[str]:
    return [path for path, place in own.items() if place.listed and path in other and other[path].listed]


def _step_changes(old: _Place, new: _Place) -> tuple[FieldChange, ...]:
    if old.step is new.step and old.path == new.path:
        return ()
    return _changes(_fields(old), _fields(new))


def _changes(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> tuple[FieldChange, ...]:
    names = dict.fromkeys((*new, *old))
    pairs = ((name, old.get(name), new.get(name)) for name in names)
    return tuple(FieldChange(field=name, old=one, new=two) for name, one, two in pairs if _exact(one) != _exact(two))


def _exact(value: JsonValue) -> str:
    """A form in which 1, 1.0 and true differ, as they do not for Python, and the order of keys does not matter."""
    return json.dumps(value, sort_keys=True)


def _fields(place: _Place) -> dict[str, JsonValue]:
    """A step's fields, with ids in the place of steps within it."""
    path, step = place.path, place.step
    match step:
        case SubPlanStep(plan=Plan() as plan):
            return {**_dumped(step, "plan"), "plan": dict(_plan_fields(plan))}
        case MapStep():
            # The inner step's own id is not used; what it does stands at "...[*]".
            return {**_dumped(step, "step"), "step": f"{path}[*]"}
        case ConditionStep():
            return {
                **_dumped(step, "then", "otherwise"),
                "then": _named(step.then, path),
                "else": _named(step.otherwise, path),
            }
        case ParallelStep():
            rows: list[JsonValue] = [
                _named(b, path) if isinstance(b, tuple) else _named((b,), path)[0] for b in step.branches
            ]
            return {**_dumped(step, "branches"), "branches": rows}
        case _:
            return _dumped(step)


def _named(branches: Iterable[Branch], outer: str) -> list[JsonValue]:
    return [branch if isinstance(branch, str) else f"{outer}.{branch.id}" for branch in branches]


def _dumped(step: Step, *without: str) -> dict[str, JsonValue]:
    return step.model_dump(mode="json", exclude={"id", *without})


def _plan_fields(plan: Plan) -> dict[str, JsonValue]:
    return plan.model_dump(mode="json", exclude={"steps"})


def _line(what: str, change: FieldChange) -> str:
    old, new = _pair(change.old, change.new)
    return f"~ {what}: {change.field}: {old} -> {new}"


def _pair(old: JsonValue, new: JsonValue) -> tuple[str, str]:
    """Two values as text; of long ones, the part where they begin to differ."""
    one, two = _printed(old), _printed(new)
    if max(len(one), len(two)) <= _WIDTH:
        return one, two
    common = next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    start = common - _COMMON if common > _COMMON else 0
    return _cut(one, start), _cut(two, start)


def _cut(text: str, start: int) -> str:
    shown = text[start : start + _WIDTH]
    return f"{'...' if start else ''}{shown}{'...' if len(text) > start + _WIDTH else ''}"


def _printed(value: JsonValue) -> str:
    return "none" if value is None or value == [] or value == {} else repr(value)


def _printable(text: str) -> str:
    """Keep out what could steer a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _headline(step: Step) -> str:
    """Who does what, in short."""
    who, what = _who(step), " ".join(_what(step).split())
    head = f"[{who}]: {_cut(what, 0)}" if what else f"[{who}]"
    return _printable(head)


def _who(step: Step) -> str:
    match step:
        case AgentStep():
            named = ", ".join((step.agent,) if step.agent else step.agents)
            return f"agent {named}" if named else f"agent for {', '.join(step.requires)}" if step.requires else "agent"
        case HumanApprovalStep() | HumanInputStep():
            return f"{step.type} {step.assignee}" if step.assignee else step.type
        case _:
            return step.type


def _what(step: Step) -> str:
    match step:
        case AgentStep():
            return step.task or ""
        case HumanApprovalStep() | HumanInputStep():
            return step.prompt
        case ConditionStep():
            return step.test
        case ParallelStep():
            return f"{len(step.branches)} branches"
        case MapStep():
            return step.over if isinstance(step.over, str) else f"{len(step.over)} items"
        case WaitStep():
            return str(next((v for v in (step.duration, step.until, step.event) if v is not None), ""))
        case SubPlanStep():
            return step.plan if isinstance(step.plan, str) else step.plan.name
        case TransformStep():
            return repr(step.output)
        case _:
            assert_never(step)
