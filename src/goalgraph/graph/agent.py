"""The compiled graph that callers hold: LangGraph's own, with the engine's terms around each call."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any, cast

from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import merge_configs
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateUpdate
from pydantic import JsonValue

from goalgraph.errors import GoalgraphError
from goalgraph.graph.driving import driving
from goalgraph.graph.humans.approval import ApprovalPolicy
from goalgraph.graph.humans.door import admit
from goalgraph.graph.humans.thread import read_thread, saver_of
from goalgraph.graph.intake import complete, valid_plan
from goalgraph.graph.loop import finish, iterate
from goalgraph.graph.policies import ExecutionPolicy, Limits
from goalgraph.graph.run import Run
from goalgraph.graph.state import PlanInput
from goalgraph.graph.steps.attempts import Exiting
from goalgraph.graph.storage.savers import AnyLoopSaver
from goalgraph.graph.storage.updating import kept
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.plan import Plan
from goalgraph.planner.reviewed import PlanInReview
from goalgraph.planner.validation import PlanPolicy
from goalgraph.specialists.registry import SpecialistRegistry

__all__ = ["PlanAgent"]

_UNLIMITED = 2**31
_SUPERSTEPS = 25
_PLACES = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


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
        approval: ApprovalPolicy,
        limits: Limits,
        library: PlanLibrary | None,
        **kwargs: Any,
    ) -> None:
        """Called by `create_plan_agent` and by LangGraph's own ``copy``."""
        kwargs["checkpointer"] = _for_any_loop(kwargs.get("checkpointer"))
        super().__init__(**kwargs)
        self.registry = registry
        self.execution = execution
        self.approval = approval
        self.limits = limits
        self.library = library

    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:
        """Stream a run; see ``CompiledStateGraph.astream``.

        Raises:
            InvalidGoal: Neither a goal nor a plan is given.
            InvalidPlan: The given plan has problems.
            PlannerError: No plan could be made.
            RunBusy: Another call is at the thread's run.
            RunPaused: The thread's run waits for answers, and this is a new goal.
            UnknownRun: There is nothing to go on with.
            AnswerRefused: An answer cannot be used; the run waits on.
            CorruptRun: What is stored cannot be used.
        """
        run, config = self._prepared(config)
        if config.get("configurable", {}).get("checkpoint_ns"):
            input = _of_parent(input)
        given: object = complete(input, PlanPolicy(max_steps=self.limits.max_steps), self.registry.cards, self.library)
        run.checked = _plan_of(given)
        if kwargs.get("durability") is None and isinstance(vars(self)["checkpointer"], AnyLoopSaver):
            kwargs["durability"] = "sync"
        return self._streamed(given, run, config, kwargs)

    async def _streamed(
        self, given: object, run: Run, config: RunnableConfig, kwargs: Mapping[str, Any]
    ) -> AsyncGenerator[Any]:
        """Stream a run once it is clear that it may begin, or go on, with what it is given."""
        saver, known = saver_of(self, config), config.get("configurable", {})
        graph: Any = super()  # whose overloads know each of the keyword arguments by name
        async with AsyncExitStack() as stack:
            if saver is not None and "thread_id" in known and not known.get("checkpoint_ns"):  # else the other graph's
                await stack.enter_async_context(driving(getattr(saver, "store", saver), str(known["thread_id"])))
                given, run.answers = await admit(await read_thread(self, config, saver), given)
            run.driver = asyncio.current_task()
            stack.callback(run.end)
            stream = await stack.enter_async_context(aclosing(graph.astream(given, run.into(config), **kwargs)))
            try:
                async for part in stream:
                    yield part
            except GeneratorExit:
                run.is_over = True
                raise
            except Exiting as carrier:
                raise carrier.carried from None
        if run.work is not None and run.work.board.has_drained and run.control is not None:
            raise GraphDrained(run.control.drain_reason or "shutdown")

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
        self.check_caller()
        return iterate(lambda: self.astream(input, config, **kwargs))

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """Change a thread's state; see ``CompiledStateGraph``. Nothing that was recorded is lost.

        What steps have come to is kept, though LangGraph begins a new checkpoint. A plan is checked as any other, and
        goes to the review where the policy asks for one.

        Raises:
            InvalidPlan: The new plan has problems.
        """
        graph: Any = super()
        saver, known = saver_of(self, ensure_config(config)), config.get("configurable", {})
        if saver is not None and supersteps and supersteps[0] and not known.get("checkpoint_id"):
            thread = await read_thread(self, config, saver)
            supersteps = kept(thread, supersteps, partial(self._written_plan, thread.snapshot.values))
        return cast("RunnableConfig", await graph.abulk_update_state(config, supersteps))

    def bulk_update_state(self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]) -> RunnableConfig:
        """Do what `abulk_update_state` does, from sync code."""
        self.check_caller()
        return finish(lambda: self.abulk_update_state(config, supersteps))

    def _written_plan(self, values: Mapping[str, Any], source: Any) -> dict[str, object]:
        """Check a plan that somebody writes into the state, and return the channels that hold it."""
        cards = self.registry.cards
        inputs: Mapping[str, JsonValue] = values.get("inputs") or {}
        plan = valid_plan(source, inputs, PlanPolicy(max_steps=self.limits.max_steps), cards, self.library)
        review = PlanInReview(goal=values.get("goal") or "", plan=plan, is_given=True) if self.approval.plan else None
        return {"plan": compile_plan(plan, cards), "review": review}

    def check_caller(self) -> None:
        """Refuse a blocking call from the loop that the checkpointer needs.

        Raises:
            asyncio.InvalidStateError: It would wait for ever.
        """
        saver: Any = vars(self)["checkpointer"]
        if isinstance(saver, AnyLoopSaver):
            saver.check_caller()

    def as_tool(self, *args: Any, **kwargs: Any) -> BaseTool:
        """Return a tool with the one argument ``goal`` that answers with the run's answer.

        What the run asks of humans is asked by the graph that calls the tool, and answered there. Called from outside
        of any graph, a tool whose run asks something raises `GoalgraphError`.
        """
        name = kwargs.pop("name", None) or (self.name if self.name != "LangGraph" else None) or "plan_and_do"
        about = kwargs.pop("description", None) or "Plans a goal in several steps, does them, and returns the answer."

        graph: Any = self

        def run(goal: str) -> str:
            return _answer(graph.invoke({"goal": goal}))

        async def arun(goal: str) -> str:
            return _answer(await graph.ainvoke({"goal": goal}))

        return StructuredTool.from_function(run, arun, name=name, description=about, **kwargs)

    def _prepared(self, config: RunnableConfig | None) -> tuple[Run, RunnableConfig]:
        """Take the caller's limit for the steps; LangGraph's own tasks, which wait for each other, run without one."""
        config = _whole(merge_configs(self.config, config))
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
            max_seconds=self.limits.max_seconds,
            approval=self.approval,
        )
        return run, config


def _whole(given: RunnableConfig) -> RunnableConfig:
    """Add what comes from a graph around this one, as LangGraph does: unless a place of its own is given."""
    config, around = ensure_config(given), ensure_config()
    if not any(given.get("configurable", {}).get(key) for key in _PLACES):
        config["configurable"] = {**around.get("configurable", {}), **config.get("configurable", {})}
    return config


def _of_parent(given: Any) -> Any:
    """Take what is ours of the state of the graph around this one, which hands all of it to its nodes."""
    whole, own = given, getattr(given, "__dict__", None)
    values = cast("Mapping[str, object] | None", given if isinstance(given, Mapping) else own)
    if values is None or isinstance(given, Command):
        return whole
    return {name: values[name] for name in PlanInput.__annotations__ if values.get(name) is not None}


def _answer(result: Mapping[str, Any]) -> str:
    if asked := result.get("__interrupt__"):
        value: Any = asked[0].value
        about = cast("Mapping[str, Any]", value if isinstance(value, Mapping) else {})
        prompt = str(about.get("prompt", value))[:200]
        raise GoalgraphError(
            f"the run asks {prompt!r}, and nobody around the tool can be asked",
            hint="call the tool from a graph with a checkpointer, or use the agent itself",
        )
    return str(result["answer"])


def _plan_of(given: object) -> Plan | None:
    """The plan in what a run is begun with, if one is."""
    return cast("dict[str, Plan | None]", given).get("plan") if isinstance(given, dict) else None


def _for_any_loop(value: Any) -> Any:
    """Wrap a checkpointer; anything else stays as it is."""
    if isinstance(value, BaseCheckpointSaver) and not isinstance(value, AnyLoopSaver):
        return AnyLoopSaver(cast("Any", value))
    return value
