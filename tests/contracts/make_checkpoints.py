"""Makes the databases of runs that later versions must be able to go on with.

    python -m tests.contracts.make_checkpoints [NAME ...]

One is finished; one was killed in the middle; one waits for two humans, one of them in a map; one waits for the review
of its plan. They are made again only where a version is meant to store something else than the one before.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import ApprovalPolicy, PlanAgent, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.synthesis import SynthesisRequest

__all__ = ["CONFIG", "FOLDER", "GOLDEN", "agent_of", "main"]

FOLDER = Path(__file__).parent / "checkpoints"
GOLDEN = ("finished", "killed", "paused", "in-review")
CONFIG: Any = {"configurable": {"thread_id": "golden"}}

_WORK: list[dict[str, object]] = [
    {"id": "read", "task": "read {{ input.source }}", "agent": "worker", "retry": {"max_attempts": 2}},
    {"id": "count", "type": "transform", "output": {"items": [1, 2]}, "depends_on": ["read"]},
    {"id": "weak", "task": "weak", "agent": "worker", "depends_on": ["read"], "min_confidence": 0.9},
    {"id": "broken", "task": "broken", "agent": "worker", "optional": True},
    {
        "id": "fork",
        "type": "condition",
        "if": "{{ steps.count.output['items'] | length > 1 }}",
        "then": ["yes"],
        "else": ["no"],
    },
    {"id": "yes", "task": "yes", "agent": "worker"},
    {"id": "no", "task": "no", "agent": "worker"},
    {
        "id": "both",
        "type": "parallel",
        "branches": [
            {"id": "left", "task": "left", "agent": "worker"},
            [{"id": "right", "task": "right", "agent": "worker"}, {"id": "more", "task": "more", "agent": "worker"}],
        ],
        "depends_on": ["yes", "no"],
        "join": "any_success",
    },
    {
        "id": "each",
        "type": "map",
        "over": "{{ steps.count.output['items'] }}",
        "step": {"id": "item", "task": "item {{ item }}", "agent": "worker"},
        "concurrency": 1,
    },
]
_GATES: list[dict[str, object]] = [
    {"id": "ask", "type": "human_approval", "prompt": "Go on after {{ steps.read.output }}?", "assignee": "ann"},
    {
        "id": "gates",
        "type": "map",
        "over": "{{ steps.count.output['items'] }}",
        "step": {
            "id": "fill",
            "type": "human_input",
            "prompt": "Who for {{ item }}?",
            "schema": {"type": "object", "required": ["name"]},
        },
    },
]
_LAST: dict[str, object] = {"id": "last", "task": "last", "agent": "worker"}


def _plan(*, gates: bool) -> dict[str, object]:
    needs = ["both", "each", *(["ask", "gates"] if gates else [])]
    return {
        "name": "golden",
        "inputs": {"source": "the book"},
        "steps": [*_WORK, *(_GATES if gates else []), {**_LAST, "depends_on": needs}],
    }


def agent_of(
    saver: BaseCheckpointSaver[Any],
    begun: Callable[[str], object],
    *,
    is_reviewed: bool = False,
) -> PlanAgent:
    """Return the agent whose runs these are.

    Args:
        saver: Of the database.
        begun: Told when a step of a specialist begins.
        is_reviewed: Whether plans are.
    """

    @specialist
    async def worker(task: StepTask, context: StepContext) -> object:
        await asyncio.sleep(0.05)  # time to record the step before
        begun(task.step)
        if task.step == "broken":
            raise ValueError("it is broken")
        return {"text": task.instruction, "after": sorted(context.dependencies)}

    def joined(request: SynthesisRequest) -> str:
        return ", ".join(f"{step} {outcome.status}" for step, outcome in request.outcomes.items())

    approval = ApprovalPolicy(plan=is_reviewed)
    return create_plan_agent(None, [worker], checkpointer=saver, synthesis=joined, approval=approval)


def _begin(name: str, saver: BaseCheckpointSaver[Any]) -> None:
    def killed_at_last(step: str) -> None:
        if name == "killed" and step == "each[1]":
            os._exit(9)

    agent = agent_of(saver, killed_at_last, is_reviewed=name == "in-review")
    agent.invoke({"goal": "a golden run", "plan": _plan(gates=name == "paused"), "inputs": {"x": [1.5, None]}}, CONFIG)


def _make(name: str) -> None:
    file = FOLDER / f"{name}.sqlite"
    file.unlink(missing_ok=True)
    process = os.fork()
    if not process:
        with SqliteSaver.from_conn_string(str(file)) as saver:
            _begin(name, saver)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == (9 if name == "killed" else 0)
    connection = sqlite3.connect(file, isolation_level=None)
    for tidy in ("PRAGMA journal_mode=DELETE", "PRAGMA page_size=512", "VACUUM"):  # one small file
        connection.execute(tidy).fetchall()
    connection.close()


def main() -> None:
    """Make all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or GOLDEN:
        _make(name)
        sys.stdout.write(f"{name}: {(FOLDER / f'{name}.sqlite').stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
