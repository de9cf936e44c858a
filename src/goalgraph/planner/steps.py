"""Steps made in Python, one function for each type, with references in the place of written expressions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict

from pydantic import BaseModel, JsonValue
from typing_extensions import TypeIs, Unpack

from goalgraph.planner.plan import (
    AgentStep,
    ConditionStep,
    HumanApprovalStep,
    HumanInputStep,
    Join,
    MapStep,
    OnFailure,
    ParallelStep,
    Plan,
    Retry,
    Step,
    SubPlanStep,
    TransformStep,
    WaitStep,
)
from goalgraph.planner.references import Reference, StepRef, Value, plain
from goalgraph.planner.votes import Vote

__all__ = [
    "Common",
    "Inner",
    "agent",
    "approval",
    "ask",
    "condition",
    "map",
    "parallel",
    "sub_plan",
    "transform",
    "wait",
]

Inner: TypeAlias = Step | StepRef | str
"""A step within another: the step itself, or one that stands elsewhere in the plan, by reference or id."""


class Common(TypedDict, total=False):
    """What every step takes; absent: the step's own default."""

    depends_on: StepRef | str | Iterable[StepRef | str]
    """Steps to wait for, beside those the step's references name."""
    when: Reference | str
    """Condition; where it is false the step is skipped."""
    join: Join
    optional: bool


def agent(
    step_id: str,
    /,
    task: str | None = None,
    *,
    agent: str | None = None,
    agents: Sequence[str] = (),
    requires: Sequence[str] = (),
    input: Mapping[str, Value] | None = None,
    timeout: float | None = None,
    retry: Retry | None = None,
    fallback: Sequence[str] = (),
    constraints: Sequence[str] = (),
    min_confidence: float | None = None,
    quorum: int | float | None = None,
    vote: Vote | None = None,
    **common: Unpack[Common],
) -> AgentStep:
    """Make a step for a specialist; see `AgentStep`."""
    return AgentStep(
        id=step_id,
        task=task,
        agent=agent,
        agents=tuple(agents),
        requires=tuple(requires),
        input=_mapping(input),
        timeout=timeout,
        retry=retry,
        fallback=tuple(fallback),
        constraints=tuple(constraints),
        min_confidence=min_confidence,
        quorum=quorum,
        vote=vote,
        **_shared(common),
    )


def approval(
    step_id: str,
    /,
    prompt: str,
    *,
    assignee: Reference | str | None = None,
    deadline: Reference | str | float | None = None,
    on_timeout: Literal["reject", "approve", "escalate"] = "reject",
    **common: Unpack[Common],
) -> HumanApprovalStep:
    """Make a step in which a human says yes or no; see `HumanApprovalStep`."""
    return HumanApprovalStep(
        id=step_id,
        prompt=prompt,
        assignee=_text(assignee),
        deadline=_timing(deadline),
        on_timeout=on_timeout,
        **_shared(common),
    )


def ask(
    step_id: str,
    /,
    prompt: str,
    *,
    schema: Mapping[str, JsonValue] | None = None,
    assignee: Reference | str | None = None,
    deadline: Reference | str | float | None = None,
    **common: Unpack[Common],
) -> HumanInputStep:
    """Make a step in which a human fills something in; see `HumanInputStep`."""
    return HumanInputStep.model_validate(
        {
            "id": step_id,
            "prompt": prompt,
            "schema": _mapping(schema),
            "assignee": _text(assignee),
            "deadline": _timing(deadline),
            **_shared(common),
        }
    )


def condition(
    step_id: str,
    /,
    test: Reference | str,
    *,
    then: Inner | Iterable[Inner] = (),
    otherwise: Inner | Iterable[Inner] = (),
    **common: Unpack[Common],
) -> ConditionStep:
    """Make a fork; see `ConditionStep`, where ``otherwise`` is written ``else``."""
    return ConditionStep.model_validate(
        {"id": step_id, "if": str(test), "then": _row(then), "else": _row(otherwise), **_shared(common)}
    )


def parallel(
    step_id: str,
    /,
    branches: Iterable[Inner | Iterable[Inner]],
    *,
    concurrency: int | None = None,
    on_failure: OnFailure = "wait_all",
    timeout: float | None = None,
    output: Value = None,
    quorum: int | float | None = None,
    vote: Vote | None = None,
    **common: Unpack[Common],
) -> ParallelStep:
    """Make branches that run at the same time, each a step or several in a row; see `ParallelStep`."""
    return ParallelStep(
        id=step_id,
        branches=tuple(_row(branch) if _is_row(branch) else _inner(branch) for branch in branches),
        concurrency=concurrency,
        on_failure=on_failure,
        timeout=timeout,
        output=plain(output),
        quorum=quorum,
        vote=vote,
        **_shared(common),
    )


def map(  # noqa: A001 (the type's own name)
    step_id: str,
    /,
    over: Reference | str | Sequence[Value],
    step: Step,
    *,
    variable: str = "item",
    concurrency: int | None = None,
    on_failure: OnFailure = "wait_all",
    timeout: float | None = None,
    **common: Unpack[Common],
) -> MapStep:
    """Make one step for every item of a list; see `MapStep`, where ``variable`` is written ``as``."""
    return MapStep.model_validate(
        {
            "id": step_id,
            "over": str(over) if isinstance(over, (str, Reference)) else plain(over),
            "step": step,
            "as": variable,
            "concurrency": concurrency,
            "on_failure": on_failure,
            "timeout": timeout,
            **_shared(common),
        }
    )


def wait(
    step_id: str,
    /,
    duration: Reference | str | float | None = None,
    *,
    until: Reference | str | None = None,
    event: str | None = None,
    timeout: float | None = None,
    **common: Unpack[Common],
) -> WaitStep:
    """Make a wait; see `WaitStep`."""
    return WaitStep(
        id=step_id,
        duration=_timing(duration),
        until=_text(until),
        event=event,
        timeout=timeout,
        **_shared(common),
    )


def sub_plan(
    step_id: str,
    /,
    plan: Plan | str,
    *,
    input: Mapping[str, Value] | None = None,
    timeout: float | None = None,
    **common: Unpack[Common],
) -> SubPlanStep:
    """Make a whole plan, or one of the library by its alias, a step; see `SubPlanStep`."""
    return SubPlanStep(id=step_id, plan=plan, input=_mapping(input), timeout=timeout, **_shared(common))


def transform(step_id: str, /, output: Value, **common: Unpack[Common]) -> TransformStep:
    """Make a step that computes its output with expressions alone; see `TransformStep`."""
    return TransformStep(id=step_id, output=plain(output), **_shared(common))


class _Shared(TypedDict, total=False):
    depends_on: tuple[str, ...]
    when: str
    join: Join
    optional: bool


def _shared(common: Common) -> _Shared:
    shared = _Shared()
    if "depends_on" in common:
        needs = common["depends_on"]
        several = (needs,) if isinstance(needs, (str, StepRef)) else needs
        shared["depends_on"] = tuple(_id(need) for need in several)
    if "when" in common:
        shared["when"] = str(common["when"])
    if "join" in common:
        shared["join"] = common["join"]
    if "optional" in common:
        shared["optional"] = common["optional"]
    return shared


def _mapping(values: Mapping[str, Value] | None) -> dict[str, JsonValue]:
    return {key: plain(value) for key, value in (values or {}).items()}


def _text(text: Reference | str | None) -> str | None:
    return None if text is None else str(text)


def _timing(value: Reference | str | float | None) -> str | float | None:
    return str(value) if isinstance(value, Reference) else value


def _id(step: StepRef | str) -> str:
    return step if isinstance(step, str) else step.id


def _inner(inner: Inner) -> Step | str:
    return inner.id if isinstance(inner, StepRef) else inner


def _row(inner: Inner | Iterable[Inner]) -> tuple[Step | str, ...]:
    return tuple(_inner(one) for one in inner) if _is_row(inner) else (_inner(inner),)


def _is_row(inner: Inner | Iterable[Inner]) -> TypeIs[Iterable[Inner]]:
    """Whether it is several; a text and a step can be iterated too."""
    return not isinstance(inner, (str, StepRef, BaseModel))
