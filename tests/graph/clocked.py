"""Processes whose clocks are set to other times, and that do something with a run; ordered by the tests.

    python -m tests.graph.clocked

Each line of input is an order: kind of checkpointer, folder, database, hours that the clock is off, action, goal. The
actions are ``begin``, with the goal; ``go-on``; ``answer``; ``killed``, which goes on, and ends without notice in its
second step; ``fork``, which writes another goal where the first plan was made; and ``look``. Each is done by a process
of its own, and answered with a line: how the process ended, and how the run stands then.
"""

import asyncio
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from tests.checkpointers import opened

from goalgraph import PlanAgent, StepContext, StepTask, create_plan_agent, specialist

CONFIG: Any = {"configurable": {"thread_id": "1"}}
NAMES = ("a", "b", "c", "d")
PLAN: Any = {
    "steps": [
        *(
            {"id": name, "task": "t", "agent": "worker", "depends_on": [NAMES[number - 1]] if number else []}
            for number, name in enumerate(NAMES)
        ),
        {"id": "ask", "task": "t", "agent": "asks", "depends_on": ["b"]},
        {"id": "last", "task": "t", "agent": "worker", "depends_on": ["ask", "d"]},
    ]
}


def agent_of(saver: BaseCheckpointSaver[Any], ledger: Path, is_killed: bool) -> PlanAgent:
    begun: list[str] = []

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        with ledger.open("a") as file:
            file.write(f"{task.step}\n")
        begun.append(task.step)
        await asyncio.sleep(0.05)  # time to record the step before
        if is_killed and len(begun) == 2:
            os._exit(9)
        return f"{task.step}({','.join(sorted(str(one.output) for one in context.dependencies.values()))})"

    @specialist
    async def asks(task: StepTask, context: StepContext) -> str:
        return str(interrupt("go on?"))

    return create_plan_agent(None, [worker, asks], checkpointer=saver, synthesis="last_wins")


async def act(agent: PlanAgent, action: str, goal: str) -> None:
    """Do what is asked for."""
    if action == "begin":
        await agent.ainvoke({"goal": goal, "plan": PLAN}, CONFIG)
    elif action in ("go-on", "killed"):
        await agent.ainvoke(None, CONFIG)
    elif action == "answer":
        asked = (await agent.aget_state(CONFIG)).interrupts
        await agent.ainvoke(Command(resume={asked[0].id: "yes"}), CONFIG)
    elif action == "fork":
        planned = [one async for one in agent.aget_state_history(CONFIG) if one.next == ("dispatch",)]
        await agent.aupdate_state(planned[-1].config, {"goal": goal}, as_node="decompose")


async def obey(kind: str, folder: str, database: str, action: str, goal: str) -> object:
    """Act, and say how the run stands."""
    async with opened(kind, Path(folder), lambda: database) as saver:
        agent = agent_of(saver, Path(folder) / "ledger", action == "killed")
        await act(agent, action, goal)
        state = await agent.aget_state(CONFIG)
        return {
            "goal": state.values.get("goal"),
            "answer": state.values.get("answer"),
            "done": sorted(state.values.get("outcomes") or {}),
            "next": sorted(set(state.next)),
            "asked": [one.value for one in state.interrupts],
        }


def in_a_process_of_its_own(kind: str, folder: str, database: str, hours: float, action: str, goal: str) -> object:
    """Act with another clock. Here no checkpoint is ever made: what makes their ids never goes back in a process."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        with os.fdopen(reading) as said:
            return [json.loads(said.read() or "null"), os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])]
    code = 1
    try:
        now, now_ns, seconds = time.time, time.time_ns, 3600 * hours
        time.time = lambda: now() + seconds
        time.time_ns = lambda: now_ns() + int(seconds * 10**9)
        told = asyncio.run(obey(kind, folder, database, action, goal))
        os.write(writing, json.dumps(told).encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    """Obey orders until there are no more."""
    agent_of(InMemorySaver(), Path(), is_killed=False)  # what is imported late is imported here, once
    for order in sys.stdin:
        sys.stdout.write(json.dumps(in_a_process_of_its_own(*json.loads(order))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
