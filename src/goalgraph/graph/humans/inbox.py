"""What a run asks, for callers: `pending` tells, `answer` answers and goes on."""

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig, ensure_config
from langgraph.types import Command

from goalgraph.errors import UnknownRun
from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.humans.door import Said, taken
from goalgraph.graph.humans.thread import Request, Thread, at_present, read_thread, saver_of
from goalgraph.graph.loop import finish
from goalgraph.graph.result import RunResult
from goalgraph.graph.state import PlanOutput

__all__ = ["aanswer", "answer", "apending", "pending"]


async def apending(agent: PlanAgent, config: RunnableConfig) -> tuple[Request, ...]:
    """Return what the run of a thread asks and waits for; nothing where it waits for nobody.

    Args:
        agent: Whose run it is.
        config: With the ``thread_id``.

    Raises:
        UnknownRun: Nothing is stored of the thread, or the agent has no checkpointer.
        CorruptRun: What is stored cannot be used.
    """
    return (await _thread(agent, config)).open()


async def aanswer(
    agent: PlanAgent, config: RunnableConfig, answers: Mapping[str, object], *, by: str | None = None
) -> RunResult:
    """Answer requests, any number of those that are open, and go on with the run as far as it comes.

    All answers are looked at first, then written down, then the run goes on: where any of them cannot be used, none is
    taken in. The same answer again changes nothing.

    Args:
        agent: Whose run it is.
        config: With the ``thread_id``.
        answers: By `Request.id`. True and False, ``"approve"`` and ``"reject"``, a decision as LangChain's screens send
            it, or what was asked for.
        by: Who answers; kept with the decision.

    Returns:
        What `PlanAgent.ainvoke` does: the result, or, under ``__interrupt__``, what is still asked.

    Raises:
        AnswerRefused: Answers cannot be used; the leaf says why, ``problems`` says which.
        UnknownRun: Nothing is stored of the thread.
        CorruptRun: What is stored cannot be used.
    """
    thread = await _thread(agent, config)
    said: dict[str, Said] = {request: Said(answer=answer, by=by) for request, answer in answers.items()}
    if not taken(thread, said) and not thread.answered():
        return _standing(thread)
    return cast("RunResult", await agent.ainvoke(Command(resume=said), config))


def pending(agent: PlanAgent, config: RunnableConfig) -> tuple[Request, ...]:
    """Do what `apending` does, from sync code, also inside a running event loop."""
    agent.check_caller()
    return finish(lambda: apending(agent, config))


def answer(
    agent: PlanAgent, config: RunnableConfig, answers: Mapping[str, object], *, by: str | None = None
) -> RunResult:
    """Do what `aanswer` does, from sync code, also inside a running event loop."""
    agent.check_caller()
    return finish(lambda: aanswer(agent, config, answers, by=by))


async def _thread(agent: PlanAgent, config: RunnableConfig) -> Thread:
    config = ensure_config(config)
    saver = saver_of(agent, config)
    if saver is None:
        raise UnknownRun("the agent has no checkpointer", hint="create_plan_agent(..., checkpointer=...)")
    thread = await read_thread(agent, await at_present(saver, config), saver)
    if thread.is_new:
        raise UnknownRun(f"thread {thread.id!r} has no run", hint="check thread_id and checkpointer")
    return thread


def _standing(thread: Thread) -> RunResult:
    """Where a run stands, as a call would return it."""
    values = cast("Mapping[str, Any]", thread.snapshot.values)
    result = RunResult({name: values[name] for name in PlanOutput.__annotations__ if name in values})
    if thread.snapshot.interrupts:
        result["__interrupt__"] = list(thread.snapshot.interrupts)
    return result
