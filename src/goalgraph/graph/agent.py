"""The compiled graph that callers hold: LangGraph's own, with the engine's terms around each call."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, cast

from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import merge_configs
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import get_checkpoint_id
from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateUpdate

from goalgraph.graph.calls import of_parent, tool_of, usual_result, wants_result, whole
from goalgraph.graph.chaining import Chained
from goalgraph.graph.coordination.assigner import Coordination, ping_timeout
from goalgraph.graph.coordination.health import conditions
from goalgraph.graph.coordination.hooks import Hooks
from goalgraph.graph.coordination.reassigning import Reassigning
from goalgraph.graph.driving import driving
from goalgraph.graph.foresight import Foresight
from goalgraph.graph.humans.approval import ApprovalPolicy
from goalgraph.graph.humans.door import admit
from goalgraph.graph.humans.thread import at_present, read_thread, saver_of
from goalgraph.graph.intake import complete, valid_plan
from goalgraph.graph.ledger.accounts import Accounts
from goalgraph.graph.loop import finish, iterate
from goalgraph.graph.policies import ExecutionPolicy, Limits, PlanningPolicy
from goalgraph.graph.revision.calling import Calls
from goalgraph.graph.revision.rules import Rules
from goalgraph.graph.run import Run
from goalgraph.graph.steps.attempts import Exiting
from goalgraph.graph.steps.nesting import around, ledgers_around
from goalgraph.graph.storage.savers import AnyLoopSaver, for_any_loop
from goalgraph.graph.storage.updating import TAKE_IN, has_ended, kept
from goalgraph.graph.storage.written import checked_command, checked_values
from goalgraph.logs import run_begun
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decomposer import Decomposer
from goalgraph.planner.history import History
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.plan import Plan
from goalgraph.planner.prices import Price
from goalgraph.planner.reviewed import PlanInReview
from goalgraph.planner.reviser import Reviser
from goalgraph.shown import Shown
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.roles import RoleMaker
from goalgraph.specialists.routing.pinging import Condition
from goalgraph.synthesis import Synthesizer
from goalgraph.synthesis.choice import may_call_models

__all__ = ["PlanAgent"]

_UNLIMITED = 2**31
_SUPERSTEPS = 25
_SUPERSTEPS_OF_REVISION = 10


class PlanAgent(Shown, Foresight, Chained, CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph that plans and does goals.

    Use it as any compiled graph: ``invoke``, ``ainvoke``, ``stream``, ``astream``, as a node of another graph, in a
    chain. Input is ``{"goal": ...}`` or ``{"messages": [...]}``, with ``plan`` (a `Plan`, a mapping, a path, or an
    alias in the library) and ``inputs`` where wanted. ``config["max_concurrency"]`` limits the steps that run at the
    same time. For its attributes see `create_plan_agent`, out of whose arguments they are made.
    """

    def __init__(
        self,
        *,
        registry: SpecialistRegistry,
        decomposer: Decomposer,
        synthesizer: Synthesizer,
        execution: ExecutionPolicy,
        approval: ApprovalPolicy,
        limits: Limits,
        planning: PlanningPolicy,
        roles: RoleMaker | None,
        rules: Rules | None,
        reviser: Reviser | None,
        library: PlanLibrary | None,
        history: History | None,
        prices: Mapping[str, Price] | None,
        hooks: Hooks | None = None,
        coordination: Coordination | None = None,
        **kwargs: Any,
    ) -> None:
        """Called by `create_plan_agent` and by LangGraph's own ``copy``."""
        kwargs["checkpointer"] = for_any_loop(kwargs.get("checkpointer"))
        super().__init__(**kwargs)
        self.registry = registry
        self.decomposer = decomposer
        self.synthesizer = synthesizer
        self.execution = execution
        self.approval = approval
        self.limits = limits
        self.planning = planning
        self.roles = roles
        self.rules = rules
        self.reviser = reviser
        self.library = library
        self.history = history
        self.prices = prices
        self.hooks = hooks
        self.coordination = coordination

    @property
    def card(self) -> SpecialistCard:
        """What another agent sees of this one, where it is one of its specialists: it can do what its own can."""
        return self.registry.card(str(self.name))

    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:
        """Stream a run; see ``CompiledStateGraph.astream``.

        Args:
            input: What a run begins with (see the class), a ``Command`` that resumes, or None: the run goes on.
            config: With a ``thread_id`` where there is a checkpointer.
            **kwargs: LangGraph's, such as ``stream_mode``.

        Raises:
            InvalidGoal: Neither a goal nor a plan is given.
            InvalidPlan: The given plan has problems.
            PlannerError: No plan could be made.
            RunBusy: Another call is at the thread's run.
            RunPaused: The thread's run waits for answers, and this is a new goal.
            UnknownRun: There is nothing to go on with.
            MissingThread: There is a checkpointer, and no ``thread_id``.
            MissingCheckpointer: A human would be asked, and there is none.
            AnswerRefused: An answer cannot be used; the run waits on.
            InvalidState: A command's update does not fit; nothing is changed.
            CorruptRun: What is stored cannot be used.
        """
        run, config = self._prepared(config)
        if config.get("configurable", {}).get("checkpoint_ns"):
            input = of_parent(input)
        given: object = complete(input, self.policy, self.registry.cards, self.library)
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
        run.is_kept = saver is not None or bool(known.get("checkpoint_ns"))
        async with AsyncExitStack() as stack:
            if saver is not None and "thread_id" in known and not known.get("checkpoint_ns"):  # else the other graph's
                await stack.enter_async_context(driving(getattr(saver, "store", saver), str(known["thread_id"])))
                config = await at_present(saver, config)
                thread = await read_thread(self, config, saver)
                if isinstance(given, Command):
                    given = checked_command(cast("Any", given), thread.snapshot.values)
                given, run.answers = await admit(thread, given)
            run.driver = asyncio.current_task()
            stack.push(run_begun(run.id))
            stack.push_async_callback(run.end)
            stream = await stack.enter_async_context(aclosing(graph.astream(given, run.into(config), **kwargs)))
            try:
                async for part in stream:
                    yield part
                    run.driver = asyncio.current_task()  # who reads on need not be who has begun to
            except (GeneratorExit, asyncio.CancelledError):
                run.is_over = True  # a cancel scope of anyio takes its cancellation back before all steps have ended
                raise
            except Exiting as carrier:
                raise carrier.carried from None
        if run.work is not None and run.work.board.has_drained and run.control is not None:
            raise GraphDrained(run.control.drain_reason or "shutdown")

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Run to the end and return the `RunResult`; what it is given, and raises: see `astream`."""
        graph: Any = super()
        if not wants_result(kwargs):
            return await graph.ainvoke(input, config, **kwargs)
        return usual_result(await graph.ainvoke(input, config, **kwargs, version="v2"))

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Do what `ainvoke` does, from sync code, also inside a running event loop."""
        graph: Any = super()
        if not wants_result(kwargs):
            return graph.invoke(input, config, **kwargs)
        return usual_result(graph.invoke(input, config, **kwargs, version="v2"))

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """Do what `astream` does, from sync code, also inside a running event loop.

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
            InvalidState: Something else does not fit. Nothing is changed.
            RunBusy: A call is at the run, or was until just now and its stream is not closed.
        """
        graph: Any = super()
        saver, known = saver_of(self, ensure_config(config)), config.get("configurable", {})
        async with AsyncExitStack() as stack:
            if saver is not None and supersteps and supersteps[0]:
                if "thread_id" in known and not known.get("checkpoint_ns"):  # else it is the other graph's
                    await stack.enter_async_context(driving(getattr(saver, "store", saver), str(known["thread_id"])))
                config = await at_present(saver, config)
                thread = await read_thread(self, config, saver)
                if get_checkpoint_id(config):
                    thread = thread.branch()
                elif has_ended(thread, supersteps):
                    await graph.abulk_update_state(config, [[TAKE_IN]])
                    thread = await read_thread(self, config, saver)
                supersteps = kept(thread, supersteps, self._written)
            return cast("RunnableConfig", await graph.abulk_update_state(config, supersteps))

    def bulk_update_state(self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]) -> RunnableConfig:
        """Do what `abulk_update_state` does, from sync code."""
        self.check_caller()
        return finish(lambda: self.abulk_update_state(config, supersteps))

    def _written(self, values: Mapping[str, Any], state: Mapping[str, Any], *, as_input: bool) -> dict[str, Any]:
        """Check what somebody writes into a state, and return the channels that hold it."""
        cards = self.registry.cards
        if as_input:
            return cast("dict[str, Any]", complete(values, self.policy, cards, self.library))
        given = values.get("plan")
        if given is None:
            return checked_values(values, state)
        inputs: Any = checked_values({"inputs": values.get("inputs", state.get("inputs")) or {}}, state)["inputs"]
        plan = valid_plan(given, inputs, self.policy, cards, self.library)
        goal = values.get("goal", state.get("goal")) or ""
        review = PlanInReview(goal=goal, plan=plan, is_given=True) if self.approval.plan else None
        flat = compile_plan(plan, cards)
        return {**checked_values(values, {**state, "plan": flat}), "plan": flat, "review": review}

    async def acheck(self) -> dict[str, Condition]:
        """Ping all specialists that have a ``ping``, at once; by name, those without one left out."""
        return await conditions(self.registry, ping_timeout(self.coordination))

    def check(self) -> dict[str, Condition]:
        """Do what `acheck` does, from sync code."""
        return finish(self.acheck)

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
        return tool_of(self, **kwargs)

    def _prepared(self, config: RunnableConfig | None) -> tuple[Run, RunnableConfig]:
        """Take the caller's limit for the steps; LangGraph's own tasks, which wait for each other, run without one.

        What the agent is bound to and what surrounds the call is looked at here, and not put into the config: LangGraph
        adds it by itself, and each tag and handler would be there twice.
        """
        own, config = config or {}, whole(merge_configs(self.config, config))
        limits = [self.execution.max_concurrency]
        if (limit := config.get("max_concurrency")) is not None:
            limits.append(limit)
        revisions = self.rules.policy.max_revisions if self.rules is not None else 0
        needed = _SUPERSTEPS + _SUPERSTEPS_OF_REVISION * revisions
        recursion_limit = max(config.get("recursion_limit") or 0, needed)
        configurable = {key: for_any_loop(value) for key, value in config.get("configurable", {}).items()}
        given = [limit for limit in limits if limit is not None]
        fail_fast = self.execution.on_failure == "fail_fast"
        outer, policy = around(str(configurable.get("checkpoint_ns") or "")), self.policy
        run = Run(
            self,
            policy.usable(self.registry.cards),
            min(given, default=None),
            fail_fast=fail_fast,
            max_items=self.limits.max_items,
            max_seconds=self.limits.max_seconds,
            approval=self.approval,
            rules=self.rules,
            calls=self._calls(),
            accounts=Accounts(
                limits=self.limits,
                keeps_back=may_call_models(self.synthesizer),
                prices=self.prices,
                is_priced=self.coordination is not None,
                outer=ledgers_around(),
            ),
            hooks=self.hooks,
            coordination=self.coordination,
            reassigning=Reassigning(cards=self.registry.cards, policy=policy) if self.hooks is not None else None,
        )
        if outer is not None:
            run.outer = outer
            run.id, run.path = f"{outer.run}/{outer.path.rpartition('/')[2]}", outer.path
        passed: RunnableConfig = {**own, "recursion_limit": recursion_limit, "configurable": configurable}
        if config.get("max_concurrency") is not None:
            passed["max_concurrency"] = _UNLIMITED
        if config.get("callbacks"):  # those who listen tell by it which run a call belongs to
            passed["metadata"] = {**own.get("metadata", {}), "goalgraph_run": run.id}
        return run, passed

    def _calls(self) -> Calls | None:
        if self.rules is None or self.reviser is None:
            return None
        return Calls(self.reviser, priced=self.rules.policy.max_cost_usd is not None, prices=self.prices)


def _plan_of(given: object) -> Plan | None:
    """The plan in what a run is begun with, if one is."""
    return cast("dict[str, Plan | None]", given).get("plan") if isinstance(given, dict) else None
