"""One run of an agent for the command line: begun or gone on with, followed, and recorded whatever happens."""

import os
import sqlite3
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, StateSnapshot

from goalgraph.cli.crew import Crew
from goalgraph.cli.endings import BadInput
from goalgraph.cli.folders import RunFolder
from goalgraph.cli.progress import Track, as_event
from goalgraph.cli.questions import matched, questions_of
from goalgraph.cli.records import Question, RunRecord, step_records
from goalgraph.cli.terminal import Terminal
from goalgraph.errors import GoalgraphError
from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.build import create_plan_agent
from goalgraph.graph.events import Event
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.graph.recorded import recorded_outcomes
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan

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

    def __init__(self, folder: RunFolder, record: RunRecord, plan: Plan, crew: Crew, terminal: Terminal) -> None:
        self._folder = folder
        self._record = record
        self._given = plan
        self._plan = crew.flat(plan)
        self._crew = crew
        self._terminal = terminal
        self._config: RunnableConfig = {"configurable": {"thread_id": record.thread}}

    async def carry_out(self) -> Ended:
        """Do the run, or what is left of it, as far as it comes with the answers in its record.

        Raises:
            BadInput: The checkpoints cannot be read.
            RunBroken: It ended before its answer.
        """
        with _saver(self._folder.checkpoints) as saver:
            agent = self._agent(saver)
            try:
                snapshot = await agent.aget_state(self._config)
            except sqlite3.DatabaseError as error:
                raise BadInput(
                    f"{str(self._folder.checkpoints)!r} cannot be read: {error}", hint="run the goal again"
                ) from error
            kept = cast("dict[str, object]", snapshot.values).get("plan")
            if isinstance(kept, Plan) and kept != self._plan:
                self._plan = kept
                agent = self._agent(saver)
            return await self._watched(agent, snapshot)

    def _agent(self, saver: "BaseCheckpointSaver[Any]") -> PlanAgent:
        options = self._record.options
        return create_plan_agent(
            self._crew.model,
            self._crew.registry,
            synthesis=self._crew.synthesis(self._plan),
            execution=ExecutionPolicy(max_concurrency=options.max_concurrency, step_timeout=options.timeout),
            checkpointer=saver,
            artifacts=self._folder.artifacts,
        )

    async def _watched(self, agent: PlanAgent, snapshot: StateSnapshot) -> Ended:
        """Do the run while somebody watches; whatever ends it, what is done is recorded."""
        track = Track.of(self._crew.doers(self._plan), recorded_outcomes(snapshot))
        try:
            with track.displayed(self._terminal, monotonic) as tell:
                return await self._answered(agent, snapshot, tell)
        except BaseException:
            self._interrupted(await self._known(agent, track))
            raise

    async def _answered(self, agent: PlanAgent, snapshot: StateSnapshot, tell: Callable[[Event], None]) -> Ended:
        """Do the run, and give it the answers that there are whenever it asks for them."""
        given: object = None
        if not snapshot.values:
            given = {"goal": self._record.goal, "plan": self._given, "inputs": self._record.inputs}
        refused: dict[str, str | None] = {}
        first = True
        while True:
            replies = matched(questions_of(snapshot.interrupts), self._record.answers)
            self._forget(replies.used)
            refused |= {one.id: one.problem for one in replies.questions if one.id not in refused or one.problem}
            if replies.resume:
                given = Command(resume=replies.resume)
            elif not first:
                return self._waiting(recorded_outcomes(snapshot), replies.questions, refused)
            values = await self._followed(agent, given, tell)
            if values.get("status") is not None:
                return self._ended(values)
            snapshot = await agent.aget_state(self._config)
            given, first = None, False

    async def _followed(self, agent: PlanAgent, given: object, tell: Callable[[Event], None]) -> Mapping[str, object]:
        """Run until the end, or until nothing can be done without an answer; return the last values."""
        values: Mapping[str, object] = {}
        async for mode, part in agent.astream(given, self._config, stream_mode=["custom", "values"]):
            if mode == "values":
                values = part
            elif (event := as_event(part)) is not None:
                tell(event)
        return values

    async def _known(self, agent: PlanAgent, track: Track) -> Mapping[str, Outcome]:
        """What is done: by the checkpoints, which a resumed run will go by, else by the events."""
        try:
            return recorded_outcomes(await agent.aget_state(self._config))
        except Exception:
            return track.outcomes()

    def _forget(self, used: Collection[str]) -> None:
        """Take answers that were used, or refused, out of the record, so that none is given twice."""
        left = {step: answer for step, answer in self._record.answers.items() if step not in used}
        self._record = self._record.model_copy(update={"answers": left})

    def _waiting(
        self, outcomes: Mapping[str, Outcome], questions: Sequence[Question], refused: Mapping[str, str | None]
    ) -> Ended:
        """Record what the run waits for.

        Raises:
            RunBroken: It waits for nothing, and has not come to its end.
        """
        if not questions:
            raise RunBroken("the run stopped before its end, and asks nothing", hint="go on with it to try again")
        told = tuple(one.model_copy(update={"problem": refused.get(one.id) or one.problem}) for one in questions)
        record = self._updated(outcomes, {"status": "waiting", "questions": told})
        self._folder.write_record(record)
        return Ended(record=record, answer="")

    def _interrupted(self, outcomes: Mapping[str, Outcome]) -> None:
        self._folder.write_record(self._updated(outcomes, {"status": "interrupted"}))

    def _ended(self, values: Mapping[str, object]) -> Ended:
        outcomes = cast("Mapping[str, Outcome]", values.get("outcomes") or {})
        answer = cast("str | None", values.get("answer")) or ""
        usage = self._record.planning + cast("Usage", values.get("usage") or Usage())
        degraded = tuple(cast("list[str]", values.get("degraded") or ()))
        status = cast("str | None", values.get("status")) or "failed"
        changes: dict[str, object] = {
            "status": status,
            "degraded": degraded,
            "usage": usage,
            "questions": (),
            "answers": {},
        }
        record = self._updated(outcomes, changes)
        self._folder.write_answer(answer)
        self._folder.write_record(record)
        return Ended(record=record, answer=answer, unused=tuple(self._record.answers))

    def _updated(self, outcomes: Mapping[str, Outcome], changes: Mapping[str, object]) -> RunRecord:
        spent = sum((outcome.usage for outcome in outcomes.values()), self._record.planning)
        return self._record.model_copy(
            update={
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "steps": step_records(self._crew.doers(self._plan), outcomes, self._folder.path),
                "usage": spent,
                **changes,
            }
        )


@contextmanager
def _saver(path: Path) -> "Generator[BaseCheckpointSaver[Any]]":
    """Open the checkpoints, which only their owner may read: they hold goals, data and answers.

    Without the extra that stores them they are kept as long as the process lives, for steps that ask.
    """
    try:
        from langgraph.checkpoint.sqlite import SqliteSaver
    except ImportError:
        yield InMemorySaver()
        return
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
    try:
        yield SqliteSaver(connection)
    finally:
        connection.close()
