"""What a step does and who does it, in words for people."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from pydantic import JsonValue

from goalgraph.planner.durations import seconds_of
from goalgraph.planner.naming import slug
from goalgraph.planner.plan import AgentStep, MapStep, ParallelStep, Plan, Step, SubPlanStep, WaitStep
from goalgraph.planner.templates import literal

__all__ = ["KINDS", "doer_of", "instructed", "kind_of", "task_of", "title_of", "words_of"]

KINDS = {
    "agent": "agent",
    "human_approval": "approval",
    "human_input": "question",
    "condition": "condition",
    "parallel": "group",
    "map": "map",
    "wait": "wait",
    "sub_plan": "plan",
    "transform": "transform",
}
"""One word for each type of step."""
_MOST = 8
"""Names that are listed one by one."""
_UNITS = ((604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_LONE = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_BRACES = literal("{{")


def kind_of(step: Step) -> str:
    """Return one word for a step's type."""
    return KINDS[step.type]


def title_of(step: Step) -> str:
    """Say on one line, of any length, what a step does; expressions stand in it as they are written."""
    return " ".join(_told(step).split())


def doer_of(step: Step, doers: Mapping[str, str] | None = None) -> str:
    """Say who does a step.

    Args:
        step: Any.
        doers: Names of specialists by step id, for steps that leave it open.
    """
    if doers is not None and step.id in doers:
        return doers[step.id]
    match step.type:
        case "agent":
            named = step.agent or ", ".join(step.agents)
            return named or f"anyone with {', '.join(step.requires)}"
        case "human_approval" | "human_input":
            return f"a human ({_plain(step.assignee)})" if step.assignee is not None else "a human"
        case "condition" | "transform":
            return "rules"
        case "map":
            return doer_of(step.step, doers)
        case "parallel" | "wait" | "sub_plan":
            return kind_of(step)
        case _:
            assert_never(step)


def instructed(task: str, constraints: Sequence[str]) -> str:
    """Return what a specialist is told to do: the task, and what it must heed."""
    if not constraints:
        return task
    return "\n".join([task, "", "Constraints:", *(f"- {constraint}" for constraint in constraints)])


def task_of(step: AgentStep) -> str:
    """Return a specialist's task as it is to be read: expressions as written, braces that are text as such."""
    return step.task.replace(_BRACES, "{{") if step.task is not None else _words_of_agent(step)


def words_of(step_id: str) -> str:
    """Read an id as words: ``sign_off`` as "sign off", ``research.web`` as "research: web"; a map's item as the map."""
    parts = re.sub(r"\[[^\]]*\]", "", step_id).split(".")
    return ": ".join(filter(None, (re.sub(r"[_\-]+", " ", part).strip() for part in parts))) or step_id


def _told(step: Step) -> str:
    match step.type:
        case "agent":
            return task_of(step)
        case "human_approval" | "human_input":
            return step.prompt.replace(_BRACES, "{{")
        case "condition":
            return f"if {_plain(step.test)}"
        case "parallel":
            return f"all of {_listed(_branch(branch, step) for branch in step.branches)}"
        case "map":
            return _map_told(step)
        case "wait":
            return _wait_told(step)
        case "sub_plan":
            return _plan_told(step)
        case "transform":
            return f"compute {_computed(step.output)}"
        case _:
            assert_never(step)


def _words_of_agent(step: AgentStep) -> str:
    """Read the id; one of several specialists for the same work does what the id of all of them says."""
    above, _, own = step.id.rpartition(".")
    several = above and step.agent is not None and own == slug((step.agent,), 0)
    return words_of(above if several else step.id)


def _branch(branch: str | Step | tuple[str | Step, ...], step: ParallelStep) -> str:
    """Name a branch as it is called in its group."""
    listed = branch if isinstance(branch, tuple) else (branch,)
    names = (one if isinstance(one, str) else one.id for one in listed)
    return " then ".join(name.removeprefix(f"{step.id}.") for name in names)


def _map_told(step: MapStep) -> str:
    items = _plain(step.over) if isinstance(step.over, str) else f"a list of {len(step.over)}"
    return f"for each {step.variable} of {items}: {_told(step.step)}"


def _wait_told(step: WaitStep) -> str:
    if step.event is not None:
        return f"wait for the event {step.event}"
    if step.until is not None:
        return f"wait until {_plain(step.until)}"
    return f"wait {_span(step.duration)}"


def _plan_told(step: SubPlanStep) -> str:
    if not isinstance(step.plan, Plan):
        return f"run the plan {step.plan}"
    count = f"{len(step.plan.steps)} step{'' if len(step.plan.steps) == 1 else 's'}"
    return f"run the plan {step.plan.name} ({count})" if step.plan.name else f"run a plan of {count}"


def _computed(output: JsonValue) -> str:
    if isinstance(output, dict) and output:
        return _listed(output)
    return _plain(output) if isinstance(output, str) else "a value"


def _span(duration: float | str | None) -> str:
    """Write a duration as people do: 5400 seconds as ``1h30m``; an expression as it is."""
    if isinstance(duration, str) and "{{" in duration:
        return _plain(duration)
    left = seconds_of(duration if duration is not None else 0.0)
    written: list[str] = []
    for size, unit in _UNITS[:-1]:
        count, left = divmod(left, size)
        written += [f"{count:g}{unit}"] if count else []
    return "".join([*written, *([f"{left:g}s"] if left or not written else [])])


def _plain(text: str) -> str:
    """Take the braces off a text that is one expression."""
    stripped = text.strip()
    lone = _LONE.fullmatch(stripped)
    return lone[1] if lone is not None and stripped.count("{{") == 1 else stripped.replace(_BRACES, "{{")


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:_MOST]) + (f" and {len(found) - _MOST} more" if len(found) > _MOST else "")
