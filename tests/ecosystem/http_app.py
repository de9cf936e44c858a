"""The FastAPI example with specialists that tests can watch; as a program, served by uvicorn on loopback.

python -m tests.ecosystem.http_app DATABASE LEDGER PORT
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvicorn
from examples.fastapi_app.app import create_app
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import PlanAgent, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.testing import ScriptedChatModel

__all__ = ["SLOW", "agent_with"]

SLOW: dict[str, Any] = {
    "goal": "the goal",
    "plan": {
        "steps": [
            {"id": "a", "agent": "worker"},
            {"id": "b", "agent": "worker"},
            {"id": "slow", "agent": "worker", "depends_on": ["a"]},
            {"id": "end", "agent": "worker", "depends_on": ["slow", "b"]},
        ]
    },
}


def agent_with(ledger: Path) -> Any:
    """Make a builder of agents whose worker writes down what it does; its step ``slow`` is quick the second time."""

    def build(saver: SqliteSaver) -> PlanAgent:
        model = ScriptedChatModel(lambda messages: f"a text about {messages[-1].text}")

        @specialist
        async def worker(task: StepTask, context: StepContext) -> str:
            """Works."""
            again = ledger.exists() and f"{task.step}\n" in ledger.read_text("utf-8")
            with ledger.open("a", encoding="utf-8") as file:
                file.write(f"{task.step}\n")
            if task.step == "slow" and not again:
                await asyncio.sleep(60)
            return (await model.ainvoke(task.step)).text

        return create_plan_agent(None, [worker], checkpointer=saver, synthesis="last_wins")

    return build


if __name__ == "__main__":
    database, told, port = sys.argv[1:]
    uvicorn.run(create_app(database, agent_with(Path(told))), host="127.0.0.1", port=int(port), log_level="warning")
