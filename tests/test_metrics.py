"""Prometheus' metrics, fed by hooks."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from goalgraph import ExecutionPolicy, Outcome, Plan, Retry, as_specialist, create_plan_agent, specialist
from goalgraph.graph.coordination.hooks import Completion, as_hooks
from goalgraph.metrics import PrometheusHooks
from goalgraph.planner.outcome import Usage
from goalgraph.testing import ScriptedChatModel


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


async def test_the_queue_is_that_of_the_run_that_ended_last(registry: CollectorRegistry) -> None:
    @specialist(max_concurrency=1)
    async def narrow(task: str) -> str:
        await asyncio.sleep(0)
        return "done"

    hooks: Any = PrometheusHooks(registry)
    agent = create_plan_agent(None, [narrow], hooks=hooks)
    for count, waited in ((4, 3), (2, 1)):
        steps = [{"id": f"s{n}", "agent": "narrow", "task": "hush"} for n in range(count)]
        await agent.ainvoke({"goal": "hush", "plan": {"steps": steps}})
        assert registry.get_sample_value("goalgraph_max_waiting_steps", {"specialist": "narrow"}) == waited


async def test_steps_may_begin_early_where_steps_are_counted(registry: CollectorRegistry) -> None:
    hooks: Any = PrometheusHooks(registry)
    assert not as_hooks(hooks).has("assignment")


def test_two_of_them_need_two_registries(registry: CollectorRegistry) -> None:
    PrometheusHooks(registry)
    with pytest.raises(ValueError, match="goalgraph_steps"):
        PrometheusHooks(registry)
    PrometheusHooks(CollectorRegistry())


async def test_a_run_of_an_agent_is_counted(registry: CollectorRegistry) -> None:
    tried = list[int]()

    @specialist
    async def shaky(task: str) -> str:
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
    text = generate_latest(registry).decode()
    assert "hush" not in text
    assert "secret" not in text
