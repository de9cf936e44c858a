"""Signals between steps: who sees which, and what is left of them."""

import asyncio
from typing import Any

import pytest

from goalgraph import ExecutionPolicy, Retry, Signal, StepContext, StepTask, create_plan_agent, specialist


def step(step_id: str, agent: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "agent": agent, "task": "t", "depends_on": list(needs), **fields}


def signalling(to: str) -> Any:
    @specialist
    async def teller(task: StepTask, context: StepContext) -> str:
        context.signal("ready", to=to)
        return "told"

    return teller


def observers() -> list[Any]:
    made: list[Any] = []
    for name in ("first", "second"):

        @specialist(name=name)
        async def one(task: StepTask, context: StepContext) -> Any:
            return [f"{found.step} {found.to}" for found in context.observed()]

        made.append(one)
    return made


@pytest.mark.parametrize(
    ("to", "seen"),
    [
        ("all", {"waits": True, "further": True, "other": True}),
        ("dependants", {"waits": True, "further": True, "other": False}),
        ("first", {"waits": True, "further": False, "other": True}),
    ],
)
async def test_each_audience_sees_what_is_for_it(to: str, seen: dict[str, bool]) -> None:
    agent = create_plan_agent(None, [signalling(to), *observers()], execution=ExecutionPolicy(max_concurrency=1))
    plan = {
        "coordinator": {"strategy": "sequential"},
        "steps": [
            step("a", "teller"),
            step("waits", "first", "a"),
            step("further", "second", "waits"),
            step("other", "first"),
        ],
    }
    done = await agent.ainvoke({"goal": "g", "plan": plan})
    outcomes = done["outcomes"]
    assert {one: outcomes[one].output == [f"a {to}"] for one in seen} == seen
    assert done["signals"] == [Signal(name="ready", step="a", to=to, resolved=False)]
    assert outcomes["a"].audience == ({} if to == "all" else {"ready": to})


async def test_items_signal_to_what_waits_for_their_map() -> None:
    agent = create_plan_agent(None, [signalling("dependants"), *observers()])
    each = {"type": "map", "id": "each", "over": [1, 2], "step": step("each", "teller")}
    done = await agent.ainvoke({"goal": "g", "plan": {"steps": [each, step("b", "first", "each")]}})
    assert done["outcomes"]["b"].output == ["each[0] dependants", "each[1] dependants"]
    assert [one.step for one in done["signals"]] == ["each[0]", "each[1]"]


async def test_a_signal_to_nobody_is_refused() -> None:
    agent = create_plan_agent(None, [signalling("nobody")])
    done = await agent.ainvoke({"goal": "g", "plan": {"steps": [step("a", "teller")]}})
    assert "no audience is called 'nobody'" in done["outcomes"]["a"].error.message


async def test_signals_of_running_steps_are_seen_and_those_of_a_failed_attempt_taken_back() -> None:
    said, again, looked = asyncio.Event(), asyncio.Event(), asyncio.Event()
    seen: list[list[str]] = []

    @specialist
    async def teller(task: StepTask, context: StepContext) -> str:
        if context.attempt == 1:
            context.signal("early")
            said.set()
            await looked.wait()
            raise ConnectionError
        again.set()
        await asyncio.sleep(0.1)
        return "told"

    @specialist
    async def looker(task: StepTask, context: StepContext) -> str:
        await said.wait()
        seen.append([one.name for one in context.observed()])
        looked.set()
        await again.wait()
        seen.append([one.name for one in context.observed()])
        return "seen"

    policy = ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0.0))
    agent = create_plan_agent(None, [teller, looker], execution=policy)
    done = await agent.ainvoke({"goal": "g", "plan": {"steps": [step("a", "teller"), step("b", "looker")]}})
    assert seen == [["early"], []]
    assert (done["signals"], done["outcomes"]["a"].signals) == ([], ())


async def test_what_the_last_failed_attempt_has_signalled_stays() -> None:
    @specialist
    async def teller(task: StepTask, context: StepContext) -> str:
        context.signal("stuck", to="first")
        raise ValueError("broken")

    agent = create_plan_agent(None, [teller, *observers()])
    steps = [step("a", "teller"), step("b", "first", "a", join="all_done"), step("c", "second", "a", join="all_done")]
    done = await agent.ainvoke({"goal": "g", "plan": {"steps": steps}})
    assert (done["outcomes"]["b"].output, done["outcomes"]["c"].output) == (["a first"], [])
    assert done["outcomes"]["a"].audience == {"stuck": "first"}
