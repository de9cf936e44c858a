"""The compiled graph that callers hold: LangGraph's own, with the engine's terms around each call."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from goalgraph.graph.intake import complete
from goalgraph.graph.loop import iterate
from goalgraph.graph.policies import ExecutionPolicy, Limits
from goalgraph.graph.run import Run
from goalgraph.graph.savers import AnyLoopSaver
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.validation import PlanPolicy
from goalgraph.specialists.registry import SpecialistRegistry

__all__ = ["PlanAgent"]

_UNLIMITED = 2**31
_SUPERSTEPS = 25


class PlanAgent(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph that plans and does goals.

    Use it as any compiled graph: ``invoke``, ``ainvoke``, ``stream``, ``astream``, as a node of another graph, in a
    chain. Input is ``{"goal": ...}`` or ``{"messages": [...]}``, with ``plan`` (a `Plan`, a mapping, a path, or an
    alias in the library) and ``inputs`` where wanted. ``config["max_concurrency"]`` limits the steps that run at the
    same time.
    """

    def __init__(
        self,
        *,
        registry: SpecialistRegistry,
        execution: ExecutionPolicy,
        limits: Limits,
        library: PlanLibrary | None,
        **kwargs: Any,
    ) -> None:
        """Called by `create_plan_agent` and by LangGraph's own ``copy``."""
        kwargs["checkpointer"] = _for_any_loop(kwargs.get("checkpointer"))
        super().__init__(**kwargs)
        self.registry = registry
        self.execution = execution
        self.limits = limits
        self.library = library

    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:
        """Stream a run; see ``CompiledStateGraph.astream``.

        Raises:
            InvalidGoal: Neither a goal nor a plan is given.
            InvalidPlan: The given plan has problems.
            PlannerError: No plan could be made.
        """
        given: Any = complete(input, PlanPolicy(max_steps=self.limits.max_steps), self.registry.cards, self.library)
        run, config = self._prepared(config)
        if isinstance(given, dict):
            run.checked = cast("dict[str, Any]", given)["plan"]
        if kwargs.get("durability") is None and isinstance(vars(self)["checkpointer"], AnyLoopSaver):
            kwargs["durability"] = "sync"
        graph: Any = super()  # whose overloads know each of the keyword arguments by name
        stream: AsyncIterator[Any] = graph.astream(given, run.into(config), **kwargs)
        return stream

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Run to the end and return the result: ``answer``, ``status``, ``plan``, ``outcomes`` and so on."""
        graph: Any = super()
        return await graph.ainvoke(input, config, **kwargs)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Run to the end, from sync code, also inside a running event loop; returns what `ainvoke` does."""
        graph: Any = super()
        return graph.invoke(input, config, **kwargs)

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """Stream a run from sync code; the same engine as `astream`, also inside a running event loop.

        Raises:
            asyncio.InvalidStateError: The checkpointer is an async one that belongs to the very loop this call blocks.
        """
        saver: Any = vars(self)["checkpointer"]
        if isinstance(saver, AnyLoopSaver):
            saver.check_caller()
        return iterate(lambda: self.astream(input, config, **kwargs))

    def as_tool(self, *args: Any, **kwargs: Any) -> BaseTool:
        """Return a tool with the one argument ``goal`` that answers with the run's answer."""
        name = kwargs.pop("name", None) or (self.name if self.name != "LangGraph" else None) or "plan_and_do"
        about = kwargs.pop("description", None) or "Plans a goal in several steps, does them, and returns the answer."

        graph: Any = self

        def run(goal: str) -> str:
            return str(graph.invoke({"goal": goal})["answer"])

        async def arun(goal: str) -> str:
            return str((await graph.ainvoke({"goal": goal}))["answer"])

        return StructuredTool.from_function(run, arun, name=name, description=about, **kwargs)

    def _prepared(self, config: RunnableConfig | None) -> tuple[Run, RunnableConfig]:
        """Take the caller's limit for the steps; LangGraph's own tasks, which wait for each other, run without one."""
        config = ensure_config(config)
        limits = [self.execution.max_concurrency]
        if (limit := config.get("max_concurrency")) is not None:
            limits.append(limit)
            config["max_concurrency"] = _UNLIMITED
        config["recursion_limit"] = max(config.get("recursion_limit") or 0, _SUPERSTEPS)
        config["configurable"] = {key: _for_any_loop(value) for key, value in config.get("configurable", {}).items()}
        given = [limit for limit in limits if limit is not None]
        fail_fast = self.execution.on_failure == "fail_fast"
        run = Run(
            self,
            self.registry.cards,
            min(given, default=None),
            fail_fast=fail_fast,
            max_items=self.limits.max_items,
        )
        return run, config


def _for_any_loop(value: Any) -> Any:
    """Wrap a checkpointer; anything else stays as it is."""
    if isinstance(value, BaseCheckpointSaver) and not isinstance(value, AnyLoopSaver):
        return AnyLoopSaver(cast("Any", value))
    return value
