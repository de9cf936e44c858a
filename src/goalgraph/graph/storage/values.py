"""The values of a run as they are stored, read without the agent, and so without the specialists, that did it."""

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Overwrite

from goalgraph.graph.state import PlanState
from goalgraph.graph.storage.recorded import recorded_items
from goalgraph.graph.storage.savers import for_any_loop
from goalgraph.planner.outcome import Outcome

__all__ = ["stored_values"]


def stored_values(saver: BaseCheckpointSaver[Any], thread: str) -> dict[str, Any]:
    """Return the values of a thread's latest run; its outcomes also from the superstep that was under way.

    Args:
        saver: Where it is stored.
        thread: Id of the thread; where nothing is stored of it, the values are empty.

    Raises:
        CorruptRun: What is stored cannot be read.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    found = for_any_loop(saver).get_tuple(config)
    if found is None:
        return {}
    graph: Any = StateGraph(PlanState)
    graph.add_node("reader", _nothing)
    graph.add_edge(START, "reader")
    reader = graph.compile(checkpointer=for_any_loop(saver))
    values = dict(cast("Mapping[str, Any]", reader.get_state(config).values))
    outcomes = {**recorded_items(found), **cast("dict[str, Outcome]", values.get("outcomes") or {})}
    for _, channel, written in found.pending_writes or ():
        if channel == "outcomes":
            if isinstance(written, Overwrite):  # a new plan was made, and the old one's outcomes are gone
                outcomes = dict(cast("dict[str, Outcome]", written.value))
                continue
            for step_id, outcome in cast("dict[str, Outcome | None]", written).items():
                if outcome is None:
                    outcomes.pop(step_id, None)
                else:
                    outcomes[step_id] = outcome
    return {**values, "outcomes": outcomes}


def _nothing(state: PlanState) -> dict[str, Any]:
    """Stand for what the run would do; it is never called."""
    return {}
