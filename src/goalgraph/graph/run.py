"""One invocation of an agent: what its nodes share in the process and never store."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.types import Overwrite, StateSnapshot
from pydantic import JsonValue

from goalgraph.graph.board import Board, PlanIndex
from goalgraph.graph.slots import Slots
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
from goalgraph.specialists.router import route

__all__ = ["Run", "Work", "recorded_outcomes", "run_of"]

_KEY = "__goalgraph_run"  # keys that begin with two underscores are not stored with checkpoints


class _HasState(Protocol):
    async def aget_state(self, config: RunnableConfig) -> StateSnapshot: ...


@dataclass(frozen=True, slots=True)
class Work:
    """A superstep of steps: the board they meet at, and what they all see."""

    board: Board
    chains: Mapping[str, Sequence[str]]
    """Names of who tries a step, by step."""
    goal: str
    inputs: Mapping[str, JsonValue]


@dataclass(slots=True)
class Run:
    """Created for each call of the graph, so that no call ever meets another's board."""

    agent: _HasState
    cards: tuple[SpecialistCard, ...]
    max_concurrency: int | None
    fail_fast: bool = False
    id: str = field(default_factory=lambda: f"run-{uuid4().hex[:12]}")
    work: Work | None = None
    _restored: "asyncio.Task[Work] | None" = None

    def into(self, config: RunnableConfig) -> RunnableConfig:
        """Return the config with this run in it, for `run_of`."""
        return {**config, "configurable": {**config.get("configurable", {}), _KEY: self}}

    def begin(self, plan: Plan, outcomes: Mapping[str, Outcome], goal: str, inputs: Mapping[str, JsonValue]) -> Work:
        """Set the board for all steps of a plan without an outcome."""
        index = PlanIndex.of(plan)
        chains = {
            step_id: route(index.steps[step_id], self.cards) for step_id in index.order if step_id not in outcomes
        }
        each = {card.name: card.max_concurrency for card in self.cards if card.max_concurrency is not None}
        slots = Slots(self.max_concurrency, each, index.priority)
        first = {step_id: chain[0] for step_id, chain in chains.items()}
        self.work = Work(
            Board(index, outcomes, first, slots, stoppable=self.fail_fast), chains, goal, {**plan.inputs, **inputs}
        )
        return self.work

    async def resumed(self, config: RunnableConfig) -> Work:
        """Set the board from what is stored: for a run that starts in the middle of a superstep.

        Args:
            config: Of one of the superstep's tasks.
        """
        if self._restored is None:
            self._restored = asyncio.create_task(self._restore(config))
        return await asyncio.shield(self._restored)

    async def _restore(self, config: RunnableConfig) -> Work:
        configurable = dict(config.get("configurable", {}))
        namespace = str(configurable.get("checkpoint_ns", "")).rpartition("|")[0]
        for key in ("checkpoint_id", "checkpoint_map"):
            configurable.pop(key, None)
        snapshot = await self.agent.aget_state({"configurable": {**configurable, "checkpoint_ns": namespace}})
        values = cast("dict[str, object]", snapshot.values)
        return self.begin(
            cast("Plan", values["plan"]),
            recorded_outcomes(snapshot),
            cast("str", values.get("goal") or ""),
            cast("dict[str, JsonValue]", values.get("inputs") or {}),
        )


def recorded_outcomes(snapshot: StateSnapshot) -> dict[str, Outcome]:
    """Return the outcomes that are stored: of finished supersteps, and of the one that was under way."""
    found = dict(cast("dict[str, dict[str, Outcome] | None]", snapshot.values).get("outcomes") or {})
    for task in snapshot.tasks:
        written = cast("dict[str, object] | None", task.result) or {}
        outcomes = written.get("outcomes")
        if isinstance(outcomes, Overwrite):  # decompose has made a new plan, and the old one's outcomes are gone
            found = dict(cast("dict[str, Outcome]", outcomes.value))
        elif outcomes is not None:
            found.update(cast("dict[str, Outcome]", outcomes))
    return found


def run_of(config: RunnableConfig) -> Run:
    """Return the run that a node's config belongs to."""
    return cast("Run", config.get("configurable", {})[_KEY])
