"""The specialists of the made-up plans: they do what their input says, and write down that they did."""

import asyncio
import hashlib
import json
from typing import Any, cast

from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt
from tests.faults.checker import plain
from tests.faults.ledger import Ledger, Line
from tests.faults.plans import Case

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
    ExecutionPolicy,
    Plan,
    PlanAgent,
    Proposal,
    StepContext,
    StepTask,
    create_plan_agent,
    specialist,
)
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.synthesis import SynthesisRequest

__all__ = ["agent_for", "crew_of"]


def crew_of(ledger: Ledger | None, *, speed: float = 1.0, graphs: bool = False) -> tuple[object, ...]:
    """Make the specialists.

    Args:
        ledger: Where they write down what they do.
        speed: Their naps are divided by it.
        graphs: Whether there are ``panel`` and ``team`` too, which take a while to make.
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

    if not graphs:
        return worker, careful, helper, asker, inquirer
    panel = _panel(ledger)
    return worker, careful, helper, asker, inquirer, panel, _team(panel, ledger)


def _team(panel: object, ledger: Ledger | None) -> object:
    """Make another goalgraph, whose plan has a step that the panel does in the name of the step ``team``."""

    def ended(request: SynthesisRequest) -> str:
        if ledger is not None:
            ledger.write(Line("end", "team", 1, "team"))
        return str(request.outcomes["deep"].output)

    class Always:
        async def decompose(self, request: PlanRequest) -> Plan:
            return Plan(steps=(AgentStep(id="deep", agent="panel", task="team"),))

    return create_plan_agent(None, [panel], decomposer=Always(), synthesis=ended, name="team")


def _panel(ledger: Ledger | None) -> object:
    """Make a graph of its own, one node of which asks twice; the first word of its task says which step it does."""

    async def asks(state: MessagesState) -> dict[str, object]:
        step = state["messages"][0].text.split()[0]
        told = [interrupt({"step": step, "number": number}) for number in range(2)]
        if ledger is not None:
            ledger.write(Line("end", step, 1, "panel"))
        return {"messages": [AIMessage(" ".join(told))]}

    builder: Any = StateGraph(MessagesState)
    builder.add_node("asks", asks)
    builder.add_edge(START, "asks")
    builder.add_edge("asks", END)
    return cast("object", builder.compile(name="panel"))


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
        crew_of(ledger, speed=speed, graphs=any(step.get("agent") == "team" for step in case.plan["steps"])),
        checkpointer=saver,
        approval=_policy(case) if gated else None,
        execution=ExecutionPolicy(max_concurrency=case.max_concurrency),
    )


def _policy(case: Case) -> ApprovalPolicy:
    def is_slow(proposal: Proposal) -> bool:
        return case.slow is not None and proposal.input.get("ms") == case.slow

    return ApprovalPolicy(steps=(*case.gates, is_slow), plan=case.is_reviewed, deadline=case.deadline)


def _digest(value: object) -> str:
    return hashlib.blake2b(plain(json.dumps(value, sort_keys=True)).encode(), digest_size=4).hexdigest()
