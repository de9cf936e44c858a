"""What the tests of the kinds of step share: a worker that keeps a ledger, and people who answer."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Interrupt

from goalgraph import Outcome, PlanAgent, StepContext, StepTask, create_plan_agent, specialist

Result = dict[str, Any]
CONFIG: RunnableConfig = {"configurable": {"thread_id": "thread"}}


class Ledger:
    """What was done, in order; lines are ``start``, ``end``, ``fail`` or ``cancel``, and the step."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.keys: dict[str, set[str]] = {}
        self.tasks: dict[str, StepTask] = {}

    def of(self, what: str) -> list[str]:
        return [step for kind, step in self.lines if kind == what]

    @property
    def started(self) -> list[str]:
        return self.of("start")

    def before(self, first: tuple[str, str], second: tuple[str, str]) -> bool:
        return self.lines.index(first) < self.lines.index(second)

    def most(self, group: Callable[[str], str | None] = lambda step: step) -> int:
        """Most groups of steps at work at one moment; steps of the group None do not count."""
        work: list[str] = []
        most = 0
        for kind, step in self.lines:
            name = group(step)
            if name is not None:
                work.append(name) if kind == "start" else work.remove(name)
                most = max(most, len(set(work)))
        return most


def worker(
    ledger: Ledger,
    name: str = "worker",
    *,
    seconds: Mapping[str, float] | Callable[[str], float] | float = 0.0,
    fails: Collection[str] | Callable[[str], bool] = (),
    replies: Mapping[str, object] | None = None,
    max_concurrency: int | None = None,
    capabilities: Collection[str] = (),
) -> Any:
    """A specialist that answers with the step's id, or as told, and writes everything down."""

    @specialist(name=name, description=name, max_concurrency=max_concurrency, capabilities=list(capabilities))
    async def works(task: StepTask, context: StepContext) -> object:
        step = task.step
        ledger.lines.append(("start", step))
        ledger.keys.setdefault(step, set()).add(context.idempotency_key)
        ledger.tasks[step] = task
        try:
            if callable(seconds):
                await asyncio.sleep(seconds(step))
            else:
                await asyncio.sleep(seconds if isinstance(seconds, (int, float)) else seconds.get(step, 0.0))
        except asyncio.CancelledError:
            ledger.lines.append(("cancel", step))
            raise
        if fails(step) if callable(fails) else step in fails:
            ledger.lines.append(("fail", step))
            raise ValueError(f"{step} is broken")
        ledger.lines.append(("end", step))
        return (replies or {}).get(step, task.input.get("of", step))

    return works


def agent_of(*specialists: Any, checkpointer: BaseCheckpointSaver[Any] | None = None, **more: Any) -> PlanAgent:
    return create_plan_agent(None, specialists, checkpointer=checkpointer or InMemorySaver(), **more)


def goal(*steps: Any, inputs: Mapping[str, Any] | None = None, **plan: Any) -> Result:
    return {"goal": "the goal", "plan": {"steps": list(steps), **plan}, "inputs": dict(inputs or {})}


def agent_step(step_id: str, *needs: str, **fields: Any) -> Result:
    return {"id": step_id, "agent": "worker", "depends_on": list(needs), **fields}


async def ran(agent: PlanAgent, given: Any, *, seconds: float = 10) -> Result:
    """Run, or go on with a run; it must end in time, with an answer or a question."""
    async with asyncio.timeout(seconds):
        result: Result = await agent.ainvoke(given, CONFIG)
    assert result.get("status") or result.get("__interrupt__"), "ended without an answer and without a question"
    return result


def statuses(result: Result) -> dict[str, str]:
    found: Mapping[str, Outcome] = result["outcomes"]
    return {step_id: outcome.status for step_id, outcome in found.items()}


def asked(result: Result) -> dict[str, Interrupt]:
    """What is asked, by step; each step asks once."""
    found: list[Interrupt] = list(result.get("__interrupt__") or ())
    by_step = {one.value["step"]: one for one in found}
    assert len(by_step) == len(found), "asked twice"
    return by_step


def answer(result: Result, answers: Mapping[str, object]) -> Command[Any]:
    """Answer by step."""
    pending = asked(result)
    return Command(resume={pending[step].id: said for step, said in answers.items()})


async def stopped_after(agent: PlanAgent, given: Any, until: Callable[[], bool]) -> None:
    """Run, and cancel the run as soon as something is so."""
    task = asyncio.ensure_future(agent.ainvoke(given, CONFIG))
    async with asyncio.timeout(10):
        while not until() and not task.done():
            await asyncio.sleep(0.001)
    if task.done():
        raise AssertionError("over too soon") from task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
