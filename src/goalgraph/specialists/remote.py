"""Graphs on a LangGraph server (`RemoteGraph`) as specialists."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import convert_to_messages
from langchain_core.runnables import RunnableConfig

from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.specialists.briefing import brief
from goalgraph.specialists.runnables import RunFailed, answer_in
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langgraph.pregel.remote import RemoteGraph

__all__ = ["RemoteSpecialist", "remote_graph"]

_INTERRUPT = "__interrupt__"
_MAX_SHOWN = 300


def remote_graph(one: object) -> "RemoteGraph | None":
    """Return a remote graph as what it is; None for all others, without loading what only those need."""
    module: Any = sys.modules.get("langgraph.pregel.remote")
    return cast("RemoteGraph", one) if module is not None and isinstance(one, module.RemoteGraph) else None


class RemoteSpecialist:
    """A graph on a server that does steps, each in a run, and a state, of its own.

    It is sent the whole brief as one message; the step's id and its idempotency key go along as metadata of the run.
    Its answer is read as that of a local graph, and the usage that its messages tell counts for the step. Its tokens
    and events are not streamed, and what it asks of humans cannot be answered from here: the step fails and says what
    was asked. A step that was not recorded, and one that is cancelled here, may go on over there.
    """

    def __init__(self, graph: "RemoteGraph", card: SpecialistCard) -> None:
        """Take the graph.

        Raises:
            InvalidSpecialist: Its config names a thread, whose state all steps would share.
        """
        known: Mapping[str, object] = (graph.config or {}).get("configurable", {})
        if "thread_id" in known:
            raise InvalidSpecialist(
                f"the remote graph {card.name!r} has a thread in its config, so that steps done at the same time would "
                "get each other's messages and answers",
                hint="leave the thread out: each step then has a run of its own",
            )
        self._graph = graph
        self.card = card

    def __repr__(self) -> str:
        return f"<specialist {self.card.name!r}>"

    async def run(self, task: StepTask, context: StepContext) -> object:
        """Have the server run the graph, and wait for what it comes to."""
        given = {"messages": [{"role": "user", "content": brief(task, context)}]}
        about = {"goalgraph_step": task.step, "goalgraph_idempotency_key": context.idempotency_key}
        config: RunnableConfig = {"metadata": about}
        state: object = None
        graph: Any = self._graph  # whose overloads leave types open
        async for part in graph.astream(given, config, stream_mode=["values", "updates"], version="v2"):
            data: object = part["data"]
            asked = part["interrupts"] or (
                cast("dict[str, object]", data).get(_INTERRUPT) if _is_object(data) else None
            )
            if asked:
                raise RunFailed(
                    f"the remote graph {self.card.name!r} asks what cannot be answered here: {_shown(asked)}"
                )
            if part["type"] == "values":
                state = data
        if state is None:
            raise RunFailed(f"the remote graph {self.card.name!r} gave nothing")
        return _read(state)


def _read(state: object) -> object:
    """Read a state that came as JSON: messages, and the outcomes of another goalgraph, are made what they were."""
    if not _is_object(state):
        return state
    values = dict(cast("dict[str, Any]", state))
    if "answer" in values and "outcomes" in values:
        values["outcomes"] = {step: Outcome.model_validate(one) for step, one in values["outcomes"].items()}
        values["usage"] = Usage.model_validate(values.get("usage") or {})
        return answer_in(values)
    if not isinstance(values.get("messages"), list):
        return values
    used = _usage(values["messages"])
    values["messages"] = convert_to_messages(values["messages"])
    found = answer_in(values)
    return StepResult(output=found, usage=used) if used.calls else found


def _usage(messages: Sequence[object]) -> Usage:
    """Add up what the messages tell of the calls of models over there."""
    total = Usage()
    for message in messages:
        told = cast("dict[str, object]", message).get("usage_metadata") if isinstance(message, dict) else None
        if isinstance(told, dict):
            amounts = cast("dict[str, object]", told)
            spent, made = amounts.get("input_tokens"), amounts.get("output_tokens")
            if isinstance(spent, int) and isinstance(made, int):
                total += Usage(input_tokens=spent, output_tokens=made, calls=1)
    return total


def _is_object(data: object) -> bool:
    return isinstance(data, dict)


def _shown(asked: object) -> str:
    questions: Sequence[object] = cast("Sequence[object]", asked) if isinstance(asked, (list, tuple)) else [asked]
    values = [
        cast("dict[str, object]", one).get("value") if isinstance(one, dict) else getattr(one, "value", one)
        for one in questions
    ]
    text = " ".join("; ".join(map(str, values)).split())
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
