"""Idempotency keys of runs inside of others: one for each piece of work, the same whenever it is done again."""

from contextvars import copy_context
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import CONFIG, Result, agent_of, answer, asked, goal, ran, stopped_after

from goalgraph import Plan, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.graph.steps.nesting import Around, doing, origin
from goalgraph.planner.decomposer import PlanRequest

Keys = list[tuple[str, str]]


class Always:
    """A decomposer that has one plan for every goal."""

    async def decompose(self, request: PlanRequest) -> Plan:
        steps = [{"id": "a", "agent": "worker"}, {"id": "b", "agent": "worker", "depends_on": ["a"]}]
        return Plan.model_validate({"steps": steps})


def worker(keys: Keys) -> Any:
    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> str:
        keys.append((task.step, context.idempotency_key))
        return "done"

    return works


def team(keys: Keys) -> Any:
    return create_plan_agent(None, [worker(keys)], decomposer=Always(), name="team")


def inside(step_id: str) -> Result:
    return {"id": step_id, "agent": "team", "task": "the same task"}


async def test_the_same_step_of_two_runs_inside_of_one_has_two_keys() -> None:
    keys: Keys = []
    agent = agent_of(team(keys), worker(keys))
    await ran(agent, goal(inside("one"), inside("two"), {"id": "a", "agent": "worker"}))
    assert len({key for _, key in keys}) == len(keys) == 5


async def test_a_step_inside_that_is_done_again_keeps_its_key(sqlite: SqliteSaver) -> None:
    keys: Keys = []
    agent = agent_of(team(keys), worker(keys), checkpointer=sqlite)
    await stopped_after(agent, goal(inside("one")), lambda: bool(keys))
    await ran(agent_of(team(keys), worker(keys), checkpointer=sqlite), None)
    assert len(set(keys)) == 2, "one for each of the two steps, however often they were done"


async def test_a_run_inside_that_is_sent_anew_keeps_its_keys(sqlite: SqliteSaver) -> None:
    keys: Keys = []
    agent = agent_of(team(keys), worker(keys), checkpointer=sqlite)
    gate = {"id": "ok", "type": "human_approval", "prompt": "Go?"}
    paused = await ran(agent, goal(gate, {**inside("one"), "depends_on": ["ok"]}))
    await stopped_after(agent, answer(paused, {"ok": True}), lambda: bool(keys))
    stopped = await agent.aget_state(CONFIG)
    await agent.aupdate_state(stopped.config, {}, as_node="decompose")
    result = await ran(agent, None)
    while result.get("__interrupt__"):
        result = await ran(agent, answer(result, dict.fromkeys(asked(result), True)))
    assert result["status"] == "complete"
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        ("", "t"),
        ("worker:1", "t"),
        ("team:1|worker:2", "t key"),
        ("team:1|node:3|worker:2", "t key|node:3"),
        ("team:12|worker:2", "t team:12"),
        ("other:1|worker:2", "t other:1"),
    ],
)
def test_a_run_is_told_apart_by_the_step_around_it_or_by_its_place(namespace: str, expected: str) -> None:
    within = copy_context()
    within.run(doing, Around(namespace="team:1", key="key"))
    assert within.run(origin, "t", namespace) == expected
    assert origin("t", "team:1|worker:2") == "t team:1"
