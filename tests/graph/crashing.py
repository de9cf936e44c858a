"""A process that runs a plan on SQLite and writes a ledger of what it does; killed and started again by the tests.

    python crashing.py DATABASE LEDGER

The ledger has a line per start and per end of a step, appended with one write each, so that a killed process leaves
whole lines.
"""

import asyncio
import os
import random
import sys

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import AgentStep, Plan, PlanAgent, StepContext, StepTask, create_plan_agent, specialist

COUNT = 30
CONFIG: RunnableConfig = {"configurable": {"thread_id": "crash"}}


def plan() -> Plan:
    """Thirty steps, each of which needs up to three earlier ones."""
    chance = random.Random(7)
    steps: list[AgentStep] = []
    for number in range(COUNT):
        needs = chance.sample(range(number), min(number, chance.choice([0, 1, 2, 3])))
        steps.append(
            AgentStep(
                id=f"s{number}", task=f"step {number}", agent="worker", depends_on=tuple(f"s{one}" for one in needs)
            )
        )
    return Plan(steps=tuple(steps))


def build(saver: SqliteSaver, ledger: int) -> PlanAgent:
    """The agent, which notes what it does in the ledger."""

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        os.write(ledger, f"start {task.step} {context.idempotency_key}\n".encode())
        await asyncio.sleep(0.001 + (len(task.step) + ord(task.step[-1])) % 7 * 0.002)
        os.write(ledger, f"end {task.step}\n".encode())
        return f"{task.step}({','.join(str(one.output) for one in context.dependencies.values())})"

    return create_plan_agent(None, [worker], checkpointer=saver)


def main() -> None:
    """Run, or go on with, the plan."""
    ledger = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
        agent = build(saver, ledger)
        begun = bool(agent.get_state(CONFIG).values)
        os.write(ledger, b"process\n")
        result = agent.invoke(None if begun else {"goal": "crash", "plan": plan()}, CONFIG)
    sys.stdout.write(f"{result['status']}\n{result['answer']}")


if __name__ == "__main__":
    main()
