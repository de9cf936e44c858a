"""One run of an agent for the command line: begun or gone on with, followed, and recorded whatever happens."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.runtime import RunControl
from langgraph.types import Command
from pydantic import JsonValue

from goalgraph.cli.agent import agent_of
from goalgraph.cli.crew import Crew
from goalgraph.cli.decided import revisions_in
from goalgraph.cli.display import displayed
from goalgraph.cli.folders import RunFolder
from goalgraph.cli.planning import show_plan
from goalgraph.cli.questions import matched
from goalgraph.cli.records import KeptAnswer, Question, RunRecord, step_records
from goalgraph.cli.reviews import Prepared, as_written, decisions_of
from goalgraph.cli.terminal import Terminal
from goalgraph.errors import GoalgraphError
from goalgraph.graph.events import Event, as_event, used
from goalgraph.graph.humans.inbox import apending
from goalgraph.graph.humans.thread import Request
from goalgraph.graph.storage.recorded import recorded_outcomes
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan
from goalgraph.views.progress import Track

__all__ = ["Ended", "Execution", "RunBroken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run stands once nothing more can be done."""

    record: RunRecord
    answer: str
    """Empty where the run waits."""
    unused: tuple[str, ...] = ()
    """Steps for which an answer was given, and which did not ask."""


class RunBroken(GoalgraphError):
    """A run ended before its answer; what was done is kept."""


class Execution:
    """A run in its folder."""

    def __init__(
        self,
        folder: RunFolder,
        record: RunRecord,
        plan: Plan | None,
        crew: Crew,
        terminal: Terminal,
        saver: "BaseCheckpointSaver[Any]",
    ) -> None:
        self.plan = plan
        """As it is written, before any revision; None: the run makes it itself."""
        self.requests: tuple[Request, ...] = ()
        """What the run waits for."""
        self._folder = folder
        self._record = record
        self._flat = crew.flat(plan) if plan is not None else None
        self._crew = crew
        self._terminal = terminal
        self._control = RunControl()
        self._config: RunnableConfig = {"configurable": {"thread_id": record.thread}}
        made = tuple(one for one in record.decisions if one.kind == "planning")
        self._agent = agent_of(record.options, Prepared(plan, self._planned, made), crew, folder, saver, self._outside)

    def drain(self) -> None:
        """Begin nothing new; what is under way comes to its end."""
        self._control.request_drain()

    @property
    def draining(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._control.drain_requested

    @property
    def inputs(self) -> Mapping[str, JsonValue]:
        """Values of the plan's inputs, by name."""
        return self._record.inputs

    def keep(self, request: Request, answer: JsonValue, by: str | None) -> None:
        """Keep an answer, which `go_on` gives to the run."""
        kept = {**self._record.answers, request.id: KeptAnswer(answer=answer, by=by)}
        self._record = self._record.model_copy(update={"answers": kept})
        self._folder.write_record(self._record)

    async def go_on(self) -> Ended:
        """Do the run, or what is left of it, as far as it comes with the answers in its record.

        Raises:
            CorruptRun: The checkpoints cannot be used.
            RunBroken: It ended before its answer.
            GraphDrained: It was told to begin nothing new.
        """
        state = await self._agent.aget_state(self._config)
        self._take_plan(state.values)
        track = Track.of(self._doers, recorded_outcomes(state), _usage_in(state.values))
        track.before = used(self._outside)
        try:
            with displayed(track, self._terminal, monotonic) as tell:
                return await self._answered(not state.values, track, tell)
        except BaseException:
            await self._interrupted(track)
            raise

    async def _answered(self, is_new: bool, track: Track, tell: Callable[[Event], None]) -> Ended:
        """Do the run, and give it the answers that there are whenever it asks for them."""
        given: object = self._beginning() if is_new else None
        refused: dict[str, str | None] = {}
        first = True
        while True:
            self.requests = await apending(self._agent, self._config) if not is_new else ()
            replies = matched(self.requests, self._record.answers)
            self._forget(replies.used)
            refused |= {one.id: one.problem for one in replies.questions if one.id not in refused or one.problem}
            if replies.resume:
                given = Command(resume=dict(replies.resume))
            elif not first:
                told = [one.model_copy(update={"problem": refused[one.id]}) for one in replies.questions]
                return await self._waiting(told)
            values = await self._followed(given, track, tell)
            if values.get("status") is not None:
                return self._ended(values)
            given, first, is_new = None, False, False

    def _beginning(self) -> dict[str, object]:
        """What the run is given; a plan that was made, or is yet to be, comes from its planner."""
        begin: dict[str, object] = {"goal": self._record.goal, "inputs": self._record.inputs}
        return begin if self._record.planned else {**begin, "plan": self.plan}

    @property
    def _doers(self) -> Mapping[str, str]:
        """Who does each step, by its id."""
        return self._crew.doers(self._flat) if self._flat is not None else {}

    async def _planned(self, request: PlanRequest) -> Plan:
        """Make a plan; the first one is shown and kept, those that come after a rejection are reviewed."""
        plan = await self._crew.decompose(request)
        if self.plan is None:
            self.plan = plan
            show_plan(plan, self._crew, self._terminal)
            self._folder.write_plan(plan)
        return plan

    async def _followed(self, given: object, track: Track, tell: Callable[[Event], None]) -> Mapping[str, object]:
        """Run until the end, or until nothing can be done without an answer; return the last values."""
        values: Mapping[str, object] = {}
        modes = ["custom", "values"]
        async for mode, part in self._agent.astream(given, self._config, stream_mode=modes, control=self._control):
            if mode == "values":
                values = part
                if self._take_plan(values):
                    outcomes = cast("Mapping[str, Outcome]", values.get("outcomes") or {})
                    track.begin_anew(self._doers, outcomes, _usage_in(values))
            elif (event := as_event(part)) is not None:
                tell(event)
        return values

    def _take_plan(self, values: Mapping[str, object]) -> bool:
        """Take over the plan that the run has by now; return whether it is another one."""
        plan = values.get("plan")
        if not isinstance(plan, Plan) or plan == self._flat:
            return False
        if self._flat is None:
            self._record = self._record.model_copy(update={"planning": _usage_in(values)})
        self._flat = plan
        return True

    def _keep_plan(self, decisions: Collection[Decision]) -> None:
        """Write down the plan of the run where a review, or a revision, has changed it."""
        if self._flat is None or self.plan is None or self._crew.flat(self.plan) == self._flat:
            return
        written = as_written(self._flat, self.plan, self.requests, decisions, self._crew.flat)
        if written != self.plan:
            self.plan = written
            self._folder.write_plan(written)
        if revisions_in(decisions):
            self._folder.write_revised(self._flat)

    def _forget(self, used: Collection[str]) -> None:
        """Take answers that were used, or refused, out of the record, so that none is given twice."""
        left = {name: answer for name, answer in self._record.answers.items() if name not in used}
        self._record = self._record.model_copy(update={"answers": left})

    async def _waiting(self, questions: Collection[Question]) -> Ended:
        """Record what the run waits for.

        Raises:
            RunBroken: It waits for nothing, and has not come to its end.
        """
        if not questions:
            raise RunBroken("the run stopped before its end, and asks nothing", hint="go on with it to try again")
        state = await self._agent.aget_state(self._config)
        decisions = decisions_of(state)
        self._keep_plan(decisions)
        changes = {"status": "waiting", "questions": tuple(questions), "decisions": decisions}
        self._record = self._updated(recorded_outcomes(state), state.values, changes)
        self._folder.write_record(self._record)
        return Ended(record=self._record, answer="")

    async def _interrupted(self, track: Track) -> None:
        """Record what is done: by the checkpoints, which a resumed run will go by, else by the events."""
        changes: dict[str, object] = {"status": "interrupted", "questions": ()}
        values: Mapping[str, object] = {}
        try:
            state = await self._agent.aget_state(self._config)
            outcomes, values = recorded_outcomes(state), state.values
            changes["decisions"] = decisions_of(state) or self._record.decisions
        except Exception:
            outcomes = track.outcomes()
        self._folder.write_record(self._updated(outcomes, values, changes))

    def _ended(self, values: Mapping[str, object]) -> Ended:
        outcomes = cast("Mapping[str, Outcome]", values.get("outcomes") or {})
        answer = cast("str | None", values.get("answer")) or ""
        decisions = tuple(cast("list[Decision]", values.get("decisions") or ()))
        self._keep_plan(decisions)
        changes: dict[str, object] = {
            "status": cast("str | None", values.get("status")) or "failed",
            "degraded": tuple(cast("list[str]", values.get("degraded") or ())),
            "usage": self._outside + _usage_in(values),
            "questions": (),
            "decisions": decisions,
            "answers": {},
        }
        record = self._updated(outcomes, values, changes)
        self._folder.write_answer(answer)
        self._folder.write_record(record)
        return Ended(record=record, answer=answer, unused=tuple(self._record.answers))

    @property
    def _outside(self) -> Usage:
        """What was used before the run, which does not count it."""
        return Usage() if self._record.options.eager else self._record.planning

    def _updated(
        self, outcomes: Mapping[str, Outcome], values: Mapping[str, object], changes: Mapping[str, object]
    ) -> RunRecord:
        spent = sum((outcome.usage for outcome in outcomes.values()), self._outside + _usage_in(values))
        updated = self._record.model_copy(
            update={
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "steps": step_records(self._doers, outcomes, self._folder.path),
                "usage": spent,
                **changes,
            }
        )
        return updated.model_copy(update={"revisions": revisions_in(updated.decisions)})


def _usage_in(values: Mapping[str, object]) -> Usage:
    return cast("Usage", values.get("usage") or Usage())
