"""A process that runs a plan with every type of step on SQLite, answers its own questions, and keeps a ledger.

    python crashing_kinds.py DATABASE LEDGER (sync|async)

See `crashing.py` for the ledger.
"""

import asyncio
import os
import sys
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from goalgraph import PlanAgent, StepContext, StepTask, create_plan_agent, specialist

CONFIG: RunnableConfig = {"configurable": {"thread_id": "kinds"}}
PLAN: dict[str, Any] = {
    "name": "every type of step",
    "inputs": {"files": ["a.txt", "b.txt", "c.txt"]},
    "steps": [
        {"id": "read", "agent": "worker", "input": {"of": "{{ input.files }}"}},
        {
            "id": "research",
            "type": "parallel",
            "depends_on": ["read"],
            "branches": [
                {"id": "web", "agent": "worker"},
                [
                    {"id": "find", "agent": "worker"},
                    {"id": "sift", "agent": "worker", "input": {"of": "{{ steps.find.output }}"}},
                ],
            ],
        },
        {"id": "enough", "type": "condition", "if": "steps.research.output.web", "then": ["write"], "else": ["stop"]},
        {"id": "write", "agent": "worker"},
        {"id": "stop", "agent": "worker"},
        {"id": "pause", "type": "wait", "duration": "60ms", "depends_on": ["read"]},
        {"id": "news", "type": "wait", "event": "published", "depends_on": ["pause"]},
        {
            "id": "each",
            "type": "map",
            "over": "{{ input.files }}",
            "as": "file",
            "concurrency": 2,
            "step": {
                "id": "one",
                "type": "sub_plan",
                "input": {"file": "{{ file }}"},
                "plan": {
                    "steps": [
                        {"id": "open", "agent": "worker", "input": {"of": "{{ input.file }}"}},
                        {"id": "look", "type": "human_approval", "prompt": "{{ input.file }}?", "depends_on": ["open"]},
                        {
                            "id": "keep",
                            "agent": "worker",
                            "depends_on": ["look"],
                            "input": {"of": "{{ steps.open.output }}"},
                        },
                    ]
                },
            },
        },
        {"id": "who", "type": "human_input", "prompt": "Who signs?", "schema": {"type": "string", "minLength": 1}},
        {
            "id": "sum",
            "type": "transform",
            "output": {"kept": "{{ steps.each.output | length }}", "by": "{{ steps.who.output }}"},
        },
        {
            "id": "last",
            "agent": "worker",
            "join": "all_success",
            "depends_on": ["write", "news"],
            "input": {
                "of": "{{ steps.sum.output }}",
                "said": "{{ steps.news.output }}",
                "got": "{{ steps.research.output }}",
            },
        },
    ],
    "output": "{{ steps.last.output }}",
}
WORK = 12
"""Steps that the worker does: three for themselves, three of the research, six of the items."""


def answer_to(request: Any) -> object:
    """What the humans of this plan say."""
    return {"approval": True, "input": "Ann", "event": {"number": 7}}[request["kind"]]


def build(saver: SqliteSaver, ledger: int) -> PlanAgent:
    """The agent, which notes what it does in the ledger."""

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        os.write(ledger, f"start {task.step} {context.idempotency_key}\n".encode())
        await asyncio.sleep(0.002 + len(task.step) % 5 * 0.003)
        os.write(ledger, f"end {task.step}\n".encode())
        return f"{task.step}({task.input.get('of', '')})"

    return create_plan_agent(None, [worker], checkpointer=saver)


async def run(agent: PlanAgent, *, is_async: bool) -> Any:
    """Run, or go on with, the plan, and answer what is asked, one question at a time."""

    async def call(given: Any) -> Any:
        return await agent.ainvoke(given, CONFIG) if is_async else await asyncio.to_thread(agent.invoke, given, CONFIG)

    begun = bool(agent.get_state(CONFIG).values)
    result = await call(None if begun else {"goal": "crash", "plan": PLAN})
    while asked := result.get("__interrupt__"):
        result = await call(Command(resume={asked[0].id: answer_to(asked[0].value)}))
    return result


def main() -> None:
    """See the module."""
    ledger = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
        os.write(ledger, b"process\n")
        result = asyncio.run(run(build(saver, ledger), is_async=sys.argv[3] == "async"))
    sys.stdout.write(f"{result['status']}\n{result['answer']}\n{sorted(result['outcomes'])}")


if __name__ == "__main__":
    main()
