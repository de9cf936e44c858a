"""The forms of calls and their results: what comes from a graph around this one, and what goes back to the caller."""

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.types import Command, GraphOutput

from goalgraph.errors import GoalgraphError
from goalgraph.graph.result import RunResult
from goalgraph.graph.state import PlanInput

__all__ = ["answer_of", "of_parent", "tool_of", "usual_result", "wants_result", "whole"]

_PLACES = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


def whole(given: RunnableConfig) -> RunnableConfig:
    """Add what comes from a graph around this one, as LangGraph does: unless a place of its own is given."""
    config, around = ensure_config(given), ensure_config()
    if not any(given.get("configurable", {}).get(key) for key in _PLACES):
        config["configurable"] = {**around.get("configurable", {}), **config.get("configurable", {})}
    return config


def of_parent(given: Any) -> Any:
    """Take what is ours of the state of the graph around this one, which hands all of it to its nodes."""
    whole, own = given, getattr(given, "__dict__", None)
    values = cast("Mapping[str, object] | None", given if isinstance(given, Mapping) else own)
    if values is None or isinstance(given, (Command, PromptValue)):
        return whole
    return {name: values[name] for name in PlanInput.__annotations__ if values.get(name) is not None}


def wants_result(kwargs: Mapping[str, Any]) -> bool:
    """Whether a call is for the result in its usual form, no list of parts and no ``GraphOutput``."""
    return "version" not in kwargs and kwargs.get("stream_mode", "values") == "values"


def usual_result(output: GraphOutput[Any]) -> Any:
    """Give a result its usual form; LangGraph itself, to make it, has every step's update streamed and drops it."""
    value: Any = output.value
    if output.interrupts:
        return RunResult(value or {}, __interrupt__=list(output.interrupts))
    return RunResult(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


def answer_of(result: Mapping[str, Any]) -> str:
    """Return the answer of a result as text.

    Raises:
        GoalgraphError: There is none yet: the run asks something.
    """
    if asked := result.get("__interrupt__"):
        value: Any = asked[0].value
        about = cast("Mapping[str, Any]", value if isinstance(value, Mapping) else {})
        prompt = str(about.get("prompt", value))[:200]
        raise GoalgraphError(
            f"the run asks {prompt!r}, and nobody around the tool can be asked",
            hint="call the tool from a graph with a checkpointer, or use the agent itself",
        )
    return str(result["answer"])


def tool_of(agent: Any, *, name: str | None = None, description: str | None = None, **kwargs: Any) -> BaseTool:
    """Make a tool of an agent; see `goalgraph.PlanAgent.as_tool`."""
    own = agent.name if agent.name != "LangGraph" else None

    def run(goal: str) -> str:
        return answer_of(agent.invoke({"goal": goal}))

    async def arun(goal: str) -> str:
        return answer_of(await agent.ainvoke({"goal": goal}))

    return StructuredTool.from_function(
        run,
        arun,
        name=name or own or "plan_and_do",
        description=description or "Plans a goal in several steps, does them, and returns the answer.",
        **kwargs,
    )
