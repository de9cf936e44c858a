"""A handler of LangChain's callbacks that keeps what it hears, and specialists whose models it can hear."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage

from goalgraph import PlanAgent, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.testing import ScriptedChatModel

__all__ = ["PLAN", "TEXT", "Call", "Hears", "writers"]

TEXT = "The sun is warm."
PLAN = {"steps": [{"id": "a", "agent": "writer"}, {"id": "b", "agent": "editor", "depends_on": ["a"]}]}


@dataclass
class Call:
    """A chain, a tool or a model that was called."""

    kind: str
    name: str
    parent: UUID | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    tokens: list[str] = field(default_factory=list[str])
    ends: int = 0


class Hears(BaseCallbackHandler):
    """Keeps all calls, by id, in the order in which they began."""

    def __init__(self) -> None:
        self.calls: dict[UUID, Call] = {}
        self.twice: list[str] = []
        self._lock = Lock()

    def of(self, kind: str) -> list[Call]:
        return [call for call in self.calls.values() if call.kind == kind]

    def named(self, name: str) -> Call:
        (call,) = (call for call in self.calls.values() if call.name == name)
        return call

    def path(self, call: Call) -> list[str]:
        """Names of what a call is inside of, the outermost first."""
        above = self.calls.get(call.parent) if call.parent is not None else None
        return [*self.path(above), above.name] if above is not None else []

    def check(self) -> None:
        """Everything is told once, and has come to its end, and no tag is there twice."""
        assert self.twice == []
        assert [call.name for call in self.calls.values() if call.ends != 1] == []
        assert [call.tags for call in self.calls.values() if max(Counter(call.tags).values(), default=1) > 1] == []

    def _starts(self, kind: str, name: str, about: Mapping[str, Any]) -> None:
        with self._lock:
            if about["run_id"] in self.calls:
                self.twice.append(name)
            self.calls[about["run_id"]] = Call(
                kind, name, about.get("parent_run_id"), about.get("tags") or [], about.get("metadata") or {}
            )

    def on_chain_start(self, serialized: dict[str, Any], inputs: dict[str, Any], **kwargs: Any) -> None:
        self._starts("chain", str(kwargs.get("name")), kwargs)

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, **kwargs: Any) -> None:
        self._starts("tool", str(serialized["name"]), kwargs)

    def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[BaseMessage]], **kwargs: Any) -> None:
        self._starts("model", messages[0][-1].text, kwargs)

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.calls[run_id].tokens.append(token)

    def _ends(self, *_: Any, run_id: UUID, **kwargs: Any) -> None:
        with self._lock:
            self.calls[run_id].ends += 1

    on_chain_end = on_tool_end = on_llm_end = _ends


def writers(**options: Any) -> PlanAgent:
    """An agent with an async and a sync specialist, each of which calls a model with its step's id."""
    model = ScriptedChatModel(lambda _: TEXT)

    @specialist
    async def writer(task: StepTask, context: StepContext) -> str:
        """Writes."""
        return (await model.ainvoke(f"model of {task.step}")).text

    @specialist
    def editor(task: StepTask, context: StepContext) -> str:
        """Edits."""
        return model.invoke(f"model of {task.step}").text

    return create_plan_agent(None, [writer, editor], synthesis="last_wins", **options)
