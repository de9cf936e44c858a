"""Steps that are done while the rest of the plan is still being written."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from pydantic import JsonValue

from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.coordination.assigner import Assigner, Before
from goalgraph.graph.humans.approval import ApprovalPolicy, Gates, Proposal
from goalgraph.graph.ledger.metering import at_least, count_usage
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.graph.run import Run
from goalgraph.graph.steps.attempts import Surroundings
from goalgraph.graph.steps.execution import idempotency_key, perform
from goalgraph.graph.steps.nesting import doing, origin
from goalgraph.graph.steps.scope import scope_of
from goalgraph.planner.approvals import names_step
from goalgraph.planner.expressions import ExpressionError, references, resolve
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import AgentStep, Step
from goalgraph.planner.validation import PlanPolicy
from goalgraph.planner.wording import instructed, task_of
from goalgraph.specialists.artifacts import ArtifactStore
from goalgraph.specialists.colleagues import Colleagues
from goalgraph.specialists.office import Desk, Office
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.router import route
from goalgraph.specialists.specialist import StepContext, StepTask

__all__ = ["EarlyStart", "EarlySteps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStart:
    """Lets steps begin before their plan is complete: those of specialists in front of which nobody is asked."""

    registry: SpecialistRegistry
    execution: ExecutionPolicy
    artifacts: ArtifactStore | None
    approval: ApprovalPolicy
    policy: PlanPolicy

    def of(
        self, run: Run, goal: str, inputs: Mapping[str, JsonValue], config: RunnableConfig, before: Before
    ) -> "EarlySteps":
        """Begin with no step."""
        assigner = None
        if run.coordination is not None:
            assigner = run.coordination.early(run.cards, goal, before)
        place = config.get("configurable", {})
        return EarlySteps(start=self, run=run, goal=goal, inputs=inputs, place=place, assigner=assigner)

    def may_begin(self, step: Step) -> bool:
        """Whether nothing is against doing a step before the plan is known, as far as the step itself tells."""
        if step.type != "agent" or step.agents or step.when is not None or step.join != "all_success":
            return False
        cards = self.policy.usable(self.registry.cards)
        known = {card.name for card in cards}
        chain = {*([step.agent] if step.agent is not None else []), *step.fallback}
        if not chain <= known or (step.agent is None and not step.requires):
            return False
        if any(name == "*" or names_step(name, step, cards) for name in self.policy.require_approval):
            return False
        named = references({"task": step.task, "input": step.input})
        return not named.steps and not named.names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A step that was begun."""

    key: str
    task: asyncio.Task[Outcome]
    needs: Mapping[str, asyncio.Task[Outcome]]
    """Early steps too, by id."""


@dataclass(slots=True, kw_only=True)
class EarlySteps:
    """The early steps of one run, by id: each a task that the step's own turn takes over."""

    start: EarlyStart
    run: Run
    goal: str
    inputs: Mapping[str, JsonValue]
    place: Mapping[str, Any]
    assigner: Assigner | None = None
    _begun: dict[str, _Begun] = field(default_factory=dict[str, _Begun])
    _working: dict[asyncio.Task[Outcome], str] = field(default_factory=dict[asyncio.Task[Outcome], str])
    """Who is at work in each."""

    def begin(self, step: Step) -> bool:
        """Begin a step that was just drafted, if that is possible; say whether it was begun.

        One that needs others begins as soon as these have succeeded, where they were begun too.
        """
        if step.type != "agent" or not self._begun.keys() >= set(step.depends_on):
            return False
        try:
            if not self.start.may_begin(step):
                return False
            scope = scope_of(self.inputs, {}, RunClock())
            text = step.task if step.task is not None else task_of(step)
            instruction = instructed(str(resolve(text, scope)), step.constraints)
            arguments = resolve(dict(step.input), scope)
            chain = route(step, self.run.cards)
            if self.assigner is not None:
                chain = self.assigner.chain_once(step, chain)
        except (ExpressionError, LookupError):
            return False
        if not isinstance(arguments, dict) or self._is_asked(step, chain, instruction, arguments):
            return False
        key = self._key(step.id, instruction, arguments)
        needs = {need: self._begun[need].task for need in step.depends_on}
        before = self._begun.get(step.id)
        if before is not None and before.key == key and dict(before.needs) == needs:  # the draft before had it too
            return True
        self.drop(step.id)
        if not needs and not self._has_place(chain[0]):
            return False
        work = self._done(step, StepTask(step=step.id, instruction=instruction, input=arguments), chain, key, needs)
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._end)
        if not needs:
            self._working[task] = chain[0]
        self._begun[step.id] = _Begun(key=key, task=task, needs=needs)
        return True

    def drop(self, step_id: str) -> None:
        """End a step that is not to be done after all, and those that need it."""
        if (begun := self._begun.pop(step_id, None)) is not None:
            begun.task.cancel()
            for other in [one for one, it in self._begun.items() if it.needs.get(step_id) is begun.task]:
                self.drop(other)

    def keep(self, ids: frozenset[str]) -> None:
        """End those that the plan does not have."""
        for step_id in self._begun.keys() - ids:
            self.drop(step_id)

    async def outcome(self, step_id: str, key: str) -> Outcome | None:
        """Wait for what a step has come to; None where it was not begun, or is another one now, or has to ask first.

        Args:
            step_id: The step, whose turn has come.
            key: Its idempotency key: of the same step with the same resolved input it is the same.
        """
        begun = self._begun.get(step_id)
        if begun is None or begun.key != key:
            self.drop(step_id)
            return None
        del self._begun[step_id]
        try:
            return await begun.task
        except GraphBubbleUp:
            return None

    async def end(self) -> None:
        """Leave nothing behind."""
        tasks = [begun.task for begun in self._begun.values()]
        self._begun.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _done(
        self,
        step: AgentStep,
        task: StepTask,
        chain: tuple[str, ...],
        key: str,
        needs: Mapping[str, asyncio.Task[Outcome]],
    ) -> Outcome:
        dependencies = {need: await self._succeeded(other) for need, other in needs.items()}
        here = cast("asyncio.Task[Outcome]", asyncio.current_task())
        if needs:
            if not self._has_place(chain[0]):
                raise GraphBubbleUp  # it waits for its own turn
            self._working[here] = chain[0]
        execution, meter = self.start.execution, count_usage(self.run.accounts.ledgers)
        self.run.accounts.mark(self.run.id, step.id)
        assigner, guard, context = self.assigner, None, cast("Surroundings", StepContext)
        if assigner is not None:
            guard, context = assigner.guard(), partial(StepContext, mode=assigner.mode(step.id))
        doing(self.run.around(step.id, str(self.place.get("checkpoint_ns") or ""), key))
        outcome = await perform(
            task,
            partial(
                context,
                goal=self.goal,
                dependencies=dependencies,
                idempotency_key=key,
                asking=_later,
                artifacts=self.start.artifacts,
                opening=_early_desk,
            ),
            [self.start.registry.get(name) for name in chain],
            report=_dropped,
            started_at=datetime.now(UTC).isoformat(),
            timeout=step.timeout if step.timeout is not None else execution.step_timeout,
            retry=step.retry if step.retry is not None else execution.retry,
            idle_timeout=execution.idle_timeout,
            is_ending=self.run.is_ending,
            handed_over=_nobody_waits,
            refusal=meter.refusal,
            guard=guard,
        )
        if assigner is not None:
            outcome = outcome.model_copy(update={"decisions": assigner.over(outcome, guard)})
        return outcome.model_copy(update={"usage": at_least(meter.usage, outcome.usage)}) if meter.calls else outcome

    async def _succeeded(self, need: asyncio.Task[Outcome]) -> Outcome:
        """Wait for a step that another one needs.

        Raises:
            GraphBubbleUp: It has not come to what the other one could go on from.
        """
        await asyncio.wait([need])
        if need.cancelled() or need.exception() is not None or need.result().status != "succeeded":
            raise GraphBubbleUp
        if self.run.rules is not None and need.result().confidence is not None:
            raise GraphBubbleUp  # whether that is good enough is looked at in its own turn
        if need.result().signals:
            raise GraphBubbleUp  # what they mean too
        return need.result()

    def _end(self, task: asyncio.Task[Outcome]) -> None:
        self._working.pop(task, None)
        if not task.cancelled():
            task.exception()  # else it is complained about where nobody takes the step over

    def _has_place(self, specialist: str) -> bool:
        working = Counter(self._working.values())
        most, own = self.run.max_concurrency, self.start.registry.get(specialist).card.max_concurrency
        return (most is None or working.total() < most) and (own is None or working[specialist] < own)

    def _is_asked(
        self, step: AgentStep, chain: tuple[str, ...], instruction: str, arguments: Mapping[str, JsonValue]
    ) -> bool:
        """Whether the policy has a human asked first, or cannot tell."""
        if not self.start.approval.steps:
            return False
        cards = self.run.cards
        able = next((card.capabilities for card in cards if card.name == chain[0]), ())
        proposal = Proposal(
            step=step.id, specialists=chain, capabilities=frozenset(able), instruction=instruction, input=arguments
        )
        gates = Gates.of(self.start.approval, {step.id: step}, cards)
        try:
            return (gates.asks if self.assigner is None else gates.asks_any)(step, proposal)
        except Exception:
            return True  # it is asked again, and said, when the step's turn comes

    def _key(self, step_id: str, instruction: str, arguments: Mapping[str, JsonValue]) -> str:
        thread, namespace = str(self.place.get("thread_id") or self.run.id), str(self.place.get("checkpoint_ns") or "")
        return idempotency_key(origin(thread, namespace), step_id, instruction, arguments)


def _later(prompt: str, schema: Mapping[str, JsonValue], number: int) -> JsonValue:
    """Put a question off to the step's own turn."""
    raise GraphBubbleUp


def _early_desk(_context: Colleagues) -> Desk:
    """Give a desk for signals, which are in the outcome; for all else the step is put off to its own turn."""
    return Desk(office=_no_office)


def _no_office() -> Office:
    raise GraphBubbleUp


def _dropped(_said: Mapping[str, JsonValue]) -> None:
    """Forget progress: nobody has been told of the step yet."""


async def _nobody_waits(_specialist: object) -> None:
    """Hand over at once: early steps have places of their own."""
