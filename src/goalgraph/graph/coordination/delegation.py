"""Work that a step has another specialist do, now and inside of itself; never past a human who is to be asked."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from pydantic import JsonValue

from goalgraph.errors import DelegationRefused
from goalgraph.graph.coordination.gates import is_proposed, unnamed_around
from goalgraph.graph.coordination.hub import Hub, audience_of, hub_of
from goalgraph.graph.humans.approval import ApprovalPolicy, Proposal
from goalgraph.graph.humans.digests import digest_of
from goalgraph.graph.ledger.metering import at_least, count_usage
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.graph.steps.attempts import Exiting
from goalgraph.graph.steps.execution import idempotency_key, perform
from goalgraph.graph.steps.nesting import doing
from goalgraph.graph.steps.turn import Turn
from goalgraph.graph.work import Work
from goalgraph.planner.approvals import agent_steps, doers
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.validation import PlanPolicy
from goalgraph.specialists.colleagues import Colleagues
from goalgraph.specialists.office import Desk
from goalgraph.specialists.specialist import Specialist, StepContext, StepTask
from goalgraph.specialists.told import as_told

__all__ = ["Staff", "opened"]

_MOST_LEVELS = 3
_MOST = 100
"""Of one attempt."""
_MAX_LINE = 500
_NO_APPROVAL, _FREE = ApprovalPolicy(), PlanPolicy()


class Staff(Protocol):
    """Who there is to do steps, and how."""

    @property
    def execution(self) -> ExecutionPolicy:
        """How steps are run."""
        ...

    @property
    def policy(self) -> PlanPolicy | None:
        """What plans must hold."""
        ...

    def doer(self, name: str, work: Work) -> Specialist:
        """Return a specialist, or what a role of the plan is."""
        ...


def opened(turn: Turn, staff: Staff, task: StepTask, context: Colleagues) -> Desk:
    """Open the desk of an attempt at a step; from any thread."""
    hub = hub_of(turn.run)
    return hub.enter(_desk(turn, staff, task, _as_context(context), hub, ()))


@dataclass(slots=True)
class _Latest:
    """The desk of the latest attempt at delegated work, where it has used any."""

    desk: Desk | None = field(default=None)


def _desk(turn: Turn, staff: Staff, task: StepTask, context: StepContext, hub: Hub, around: tuple[str, ...]) -> Desk:
    return Desk(
        office=lambda: hub,
        step=task.step,
        root=turn.step.id,
        specialist=context.specialist,
        attempt=context.attempt,
        digest=digest_of(dict(task.input)),
        chain=(*around, context.specialist),
        delegating=partial(_delegated, turn, staff, task, context),
    )


def _as_context(context: Colleagues) -> StepContext:
    if not isinstance(context, StepContext):
        raise TypeError(f"expected the context of a step, found a {type(context).__name__}")
    return context


async def _delegated(
    turn: Turn,
    staff: Staff,
    task: StepTask,
    context: StepContext,
    desk: Desk,
    to: str,
    instruction: str | None,
    input: Mapping[str, object] | None,
    timeout: float | None,
) -> Outcome:
    """Have a specialist do a piece of work; see `StepContext.delegate`."""
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ValueError(f"delegate: timeout must be seconds above 0, found {timeout!r}")
    hub = hub_of(turn.run)
    specialist = staff.doer(to, hub.work)
    said = str(as_told(instruction, "the instruction")) if instruction is not None else task.instruction
    given = as_told(dict(input), "the input") if input is not None else dict(task.input)
    number = desk.delegated.get(to, 0) + 1
    inner = StepTask(
        step=f"{desk.step}/{to}#{number}", instruction=said, input=given if isinstance(given, dict) else {}
    )
    _check_chain(desk, to)
    _check_gates(turn, staff, desk, specialist, inner, hub)
    desk.delegated[to] = number
    async with hub.place(specialist.card, desk):
        desk.check()
        hub.delegated(turn.step.id, _decision(desk, to, said, hub))
        work = _performed(turn, staff, specialist, inner, context, desk, timeout, hub)
        try:
            outcome = await asyncio.create_task(work)  # whose meter and place are its own
        except Exiting as carrier:
            raise carrier.carried from None
    hub.done(turn.step.id, outcome)
    return outcome


async def _performed(
    turn: Turn,
    staff: Staff,
    specialist: Specialist,
    task: StepTask,
    around: StepContext,
    desk: Desk,
    timeout: float | None,
    hub: Hub,
) -> Outcome:
    run, execution = turn.run, staff.execution
    meter = count_usage(run.accounts.ledgers)
    place: dict[str, Any] = turn.config.get("configurable", {})
    namespace = str(place.get("checkpoint_ns") or "")
    key = idempotency_key(around.idempotency_key, task.step, task.instruction, task.input)
    doing(run.around(task.step.replace("/", "."), namespace, key))
    latest = _Latest()

    def open_desk(context: Colleagues) -> Desk:
        latest.desk = _desk(turn, staff, task, _as_context(context), hub, desk.chain)
        return latest.desk

    def ask(prompt: str, schema: Mapping[str, JsonValue], number: int) -> JsonValue:
        return around.ask(prompt, schema)  # whose questions are counted in the order of the whole attempt

    assigner = hub.work.assigner
    guard = assigner.guard() if assigner is not None else None
    outcome = await perform(
        task,
        partial(
            StepContext,
            goal=around.goal,
            dependencies=around.dependencies,
            idempotency_key=key,
            asking=ask,
            artifacts=around.artifacts,
            opening=open_desk,
        ),
        [specialist],
        report=around.report,
        started_at=hub.now().isoformat(),
        timeout=timeout if timeout is not None else execution.step_timeout,
        retry=execution.retry,
        idle_timeout=execution.idle_timeout,
        is_ending=lambda: hub.work.board.is_stopped(turn.step.id) or run.is_ending(),
        handed_over=_nobody_waits,
        refusal=meter.refusal,
        guard=guard,
    )
    changes: dict[str, object] = {"usage": at_least(meter.usage, outcome.usage)} if meter.calls else {}
    decisions = list(guard.decisions) if guard is not None else []
    if latest.desk is not None and latest.desk.attempt == outcome.attempts:
        changes |= audience_of(latest.desk)
        decisions += latest.desk.notes
    if decisions:
        changes["decisions"] = tuple(decisions)
    return outcome.model_copy(update=changes) if changes else outcome


def _check_chain(desk: Desk, to: str) -> None:
    refused = partial(DelegationRefused, step=desk.step, to=to)
    if to in desk.chain:
        raise refused("it is at work around this already", reason="chain", hint=" > ".join((*desk.chain, to)))
    if len(desk.chain) > _MOST_LEVELS:
        raise refused(f"work is delegated over {_MOST_LEVELS} levels at most", reason="depth")
    if sum(desk.delegated.values()) >= _MOST:
        raise refused(f"an attempt delegates at most {_MOST} times", reason="too_many", hint="use a map in the plan")


def _check_gates(turn: Turn, staff: Staff, desk: Desk, specialist: Specialist, task: StepTask, hub: Hub) -> None:
    """Refuse whom nobody but the plan may give work to.

    Raises:
        DelegationRefused: A human is to be asked before, or it is not available.
    """
    to, card = specialist.card.name, specialist.card
    refused = partial(DelegationRefused, step=desk.step, to=to)
    policy, approval = staff.policy or _FREE, turn.run.approval or _NO_APPROVAL
    index, cards = hub.index, hub.cards
    is_role = any(role.name == to for role in index.plan.roles)
    if policy.available is not None and to not in policy.available and not is_role:
        raise refused("plans may not use it", reason="unavailable", hint="see PlanningPolicy.available")
    hint = "give it a step of its own in the plan, where the approval has its place"
    if to in hub.gated(approval, policy):
        raise refused("a human is asked before it works", reason="approval", hint=hint)
    if approval.steps:
        proposal = Proposal(
            step=task.step,
            specialists=(to,),
            capabilities=frozenset(card.capabilities),
            instruction=task.instruction,
            input=task.input,
        )
        if is_proposed(proposal, turn.step.id, approval):
            raise refused("a human is asked before such work", reason="approval", hint=hint)
    if approval.plan and not any(to in doers(one, cards) for step in index.plan.steps for one in agent_steps(step)):
        raise refused("the plan that a human has seen does not name it", reason="approval", hint=hint)
    if (around := unnamed_around(turn.step.id, to, index.steps, cards)) is not None:
        raise refused(
            f"the sub-plan {around!r} has no step of it, so that nobody knows whether it may do any",
            reason="unavailable",
            hint="give it a step there, or delegate from outside of the sub-plan",
        )


def _decision(desk: Desk, to: str, instruction: str, hub: Hub) -> Decision:
    line = next((one.strip() for one in instruction.splitlines() if one.strip()), "")
    return Decision(
        kind="delegation",
        subject=desk.root,
        chosen=to,
        rationale=line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 3] + "...",
        by=desk.specialist,
        at=hub.now().isoformat(),
    )


async def _nobody_waits(_specialist: object) -> None:
    """Hand over at once: what is delegated has no place at the board."""
