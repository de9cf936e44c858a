"""What the tests of agents as specialists share: an agent of LangChain's own that asks before it sends a mail."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from langchain import agents
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from langgraph.types import Command, Interrupt, interrupt

from goalgraph.testing import ScriptedChatModel

Mode = Literal["batched", "per_call"]
"""How LangChain's middleware asks: once for all calls of a turn, or once for each."""


class Post:
    """The mail that was sent, in order, and the agents that send it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.models: dict[str, ScriptedChatModel] = {}

    def mailer(
        self,
        mode: Mode = "batched",
        *,
        name: str = "mailer",
        model: Callable[[Sequence[BaseMessage]], object] | None = None,
        **options: Any,
    ) -> Any:
        """An agent that mails whom its task names last, and asks before it does."""

        @tool
        def send(to: str) -> str:
            """Sends a mail."""
            self.sent.append(to)
            return f"sent to {to}"

        middleware: Any = HumanInTheLoopMiddleware({"send": True}, interrupt_mode=mode)
        return self.agent(name, model or mails, send, middleware=[middleware], **options)

    def asker(self, *questions: str, name: str = "asker") -> Any:
        """An agent whose tool asks questions itself, one after the other."""

        @tool
        def consult(to: str) -> str:
            """Asks a human."""
            said = [str(interrupt(f"{question} {to}?")) for question in questions]
            self.sent.append(to)
            return f"{to}: {', '.join(said)}"

        return self.agent(name, mails, consult)

    def agent(self, name: str, model: Callable[[Sequence[BaseMessage]], object], *tools: Any, **options: Any) -> Any:
        create: Any = agents.create_agent  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self.models[name] = ScriptedChatModel(model)
        return create(self.models[name], list(tools), name=name, **options)

    def calls(self, name: str = "mailer") -> int:
        """How often the model of an agent was called."""
        return len(self.models[name].received)


def mails(messages: Sequence[BaseMessage]) -> object:
    """Calls the tool for whom the task names last, and then says what came of it."""
    if messages[-1].type == "tool":
        return f"done: {messages[-1].text}"
    return {"to": messages[0].text.splitlines()[0].split()[-1]}


def mail(step_id: str, to: str, *needs: str, agent: str = "mailer", **fields: Any) -> dict[str, Any]:
    """A step that has somebody mailed."""
    return {"id": step_id, "agent": agent, "task": f"mail {to}", "depends_on": list(needs), **fields}


def questions(result: Mapping[str, Any]) -> dict[str, Interrupt]:
    """What is asked, by whom it is about."""
    found: dict[str, Interrupt] = {}
    for one in cast("Sequence[Interrupt]", result.get("__interrupt__") or ()):
        assert _about(one.value) not in found, "asked twice"
        found[_about(one.value)] = one
    return found


def reply(result: Mapping[str, Any], answers: Mapping[str, object]) -> Command[Any]:
    """Answer by whom it is about."""
    asked = questions(result)
    return Command(resume={asked[to].id: said for to, said in answers.items()})


def decided(decision: Mapping[str, object] | str, mode: Mode = "batched") -> object:
    """A decision as a screen of LangChain sends it."""
    one = {"type": decision} if isinstance(decision, str) else decision
    return {"decisions": [one]} if mode == "batched" else one


def _about(value: Any) -> str:
    if isinstance(value, str):
        return value
    action = value["action_requests"][0] if "action_requests" in value else value
    return str(action["args"].get("to") or action["name"])
