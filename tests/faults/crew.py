"""The specialists of the made-up plans: they do what their input says, and write down that they did."""

import asyncio
import hashlib
import json
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import interrupt
from tests.faults.checker import plain
from tests.faults.ledger import Ledger, Line
from tests.faults.plans import Case

from goalgraph import ApprovalPolicy, ExecutionPolicy, PlanAgent, StepContext, StepTask, create_plan_agent, specialist

__all__ = ["agent_for", "crew_of"]


def crew_of(ledger: Ledger | None, *, speed: float = 1.0) -> tuple[object, ...]:
    """Make the specialists.

    Args:
        ledger: Where they write down what they do.
        speed: Their naps are divided by it.
    """

    def write(event: Any, task: StepTask, context: StepContext) -> None:
        if ledger is not None:
            ledger.write(Line(event, task.step, context.attempt, context.idempotency_key))

    async def begin(task: StepTask, context: StepContext) -> None:
        write("start", task, context)
        milliseconds = task.input.get("ms", 0)
        if isinstance(milliseconds, int) and milliseconds:
            await asyncio.sleep(milliseconds / (1_000 if milliseconds > 1_000 else 1_000 * speed))

    async def work(task: StepTask, context: StepContext) -> object:
        await begin(task, context)
        fails = task.input.get("fails")
        if fails == "always" or (fails == "once" and context.attempt == 1):
            write("fail", task, context)
            raise ConnectionError(f"{task.step} fails {fails}")
        write("end", task, context)
        return {"step": task.step, "of": _digest(task.input.get("of")), "said": task.input.get("said")}

    def questions(task: StepTask) -> range:
        count = task.input.get("questions")
        return range(count if isinstance(count, int) else 1)

    @specialist
    async def worker(task: StepTask, context: StepContext) -> object:
        return await work(task, context)

    @specialist(max_concurrency=2)
    async def careful(task: StepTask, context: StepContext) -> object:
        return await work(task, context)

    @specialist
    async def helper(task: StepTask, context: StepContext) -> object:
        await begin(task, context)
        write("end", task, context)
        return {"step": task.step, "helped": True}

    @specialist
    async def asker(task: StepTask, context: StepContext) -> object:
        await begin(task, context)
        told = [interrupt({"step": task.step, "number": number}) for number in questions(task)]
        write("end", task, context)
        return {"told": told}

    @specialist
    async def inquirer(task: StepTask, context: StepContext) -> object:
        await begin(task, context)
        told = [context.ask(f"What of {one}?") for one in questions(task)]
        write("end", task, context)
        return {"told": told}

    return worker, careful, helper, asker, inquirer


def agent_for(
    case: Case, saver: BaseCheckpointSaver[Any], ledger: Ledger | None, *, speed: float = 1.0, gated: bool = True
) -> PlanAgent:
    """Build the agent that runs a plan.

    Args:
        case: The plan.
        saver: Where the run is kept.
        ledger: Where its specialists write.
        speed: See `crew_of`.
        gated: Whether the policy is heeded.
    """
    return create_plan_agent(
        None,
        crew_of(ledger, speed=speed),
        checkpointer=saver,
        approval=ApprovalPolicy(steps=case.gates, plan=case.is_reviewed) if gated else None,
        execution=ExecutionPolicy(max_concurrency=case.max_concurrency),
    )


def _digest(value: object) -> str:
    return hashlib.blake2b(plain(json.dumps(value, sort_keys=True)).encode(), digest_size=4).hexdigest()
