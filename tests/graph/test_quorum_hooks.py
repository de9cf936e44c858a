"""Hooks that rule on several results for the same work, as they come in."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.graph.voters import asking, voter

from goalgraph import (
    AgentStep,
    MapStep,
    ParallelStep,
    Plan,
    StepContext,
    StepTask,
    Vote,
    create_plan_agent,
    specialist,
)
from goalgraph.errors import HookFailed
from goalgraph.graph.coordination.hooks import Quorum, Ruling, on_quorum

CONFIG: Any = {"configurable": {"thread_id": "1"}}
NEVER = 60.0


def review(*names: str, **fields: Any) -> Plan:
    return Plan(steps=(AgentStep(id="review", task="Judge.", agents=names, **fields),))


class Told:
    """A hook that rules once there are enough ballots, and remembers what it was told."""

    def __init__(self, enough: int, ruling: Callable[[Quorum], object] = lambda told: told.ballots[0].output) -> None:
        self.enough = enough
        self.ruling = ruling
        self.heard: list[Quorum] = []

    @on_quorum
    async def rules(self, told: Quorum) -> object:
        self.heard.append(told)
        await asyncio.sleep(0)
        return self.ruling(told) if len(told.ballots) >= self.enough else None


async def run(plan: Plan, hooks: object, *crew: Any, given: Any = None, **options: Any) -> dict[str, Any]:
    agent = create_plan_agent(None, crew, hooks=hooks, **options)
    return await asyncio.wait_for(agent.ainvoke(given or {"goal": "g", "plan": plan}, CONFIG), 20)


async def test_a_ruling_is_the_output_and_stops_the_others() -> None:
    hook = Told(2, lambda told: Ruling(chosen={"took": [one.voter for one in told.ballots]}, why="two will do"))
    crew = [voter("a", "x", 0.5), voter("b", "y", after=0.03), voter("c", after=NEVER)]
    result = await run(review("a", "b", "c"), hook, *crew)
    assert result["outcomes"]["review"].output == {"took": ["a", "b"]}
    assert result["outcomes"]["review.c"].error.code == "decided"
    assert (result["status"], result["degraded"]) == ("complete", [])
    assert [(len(one.ballots), one.waiting) for one in hook.heard] == [(1, ("b", "c")), (2, ("c",))]
    (decision,) = [one for one in result["decisions"] if one.kind == "vote"]
    assert (decision.subject, decision.by, decision.rationale) == ("review", "Told.rules", "two will do")
    assert decision.alternatives == ("x", "y")


async def test_a_hook_that_never_rules_is_told_at_the_end_too_and_changes_nothing() -> None:
    hook = Told(9)
    crew = [voter("a", "x"), voter("b", "y", after=0.02), voter("c", ValueError("z"), after=0.04)]
    result = await run(review("a", "b", "c"), hook, *crew)
    assert result["outcomes"]["review"].output == {"a": "x", "b": "y"}
    assert [(len(one.ballots), one.waiting) for one in hook.heard] == [(1, ("b", "c")), (2, ("c",)), (2, ())]
    assert not result["decisions"]


async def test_a_hook_is_told_from_its_threshold_on() -> None:
    heard: list[int] = []

    @on_quorum(threshold=2)
    def rules(told: Quorum) -> object:
        heard.append(len(told.ballots))
        return None

    crew = [voter(name, after=place * 0.02) for place, name in enumerate("abc")]
    await run(review(*"abc"), rules, *crew)
    assert heard == [2, 3, 3]


async def test_a_ruling_wins_over_the_vote() -> None:
    crew = [voter("a", "x"), voter("b", "x"), voter("c", "y")]
    hook = Told(3, lambda told: "y")
    result = await run(review("a", "b", "c", quorum=1.0, vote=Vote()), hook, *crew)
    assert result["outcomes"]["review"].output == "y"


async def test_without_a_ruling_the_vote_decides() -> None:
    crew = [voter("a", "x"), voter("b", "x"), voter("c", "y", after=NEVER)]
    result = await run(review("a", "b", "c", vote=Vote()), Told(3), *crew)
    assert result["outcomes"]["review"].output == "x"


async def test_branches_with_different_work_are_no_vote() -> None:
    branches = (AgentStep(id="x", agent="a", task="One."), AgentStep(id="y", agent="b", task="Two."))
    hook = Told(1)
    result = await run(Plan(steps=(ParallelStep(id="p", branches=branches),)), hook, voter("a"), voter("b"))
    assert hook.heard == []
    assert result["outcomes"]["p"].output == {"x": "yes", "y": "yes"}


async def test_a_group_that_failed_fast_is_not_ruled_on() -> None:
    branches = (AgentStep(id="x", agent="a", task="t"), AgentStep(id="y", agent="b", task="t"))
    plan = Plan(steps=(ParallelStep(id="p", branches=branches, on_failure="fail_fast"),))
    result = await run(plan, Told(9), voter("a", after=0.05), voter("b", ValueError("x")))
    assert result["outcomes"]["p"].error.code == "branch_failed"


async def test_every_item_of_a_map_is_ruled_on() -> None:
    each = AgentStep(id="v", task="t", agents=("a", "b"))
    plan = Plan(steps=(MapStep(id="each", over=[1, 2], step=each),))
    result = await run(plan, Told(1), voter("a", "x"), voter("b", after=NEVER))
    assert result["outcomes"]["each"].output == ["x", "x"]
    assert result["status"] == "complete"


async def test_a_voter_who_waits_for_a_human_is_stopped_by_a_ruling() -> None:
    crew = [voter("a", after=0.05), asking("b")]
    result = await run(review("a", "b"), Told(1), *crew, checkpointer=InMemorySaver())
    assert "__interrupt__" not in result
    assert result["outcomes"]["review"].output == "yes"


async def test_several_hooks_are_told_one_ballot_at_a_time() -> None:
    inside = 0

    @on_quorum
    async def rules(told: Quorum) -> object:
        nonlocal inside
        inside += 1
        await asyncio.sleep(0.01)
        inside -= 1
        assert inside == 0
        return None

    await run(review(*"abcde"), rules, *(voter(name) for name in "abcde"))


async def test_who_is_done_when_a_hook_rules_keeps_the_outcome() -> None:
    async def slowly(told: Quorum) -> object:
        await asyncio.sleep(0.05)
        return told.ballots[0].output

    crew = [voter("a", "x"), voter("b", "y", after=0.01), voter("c", after=NEVER)]
    result = await run(review("a", "b", "c"), {"on_quorum": slowly}, *crew)
    states = {step_id: one.status for step_id, one in result["outcomes"].items()}
    assert states == {
        "review.a": "succeeded",
        "review.b": "succeeded",
        "review.c": "cancelled",
        "review": "succeeded",
    }


async def test_what_a_hook_raises_ends_the_run_and_what_was_not_recorded_is_done_again(sqlite: SqliteSaver) -> None:
    done: list[str] = []

    @on_quorum
    def breaks(told: Quorum) -> object:
        raise RuntimeError("no")

    crew = [voter("a", done=done), voter("b", done=done, after=0.05)]
    plan = review("a", "b")
    with pytest.raises(HookFailed, match="no"):
        await run(plan, breaks, *crew, checkpointer=sqlite)
    result = await create_plan_agent(None, crew, checkpointer=sqlite).ainvoke(None, CONFIG)
    assert result["outcomes"]["review"].output == {"a": "yes", "b": "yes"}


async def test_recorded_results_are_ruled_on_when_the_run_goes_on(sqlite: SqliteSaver) -> None:
    done: list[str] = []
    crew = [voter("a", "x", done=done), voter("b", "y", done=done), asking("c")]
    plan = review("a", "b", "c")
    paused = await run(plan, Told(9), *crew, checkpointer=sqlite)
    assert paused["__interrupt__"]
    hook = Told(2)
    agent = create_plan_agent(None, crew, hooks=hook, checkpointer=sqlite)
    result = await agent.ainvoke(Command(resume="z"), CONFIG)
    assert result["outcomes"]["review"].output == "x"
    assert result["outcomes"]["review.c"].error.code == "decided"
    assert sorted(done) == ["a", "b"]
    assert [(len(one.ballots), one.waiting) for one in hook.heard] == [(2, ("c",))]


async def test_a_ruling_that_is_not_recorded_is_asked_for_again(tmp_path: Path) -> None:
    done: list[str] = []
    path = str(tmp_path / "run.sqlite")
    ruled = asyncio.Event()

    @specialist(name="c")
    async def stubborn(task: StepTask, context: StepContext) -> str:
        """Heeds no cancellation, so that the group cannot end in the first process."""
        while True:
            try:
                await asyncio.sleep(NEVER)
            except asyncio.CancelledError:
                if ruled.is_set() and call.cancelling():
                    raise

    def first(told: Quorum) -> object:
        ruled.set()
        return told.ballots[0].output

    with SqliteSaver.from_conn_string(path) as saver:
        agent = create_plan_agent(
            None, [voter("a", "x", done=done), stubborn], hooks=Told(1, first), checkpointer=saver
        )
        call = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": review("a", "c")}, CONFIG))
        await ruled.wait()
        await asyncio.sleep(0.2)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    hook = Told(1)
    with SqliteSaver.from_conn_string(path) as saver:
        crew = [voter("a", "x", done=done), voter("c", after=NEVER)]
        agent = create_plan_agent(None, crew, hooks=hook, checkpointer=saver)
        result = await asyncio.wait_for(agent.ainvoke(None, CONFIG), 10)
    assert done == ["a"], "a recorded ballot is not cast again"
    assert [one.ballots[0].output for one in hook.heard] == ["x"]
    assert result["outcomes"]["review"].output == "x"
