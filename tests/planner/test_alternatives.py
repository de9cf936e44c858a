"""Several drafts of a plan at the same time: the best is taken, by a stated score, and the scores are told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from goalgraph import Decision, Plan, SpecialistCard
from goalgraph.errors import InvalidPlan, PlannerRefused
from goalgraph.planner.alternatives import HINTS, BestOf
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.documents import read_document
from goalgraph.planner.patch import digest_of
from goalgraph.planner.plan import Step

CARDS = (
    SpecialistCard(name="quick", seconds=1, cost_usd=5),
    SpecialistCard(name="slow", seconds=9, cost_usd=1),
    SpecialistCard(name="dark"),
)


@dataclass
class Scripted:
    """Plans as its script says, in the order of the calls."""

    script: Sequence[Plan | Exception]
    asked: list[PlanRequest] = field(default_factory=list[PlanRequest])

    async def decompose(self, request: PlanRequest) -> Plan:
        number = len(self.asked)
        self.asked.append(request)
        await asyncio.sleep(0.001 * (len(self.script) - number))  # the first one ends last
        found = self.script[number]
        if isinstance(found, Exception):
            raise found
        return found


def plan(*agents: str, chain: bool = False) -> Plan:
    steps: list[Any] = [
        {"id": f"s{number}", "agent": name, "depends_on": [f"s{number - 1}"] if chain and number else []}
        for number, name in enumerate(agents)
    ]
    return read_document({"name": "-".join(agents), "steps": steps}).plan


def request(on_decision: Callable[[Decision], None] = lambda _: None, **fields: Any) -> PlanRequest:
    return PlanRequest(goal="g", cards=CARDS, on_decision=on_decision, **fields)


def ignored(step: Step, number: int) -> None:
    """Take a step, and forget it."""


async def best_of(*script: Plan | Exception) -> tuple[Plan, Decision]:
    decisions: list[Decision] = []
    found = await BestOf(Scripted(script), len(script)).decompose(request(decisions.append))
    (decision,) = decisions
    return found, decision


@pytest.mark.parametrize(
    ("drafts", "best"),
    [
        ([plan("slow"), plan("quick"), plan("slow", "slow", chain=True)], 2),
        ([plan("quick", "quick", chain=True), plan("quick", "quick"), plan("slow")], 2),
        ([plan("slow", "quick"), plan("slow"), plan("slow", "slow")], 2),
        ([plan("dark", "dark", chain=True), plan("dark", "quick"), plan("slow", "slow", chain=True)], 2),
        ([plan("dark", "quick"), plan("dark"), plan("slow")], 2),
        ([plan("slow"), plan("dark", "dark", chain=True)], 1),
        ([plan("slow"), plan("slow"), plan("slow")], 1),
    ],
    ids=[
        "earlier",
        "parallel",
        "cheaper",
        "shorter where times are not known",
        "fewer steps",
        "seconds and steps are not compared",
        "the first of equals",
    ],
)
async def test_the_best_draft_is_taken(drafts: list[Plan], best: int) -> None:
    found, decision = await best_of(*drafts)
    assert found is drafts[best - 1]
    answer: Any = decision.answer
    assert answer["draft"] == best
    assert (decision.kind, decision.chosen, decision.digest) == ("planning", "choose", digest_of(found))


async def test_what_fails_and_what_is_not_valid_is_left_out_and_told() -> None:
    unknown = plan("nobody")
    found, decision = await best_of(PlannerRefused("it will not"), unknown, plan("slow"))
    assert found == plan("slow")
    answer: Any = decision.answer
    assert [(one["draft"], one["valid"]) for one in answer["scores"]] == [(1, False), (2, False), (3, True)]
    assert answer["scores"][0]["error"] == "PlannerRefused: it will not"
    assert "no specialist is called 'nobody'" in answer["scores"][1]["error"]
    assert answer["scores"][2]["seconds"] == {"low": 9, "high": 9}
    assert answer["scores"][2]["hint"] == HINTS[2]
    assert decision.rationale == "draft 3 is the best of 1 valid ones of 3"


async def test_where_all_fail_the_first_ones_error_is_raised_with_the_others() -> None:
    decisions: list[Decision] = []
    script = Scripted([PlannerRefused("it will not"), plan("nobody")])
    with pytest.raises(PlannerRefused, match="it will not") as caught:
        await BestOf(script, 2).decompose(request(decisions.append))
    (note,) = caught.value.__notes__
    assert note.startswith("draft 2: InvalidPlan: draft 2 is not valid: ")
    assert decisions == []


async def test_each_draft_is_told_something_else_and_no_steps_are_told() -> None:
    script = Scripted([plan("slow")] * 6)
    asked = request(constraints=("in French",), on_step=ignored)
    await BestOf(script, 6).decompose(asked)
    assert [one.constraints for one in script.asked] == [
        ("in French", *([hint] if hint else [])) for hint in (*HINTS, *HINTS[:2])
    ]
    assert {one.on_step for one in script.asked} == {None}
    own = Scripted([plan("slow")] * 2)
    await BestOf(own, 2, hints=["short", "long"]).decompose(request())
    assert [one.constraints for one in own.asked] == [("short",), ("long",)]


async def test_one_draft_is_the_planners_own() -> None:
    script, decisions = Scripted([plan("slow")]), list[Decision]()
    asked = request(decisions.append, on_step=ignored)
    assert await BestOf(script, 1).decompose(asked) == plan("slow")
    assert script.asked == [asked]
    assert decisions == []
    with pytest.raises(ValueError, match="n must be 1 or more drafts, found 0"):
        BestOf(script, 0)


async def test_drafts_are_made_at_the_same_time_and_stopped_together() -> None:
    running: set[int] = set()
    meet = asyncio.Barrier(4)

    class Meeting:
        async def decompose(self, request: PlanRequest) -> Plan:
            running.add(number := len(running))
            try:
                await meet.wait()
                await asyncio.sleep(60)
            finally:
                running.discard(number)
            raise AssertionError("nobody stopped it")

    task = asyncio.create_task(BestOf(Meeting(), 3).decompose(request()))
    await asyncio.wait_for(meet.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running == set()


async def test_an_invalid_plan_is_never_taken_even_if_it_is_the_only_one() -> None:
    with pytest.raises(InvalidPlan, match="draft 1 is not valid"):
        await BestOf(Scripted([plan("nobody")] * 2), 2).decompose(request())
