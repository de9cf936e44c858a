"""Specialists that are at work until a test says how it ends, and the agent of a modelled run."""

import asyncio

from langgraph.types import interrupt
from tests.faults.ledger import Ledger, Line
from tests.faults.stores import Saver

from goalgraph import ApprovalPolicy, PlanAgent, StepContext, StepTask, create_plan_agent, specialist

__all__ = ["Waiting", "handmade_agent"]

Waiting = dict[str, "asyncio.Future[bool]"]
"""By step that is at work: whether it ends well."""


def handmade_agent(saver: Saver, ledger: Ledger, waiting: Waiting) -> PlanAgent:
    """Make an agent whose specialists ``careful`` (gated) and ``worker`` wait, and ``asker`` asks in its own way."""

    def write(event: str, task: StepTask, context: StepContext) -> None:
        ledger.write(Line.read(f"{event} {task.step} {context.attempt} {context.idempotency_key} -"))

    async def work(task: StepTask, context: StepContext) -> str:
        write("start", task, context)
        waiting[task.step] = asyncio.get_running_loop().create_future()
        try:
            works = await waiting[task.step]
        finally:
            del waiting[task.step]
        if not works:
            raise ValueError(f"{task.step} fails")
        write("end", task, context)
        return task.step

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        return await work(task, context)

    @specialist
    async def careful(task: StepTask, context: StepContext) -> str:
        return await work(task, context)

    @specialist
    async def asker(task: StepTask, context: StepContext) -> str:
        told = str(interrupt({"step": task.step, "number": 0}))
        write("end", task, context)
        return told

    policy = ApprovalPolicy(steps=("careful",))
    return create_plan_agent(None, [worker, careful, asker], checkpointer=saver, approval=policy)
