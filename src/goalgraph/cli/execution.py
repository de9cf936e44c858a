"""One run of an agent for the command line: begun or gone on with, followed, and recorded whatever happens."""

import os
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from goalgraph.cli.crew import Crew
from goalgraph.cli.endings import BadInput
from goalgraph.cli.folders import RunFolder
from goalgraph.cli.progress import Track, as_event
from goalgraph.cli.records import RunRecord, step_records
from goalgraph.cli.terminal import Terminal
from goalgraph.errors import GoalgraphError
from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.build import create_plan_agent
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.graph.run import recorded_outcomes
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan

__all__ = ["Execution", "RunBroken"]


class RunBroken(GoalgraphError):
    """A run ended before its answer; what was done is kept."""


class Execution:
    """A run in its folder."""

    def __init__(self, folder: RunFolder, record: RunRecord, plan: Plan, crew: Crew, terminal: Terminal) -> None:
        self._folder = folder
        self._record = record
        self._plan = plan
        self._crew = crew
        self._terminal = terminal
        self._config: RunnableConfig = {"configurable": {"thread_id": record.thread}}

    async def carry_out(self) -> tuple[RunRecord, str]:
        """Do the run, or what is left of it, and return its record and its answer.

        Raises:
            BadInput: The checkpoints cannot be read.
            RunBroken: It ended before its answer.
        """
        with _saver(self._folder.checkpoints) as saver:
            agent = self._agent(saver)
            try:
                snapshot = await agent.aget_state(self._config) if saver is not None else None
            except sqlite3.DatabaseError as error:
                raise BadInput(
                    f"{str(self._folder.checkpoints)!r} cannot be read: {error}", hint="run the goal again"
                ) from error
            stored = cast("dict[str, object]", snapshot.values) if snapshot is not None else {}
            if isinstance(kept := stored.get("plan"), Plan) and kept != self._plan:
                self._plan = kept
                agent = self._agent(saver)
            outcomes = recorded_outcomes(snapshot) if snapshot is not None else {}
            return self._ended(await self._followed(agent, outcomes, begun=bool(stored), kept=saver is not None))

    def _agent(self, saver: "BaseCheckpointSaver[Any] | None") -> PlanAgent:
        options = self._record.options
        return create_plan_agent(
            self._crew.model,
            self._crew.registry,
            synthesis=self._crew.synthesis(self._plan),
            execution=ExecutionPolicy(max_concurrency=options.max_concurrency, step_timeout=options.timeout),
            checkpointer=saver,
        )

    async def _followed(
        self, agent: PlanAgent, outcomes: Mapping[str, Outcome], *, begun: bool, kept: bool
    ) -> Mapping[str, object]:
        track = Track.of(self._crew.doers(self._plan), outcomes)
        given = None if begun else {"goal": self._record.goal, "plan": self._plan}
        values: Mapping[str, object] = {}
        try:
            with track.displayed(self._terminal, monotonic) as tell:
                async for mode, part in agent.astream(given, self._config, stream_mode=["custom", "values"]):
                    if mode == "values":
                        values = part
                    elif (event := as_event(part)) is not None:
                        tell(event)
        except BaseException:
            self._interrupted(await self._known(agent, track, kept=kept))
            raise
        if values.get("status") is None:
            self._interrupted(await self._known(agent, track, kept=kept))
            raise RunBroken(
                "a specialist waits for a person's answer, which the command line cannot give",
                hint=f"resume the thread {self._record.thread!r} of {str(self._folder.checkpoints)!r} from Python",
            )
        return values

    async def _known(self, agent: PlanAgent, track: Track, *, kept: bool) -> Mapping[str, Outcome]:
        """What is done: by the checkpoints, which a resumed run will go by, else by the events."""
        if not kept:
            return track.outcomes()
        try:
            return recorded_outcomes(await agent.aget_state(self._config))
        except Exception:
            return track.outcomes()

    def _interrupted(self, outcomes: Mapping[str, Outcome]) -> None:
        self._folder.write_record(self._updated(outcomes, {"status": "interrupted"}))

    def _ended(self, values: Mapping[str, object]) -> tuple[RunRecord, str]:
        outcomes = cast("Mapping[str, Outcome]", values.get("outcomes") or {})
        answer = cast("str | None", values.get("answer")) or ""
        usage = self._record.planning + cast("Usage", values.get("usage") or Usage())
        degraded = tuple(cast("list[str]", values.get("degraded") or ()))
        status = cast("str | None", values.get("status")) or "failed"
        record = self._updated(outcomes, {"status": status, "degraded": degraded, "usage": usage})
        self._folder.write_answer(answer)
        self._folder.write_record(record)
        return record, answer

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
def _saver(path: Path) -> "Generator[BaseCheckpointSaver[Any] | None]":
    """Open the checkpoints, which only their owner may read: they hold goals, data and answers."""
    try:
        from langgraph.checkpoint.sqlite import SqliteSaver
    except ImportError:
        yield None
        return
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
    try:
        yield SqliteSaver(connection)
    finally:
        connection.close()
