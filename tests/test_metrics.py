"""Prometheus' metrics, fed by hooks."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from goalgraph import ExecutionPolicy, Outcome, Plan, Retry, as_specialist, create_plan_agent, specialist
from goalgraph.graph.coordination.hooks import Assignment, Completion, as_hooks
from goalgraph.metrics import PrometheusHooks
from goalgraph.planner.outcome import Usage
from goalgraph.testing import ScriptedChatModel

TOLD = Assignment(run="run-1", goal="g", step="a", instruction="secret", input={}, specialists=("writer",))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def outcome(**fields: Any) -> Outcome:
    usual = {"step": "a", "status": "succeeded", "specialist": "writer", "attempts": 1, "seconds": 0.2}
    return Outcome.model_validate({**usual, **fields})


async def test_steps_are_counted_by_specialist_and_status(registry: CollectorRegistry) -> None:
    hooks = as_hooks(PrometheusHooks(registry))
    used = Usage(input_tokens=100, output_tokens=20, calls=2, cost_usd=0.25)
    for one in (outcome(attempts=3, usage=used), outcome(status="failed", seconds=7), outcome(specialist=None)):
        await hooks.tell("step_complete", one)
    writer = {"specialist": "writer"}
    found = {
        "goalgraph_steps_total": ({**writer, "status": "succeeded"}, 1),
        "goalgraph_step_seconds_sum": (writer, 7.2),
        "goalgraph_step_seconds_count": (writer, 2),
        "goalgraph_step_seconds_bucket": ({**writer, "le": "0.25"}, 1),
        "goalgraph_step_retries_total": (writer, 2),
        "goalgraph_model_calls_total": (writer, 2),
        "goalgraph_tokens_total": ({**writer, "direction": "input"}, 100),
        "goalgraph_cost_usd_total": (writer, 0.25),
    }
    assert {name: registry.get_sample_value(name, labels) for name, (labels, _) in found.items()} == {
        name: value for name, (_, value) in found.items()
    }
    assert registry.get_sample_value("goalgraph_steps_total", {**writer, "status": "failed"}) == 1
    assert registry.get_sample_value("goalgraph_steps_total", {"specialist": "none", "status": "succeeded"}) == 1


async def test_runs_are_counted_by_status(registry: CollectorRegistry) -> None:
    hooks = as_hooks(PrometheusHooks(registry))
    over = Completion(run="r", goal="g", plan=Plan(), outcomes={}, answer="", status="degraded", degraded=())
    assert await hooks.ruling("all_complete", over) is None
    assert registry.get_sample_value("goalgraph_runs_total", {"status": "degraded"}) == 1


async def test_a_step_is_in_progress_until_its_task_ends_in_whatever_way(registry: CollectorRegistry) -> None:
    hooks, release = as_hooks(PrometheusHooks(registry)), asyncio.Event()

    async def step() -> None:
        assert await hooks.ruling("assignment", TOLD) is None
        await hooks.ruling("assignment", TOLD)  # it is assigned anew
        await release.wait()
        raise ValueError

    def in_progress() -> float | None:
        return registry.get_sample_value("goalgraph_steps_in_progress")

    tasks = [asyncio.create_task(step()) for _ in range(3)]
    while in_progress() != 3:
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    await asyncio.sleep(0)
    assert in_progress() == 2
    release.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert in_progress() == 0


def test_two_of_them_need_two_registries(registry: CollectorRegistry) -> None:
    PrometheusHooks(registry)
    with pytest.raises(ValueError, match="goalgraph_steps"):
        PrometheusHooks(registry)
    PrometheusHooks(CollectorRegistry())


async def test_a_run_of_an_agent_is_counted(registry: CollectorRegistry) -> None:
    seen, tried = list[float | None](), list[int]()

    @specialist
    async def shaky(task: str) -> str:
        seen.append(registry.get_sample_value("goalgraph_steps_in_progress"))
        tried.append(1)
        if len(tried) == 1:
            raise ConnectionError("a secret")
        return "done"

    options: Any = {"hooks": PrometheusHooks(registry)}
    model = as_specialist(ScriptedChatModel(["hello"]), name="writer")
    policy = ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0))
    agent = create_plan_agent(None, [shaky, model], execution=policy, **options)
    steps = [
        {"id": "a", "agent": "shaky", "task": "hush"},
        {"id": "b", "agent": "writer", "task": "hush", "depends_on": ["a"]},
        {"id": "c", "type": "condition", "test": "{{ true }}", "depends_on": ["a"]},
    ]
    await agent.ainvoke({"goal": "hush", "plan": {"steps": steps}})
    for who in ("shaky", "writer", "none"):
        assert registry.get_sample_value("goalgraph_steps_total", {"specialist": who, "status": "succeeded"}) == 1
    assert registry.get_sample_value("goalgraph_step_retries_total", {"specialist": "shaky"}) == 1
    assert registry.get_sample_value("goalgraph_model_calls_total", {"specialist": "writer"}) == 1
    assert registry.get_sample_value("goalgraph_runs_total", {"status": "complete"}) == 1
    assert seen == [1, 1]
    assert registry.get_sample_value("goalgraph_steps_in_progress") == 0
    text = generate_latest(registry).decode()
    assert "hush" not in text
    assert "secret" not in text
