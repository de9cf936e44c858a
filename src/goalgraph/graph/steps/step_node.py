"""The node of every specialist and every kind of step: waits for a step's turn, has it done, records its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, assert_never, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.runtime import Runtime, get_runtime
from langgraph.types import Command
from pydantic import JsonValue

from goalgraph.graph import events
from goalgraph.graph.board.suspending import RevisableBoard
from goalgraph.graph.coordination.delegation import opened
from goalgraph.graph.coordination.keeping import kept_chain
from goalgraph.graph.coordination.reassigning import done_by
from goalgraph.graph.coordination.ruling import assigned, ruled
from goalgraph.graph.humans.asking import approved, asked, filled_in
from goalgraph.graph.humans.gating import gated
from goalgraph.graph.humans.thread import saver_of
from goalgraph.graph.ledger.metering import at_least, count_usage
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.graph.revision.withholding import withheld
from goalgraph.graph.run import Run, run_of
from goalgraph.graph.state import StepSend
from goalgraph.graph.steps.attempts import Exiting, Surroundings
from goalgraph.graph.steps.closing import closed
from goalgraph.graph.steps.execution import idempotency_key, perform
from goalgraph.graph.steps.mapping import mapped
from goalgraph.graph.steps.nesting import doing, origin
from goalgraph.graph.steps.ongoing import can_go_on, carried_on, taken_over
from goalgraph.graph.steps.polled import polled, reminded
from goalgraph.graph.steps.turn import Turn
from goalgraph.graph.steps.voted import concluded
from goalgraph.graph.steps.waiting import waited
from goalgraph.graph.work import Work
from goalgraph.logs import step_begun, step_over
from goalgraph.planner.decision import PEOPLES
from goalgraph.planner.expressions import ExpressionError, is_template
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import AgentStep
from goalgraph.planner.validation import PlanPolicy
from goalgraph.planner.wording import instructed, task_of
from goalgraph.specialists.artifacts import ArtifactStore
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json
from goalgraph.specialists.roles import RoleMaker
from goalgraph.specialists.specialist import Specialist, StepContext, StepTask

__all__ = ["StepNode"]

StepEnd = dict[str, Any] | Command[Literal["gather"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNode(Runnable[StepSend, StepEnd]):
    """Serves as every step's node.

    It is a Runnable because LangGraph calls those as they are; functions and callable objects it takes apart to see
    their annotations, for each node of an agent that is built, and wraps, for each step that is done.
    """

    registry: SpecialistRegistry
    execution: ExecutionPolicy
    artifacts: ArtifactStore | None = None
    """Where outputs too large for a checkpoint are kept."""
    roles: RoleMaker | None = None
    """Makes the specialists that plans propose, where they may."""
    policy: PlanPolicy | None = None
    """What plans must hold; nothing where absent."""

    def invoke(self, input: StepSend, config: RunnableConfig | None = None, **kwargs: Any) -> StepEnd:
        """Refuse: steps wait for each other in one event loop."""
        raise TypeError("steps are done in an event loop: use ainvoke")

    async def ainvoke(self, input: StepSend, config: RunnableConfig | None = None, **kwargs: Any) -> StepEnd:
        """Wait for the step's turn, do it, and end with its outcome.

        The update is written once: the last step of a superstep leads on to `gather` itself, where a static edge from
        every task would be a second write, which LangGraph's handling of pending writes, quadratic in their number,
        makes dear.
        """
        place, runtime = config or get_config(), get_runtime()
        run = run_of(place)
        run.enter(runtime.control)
        work = run.work or await run.resumed(place)
        step_id = input["step"]
        found = await self._done(step_id, work, run, place, runtime)
        outcomes: dict[str, Outcome | None] = {outcome.step: outcome for outcome in found}
        if step_id not in outcomes:
            outcomes[step_id] = None  # it has parked
        if not work.board.close(step_id):
            return {"outcomes": outcomes}
        return Command(update={"outcomes": outcomes, **closed(run, work)}, goto="gather")

    async def _done(
        self, step_id: str, work: Work, run: Run, config: RunnableConfig, runtime: Runtime[Any]
    ) -> tuple[Outcome, ...]:
        """Take a step to its end; the outcome is the first, those of a map's items follow.

        A step that parks because the plan is about to be changed has none; of a map there is then what its items have
        come to.

        Raises:
            GraphInterrupt: It, or something it needs, waits for a human.
        """
        board = work.board
        polls = run.hooks is not None and run.hooks.has("quorum")
        if polls:
            await reminded(step_id, work, run)
        verdict = await board.enter(step_id)
        if verdict == "park":
            return _parked(step_id, work, GraphInterrupt(()))
        if isinstance(verdict, Outcome):
            await run.drop(step_id)
            if run.hooks is not None:
                await run.hooks.tell("step_complete", verdict)
            return (_told(verdict, run, runtime),)
        told: Outcome | None = None
        try:
            found = await self._turn(step_id, work, run, config, runtime)
            if run.lost is not None:
                raise run.lost
            if polls:
                await polled(found[0], work, run)
            if run.hooks is not None:
                await run.hooks.tell("step_complete", told := found[0])
        except BaseException as error:
            if isinstance(error, GraphInterrupt) and any(error.args):
                held = await board.hold(step_id)
                if not isinstance(held, Outcome):
                    board.leave(step_id, None)
                    return _parked(step_id, work, error)
                found = (held,)
            elif isinstance(error, GraphBubbleUp):
                board.leave(step_id, None)
                if isinstance(error, GraphInterrupt):
                    return _parked(step_id, work, error)
                raise
            elif isinstance(error, Exiting):
                run.is_over = True
                raise
            elif not board.is_stopped(step_id):
                raise
            else:
                ended = board.cancelled(step_id)
                found = (ended if run.hub is None else run.hub.completed(ended),)
        outcome = found[0]
        if run.hooks is not None and told is not outcome:
            await run.hooks.tell("step_complete", outcome)
        if outcome.signals and not run.is_halted:
            run.halt_for(outcome, work)
        if work.assigner is not None:
            work.assigner.ended(step_id)
        if run.rules is None or not withheld(outcome, board.index.steps[step_id], work, run, runtime):
            ends = outcome.status == "failed" and self.execution.on_failure == "fail_fast"
            board.leave(step_id, outcome, ending=f"cancelled because step {step_id!r} failed" if ends else None)
        _told(outcome, run, runtime)
        return found

    async def _turn(
        self, step_id: str, work: Work, run: Run, config: RunnableConfig, runtime: Runtime[Any]
    ) -> tuple[Outcome, ...]:
        """Do a step whose turn has come."""
        if run.lost is not None:
            raise run.lost
        step = work.board.index.steps[step_id]
        turn = Turn(
            step=step,
            run=run,
            work=work,
            config=config,
            runtime=runtime,
            started_at=work.board.now().isoformat(),
        )
        if (begun := run.ongoing.pop(step_id, None)) is not None:
            outcome = await taken_over(turn, begun)
            if outcome is not None:
                if run.hooks is not None and outcome.signals and step.type == "agent":
                    outcome = await self._worked(turn, step, outcome)
                return (outcome,)
        doer = work.chains[step_id][0] if step.type == "agent" else step.type
        step_begun(run.id, step_id, doer)
        turn.tell(
            events.StepStarted(type="step_started", run=run.id, step=step_id, specialist=doer, at=turn.started_at)
        )
        try:
            if step.when is not None and not turn.holds(step.when):
                return (turn.ended("skipped"),)
            if step.type == "map":
                return await mapped(turn, step, partial(self._done, work=work, run=run, config=config, runtime=runtime))
            if step.type in ("condition", "transform", "wait") and isinstance(no := gated(turn, (), "", {}), Outcome):
                return (no,)
            return (await self._outcome(turn),)
        except ExpressionError as error:
            return (turn.failed("invalid_input", f"{error}{_missing(turn)}"),)
        except (InvalidOutput, OutputTooLarge) as error:
            return (turn.failed("invalid_output", str(error)),)

    async def _outcome(self, turn: Turn) -> Outcome:
        step = turn.step
        if step.type == "agent":
            return await self._worked(turn, step)
        if step.type == "transform":
            return turn.ended("succeeded", output=as_json(turn.resolve(step.output)))
        if step.type == "condition":
            return turn.ended("succeeded", output=turn.holds(step.test))
        if step.type == "parallel":
            return await concluded(turn, step)
        if step.type == "human_approval":
            return approved(turn, step)
        if step.type == "human_input":
            return filled_in(turn, step)
        if step.type == "wait":
            return await waited(turn, step)
        if step.type == "map" or step.type == "sub_plan":
            raise AssertionError(f"{step.type} is no step of a flat plan's superstep")
        assert_never(step)

    def doer(self, name: str, work: Work) -> Specialist:
        """Return a specialist, or what a role of the plan is."""
        if self.roles is None or name in self.registry:
            return self.registry.get(name)
        return self.roles.of(work.board.index.plan, name)

    async def _worked(self, turn: Turn, step: AgentStep, done: Outcome | None = None) -> Outcome:
        """Have a specialist do a step, and the caller's hooks decide about it.

        Args:
            turn: The step's.
            step: As the plan has it.
            done: What it has come to, where it was done before its turn.
        """
        work, hooks, assigner, is_begun = turn.work, turn.run.hooks, turn.work.assigner, False
        if assigner is not None and assigner.is_open(step.id) and saver_of(turn.run.agent, turn.config) is not None:
            is_begun = await kept_chain(work, assigner, step.id)
        given: Mapping[str, JsonValue] = step.input
        if step.input and is_template(step.input):
            given = cast("dict[str, JsonValue]", turn.resolve(step.input))
        names, instruction = work.chains[step.id], _instruction(turn, step)
        if hooks is None:
            return await self._performed(turn, step, names, instruction, given, is_begun=is_begun)
        if done is None:
            by = step
            if hooks.has("assignment"):
                names = await assigned(turn, step, names, instruction, dict(given))
                by = step if names == work.chains[step.id] else done_by(step, names)
            done = await self._performed(turn, by, names, instruction, given, is_begun=is_begun)
        if not done.signals:
            return done

        async def again(chain: tuple[str, ...]) -> Outcome:
            return await self._performed(turn, done_by(step, chain), chain, instruction, given)

        doer = partial(self.doer, work=work)
        return await ruled(turn, step, done, again=again, doer=doer, artifacts=self.artifacts)

    async def _performed(
        self,
        turn: Turn,
        step: AgentStep,
        names: tuple[str, ...],
        instruction: str,
        given: Mapping[str, JsonValue],
        *,
        is_begun: bool = False,
    ) -> Outcome:
        """Ask whoever is to be asked, and have specialists do a step.

        Args:
            turn: The step's.
            step: As it is done.
            names: Who tries it, in this order.
            instruction: What they are told, unless whoever is asked changes it.
            given: Its arguments, likewise.
            is_begun: Whether it was begun before: then nobody is passed over.
        """
        work, board, assigner = turn.work, turn.board, turn.work.assigner
        chain = [self.doer(name, work) for name in names]
        allowed = gated(turn, names, instruction, given, step)
        if isinstance(allowed, Outcome):
            return allowed
        instruction, arguments, unasked = allowed
        guard, context = None, cast("Surroundings", StepContext)
        if assigner is not None:
            guard, context = assigner.guard(lets_all=is_begun), partial(StepContext, mode=assigner.mode(step.id))
        meter = count_usage(turn.run.accounts.ledgers)
        place: dict[str, Any] = turn.config.get("configurable", {})
        namespace = str(place.get("checkpoint_ns") or "")
        whose = origin(str(place.get("thread_id") or turn.run.id), namespace)
        key = idempotency_key(whose, step.id, instruction, arguments)
        doing(turn.run.around(step.id, namespace, key))
        if turn.run.accounts.ledgers:
            turn.run.accounts.mark(turn.run.id, step.id)
        if turn.run.early is not None and (done := await turn.run.early.outcome(step.id, key)) is not None:
            if assigner is not None:
                assigner.take_in(done)
            return done

        if turn.run.hub is not None:
            turn.run.hub.begin(step.id)
        task = StepTask(step=step.id, instruction=instruction, input=arguments)

        async def performed() -> Outcome:
            outcome = await perform(
                task,
                partial(
                    context,
                    goal=work.goal,
                    dependencies={
                        need: board.outcomes[need] for need in board.index.needs[step.id] if need in board.outcomes
                    },
                    idempotency_key=key,
                    asking=partial(asked, turn),
                    artifacts=self.artifacts,
                    remaining=turn.remaining(),
                    opening=partial(opened, turn, self, task),
                ),
                chain,
                report=partial(_tell_progress, turn),
                started_at=turn.started_at,
                timeout=step.timeout if step.timeout is not None else self.execution.step_timeout,
                retry=step.retry if step.retry is not None else self.execution.retry,
                idle_timeout=self.execution.idle_timeout,
                is_ending=lambda: (turn.run.work or work).board.is_stopped(step.id) or turn.run.is_ending(),
                refusal=meter.refusal,
                handed_over=lambda to: work.move(step.id, to.card.name),
                guard=guard,
            )
            if assigner is not None:
                turn.decisions += [one for one in assigner.over(outcome, guard) if one not in turn.decisions]
            changes: dict[str, object] = {"usage": at_least(meter.usage, outcome.usage)} if meter.calls else {}
            if turn.decisions:
                changes |= {"decisions": tuple(turn.decisions), "degraded": (*unasked, *outcome.degraded)}
            outcome = outcome.model_copy(update=changes) if changes else outcome
            return outcome if turn.run.hub is None else turn.run.hub.completed(outcome)

        return await (carried_on(turn, performed()) if can_go_on(turn, chain) else performed())


def _parked(step_id: str, work: Work, asked: GraphInterrupt) -> tuple[Outcome, ...]:
    """End a step without an outcome, for the plan to be changed; a map leaves behind what its items have come to.

    Raises:
        GraphInterrupt: The plan is not about to be changed: it is a human who is waited for.
    """
    board = work.board
    if not (isinstance(board, RevisableBoard) and board.parks(step_id)):
        raise asked
    items = {one: work.items[one] for one in work.items if one.partition("[")[0] == step_id}
    items |= {one: board.outcomes[one] for one in board.index.items.get(step_id, ()) if one in board.outcomes}
    return tuple(items.values())


def _told(outcome: Outcome, run: Run, runtime: Runtime[Any]) -> Outcome:
    """Say that a step is over, and what hooks and specialists have decided about it."""
    step_over(run.id, outcome)
    for decision in outcome.decisions:
        if decision.kind not in PEOPLES:
            runtime.stream_writer(events.decision_made(decision, run.id))
    runtime.stream_writer(events.step_finished(outcome, run.id))
    return outcome


def _missing(turn: Turn) -> str:
    """Say which of the steps that a step names have no output to name."""
    outcomes = turn.board.outcomes
    gone = [
        f"{need!r} {outcomes[need].status}"
        for need in turn.board.index.awaited(turn.step.id)
        if need in outcomes and outcomes[need].status != "succeeded"
    ]
    return f" ({', '.join(gone[:5])})" if gone else ""


def _instruction(turn: Turn, step: AgentStep) -> str:
    return instructed(turn.text(step.task) if step.task is not None else task_of(step), step.constraints)


def _tell_progress(turn: Turn, said: Mapping[str, JsonValue]) -> None:
    turn.tell({"type": "step_progress", "run": turn.run.id, "step": turn.step.id, **said})
