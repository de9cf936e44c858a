"""The board and its slots against an independent reckoning, on random plans, joins, failures and limits."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.graph.board.board import Board
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.slots import Slots
from goalgraph.graph.board.transitions import Readiness, readiness, run_status
from goalgraph.planner.outcome import Outcome, Status
from goalgraph.planner.plan import AgentStep, Join, Plan

BAD = ("failed", "blocked")


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    steps: list[AgentStep] = []
    for number in range(draw(st.integers(1, 14))):
        needs = draw(st.sets(st.integers(0, number - 1), max_size=4)) if number else set[int]()
        steps.append(
            AgentStep(
                id=f"s{number}",
                task="t",
                agent=draw(st.sampled_from(["a", "b"])),
                depends_on=tuple(f"s{one}" for one in needs),
                join=draw(st.sampled_from(["all_success", "all_success", "all_done", "any_success"])),
                optional=draw(st.booleans()),
            )
        )
    order = draw(st.permutations(steps))
    return Plan(steps=tuple(order))


def expected(plan: Plan, results: Mapping[str, str]) -> dict[str, str]:
    """What becomes of each step, reckoned one by one in the order of their numbers, which is topological."""
    found: dict[str, str] = {}
    optional = {step.id for step in plan.steps if step.optional}
    for step in sorted(plan.steps, key=lambda one: int(one.id[1:])):
        states = {need: found[need] for need in step.depends_on}
        hard = {need: state for need, state in states.items() if not (need in optional and state != "succeeded")}
        if step.join == "all_done":
            runs, stopped = True, ""
        elif step.join == "any_success":
            runs = not states or "succeeded" in states.values()
            stopped = "blocked" if any(state in BAD for state in states.values()) else "skipped"
        else:
            runs = all(state == "succeeded" for state in hard.values())
            stopped = "blocked" if any(state in BAD for state in hard.values()) else "skipped"
        found[step.id] = results[step.id] if runs else stopped
    return found


def agent_steps(plan: Plan) -> list[AgentStep]:
    return [step for step in plan.steps if step.type == "agent"]


class Watch:
    """Counts what runs at the same time."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {"a": 0, "b": 0}
        self.most: dict[str, int] = {"a": 0, "b": 0, "all": 0}

    def begin(self, specialist: str) -> None:
        self.running[specialist] += 1
        self.most[specialist] = max(self.most[specialist], self.running[specialist])
        self.most["all"] = max(self.most["all"], sum(self.running.values()))

    def end(self, specialist: str) -> None:
        self.running[specialist] -= 1


async def played(
    board: Board, plan: Plan, results: Mapping[str, str], naps: Mapping[str, int], watch: Watch
) -> list[str]:
    """Run every unfinished step's task; return the order in which steps began."""
    began: list[str] = []

    async def task(step: AgentStep) -> None:
        verdict = await board.enter(step.id)
        if verdict != "run":
            return
        specialist = step.agent or ""
        watch.begin(specialist)
        began.append(step.id)
        for _ in range(naps[step.id]):
            await asyncio.sleep(0)
        watch.end(specialist)
        parked = results[step.id] == "parked"
        status: Any = results[step.id]
        board.leave(step.id, None if parked else Outcome(step=step.id, status=status))

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for step in agent_steps(plan):
            if step.id not in board.outcomes or board.outcomes[step.id].status in ("blocked", "skipped"):
                group.create_task(task(step))
    return began


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_every_step_ends_as_its_join_says_within_the_limits(data: st.DataObject) -> None:
    plan = data.draw(plans())
    ids = [step.id for step in plan.steps]
    results = {one: data.draw(st.sampled_from(["succeeded", "succeeded", "failed", "skipped"])) for one in ids}
    naps = {one: data.draw(st.integers(0, 3)) for one in ids}
    total = data.draw(st.one_of(st.none(), st.integers(1, 4)))
    each = data.draw(st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 2)))
    index = PlanIndex.of(plan)
    specialists = {step.id: step.agent or "" for step in agent_steps(plan)}
    watch = Watch()

    async def go() -> tuple[Board, list[str]]:
        board = Board(index, {}, specialists, Slots(total, each, index.priority))
        return board, await played(board, plan, results, naps, watch)

    board, began = asyncio.run(go())
    assert {one: outcome.status for one, outcome in board.outcomes.items()} == expected(plan, results)
    assert len(began) == len(set(began))
    assert watch.most["all"] <= (total or len(ids))
    assert all(watch.most[name] <= limit for name, limit in each.items())
    for step in plan.steps:
        if step.id in began and step.join != "any_success":
            assert all(began.index(need) < began.index(step.id) for need in step.depends_on if need in began)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_board_set_up_in_the_middle_goes_on_as_if_it_had_seen_the_beginning(data: st.DataObject) -> None:
    plan = data.draw(plans())
    results = {step.id: data.draw(st.sampled_from(["succeeded", "failed"])) for step in plan.steps}
    wanted = expected(plan, results)
    cut = data.draw(st.integers(0, len(plan.steps)))
    recorded = {
        step_id: Outcome(step=step_id, status=_status(wanted[step_id]))
        for step_id in sorted(wanted, key=lambda one: int(one[1:]))[:cut]
    }
    index = PlanIndex.of(plan)
    specialists = {step.id: step.agent or "" for step in agent_steps(plan)}

    async def go() -> tuple[Board, list[str]]:
        board = Board(index, recorded, specialists, Slots(2, {}, index.priority))
        left = Plan(steps=tuple(step for step in plan.steps if step.id not in recorded))
        return board, await played(board, left, results, dict.fromkeys(results, 1), Watch())

    board, began = asyncio.run(go())
    assert {one: outcome.status for one, outcome in board.outcomes.items()} == wanted
    assert not set(began) & set(recorded)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_what_needs_a_parked_step_parks_with_it_and_nothing_hangs(data: st.DataObject) -> None:
    plan = data.draw(plans())
    results = {step.id: data.draw(st.sampled_from(["succeeded", "failed", "parked"])) for step in plan.steps}
    index = PlanIndex.of(plan)
    specialists = {step.id: step.agent or "" for step in agent_steps(plan)}

    async def go() -> tuple[Board, list[str]]:
        board = Board(index, {}, specialists, Slots(2, {}, index.priority))
        return board, await played(board, plan, results, dict.fromkeys(results, 1), Watch())

    board, began = asyncio.run(go())
    parked = {one for one in began if results[one] == "parked"}
    assert not parked & set(board.outcomes)
    for step in plan.steps:
        if step.join == "all_done" and parked & set(step.depends_on):
            assert step.id not in began


def _status(text: str) -> Status:
    found: dict[str, Status] = {
        "succeeded": "succeeded",
        "failed": "failed",
        "blocked": "blocked",
        "skipped": "skipped",
    }
    return found[text]


@pytest.mark.parametrize(
    ("join", "states", "expected_fate"),
    [
        ("all_success", [], "run"),
        ("all_success", ["succeeded", None], "wait"),
        ("all_success", ["succeeded", "succeeded"], "run"),
        ("all_success", ["failed", None], "block"),
        ("all_success", ["skipped", None], "wait"),
        ("all_success", ["skipped", "succeeded"], "skip"),
        ("all_success", ["skipped", "failed"], "block"),
        ("all_success", ["cancelled", "succeeded"], "block"),
        ("all_done", ["failed", None], "wait"),
        ("all_done", ["failed", "skipped"], "run"),
        ("any_success", [], "run"),
        ("any_success", ["succeeded", None], "run"),
        ("any_success", ["failed", None], "wait"),
        ("any_success", ["failed", "skipped"], "block"),
        ("any_success", ["skipped", "skipped"], "skip"),
    ],
)
def test_the_truth_table_of_joins(join: Join, states: list[Status | None], expected_fate: Readiness) -> None:
    needs = [f"n{number}" for number in range(len(states))]
    outcomes = {
        need: Outcome(step=need, status=state) for need, state in zip(needs, states, strict=True) if state is not None
    }
    assert readiness(join, needs, outcomes, ()) == expected_fate


def test_an_optional_failure_beside_a_skipped_step_skips() -> None:
    outcomes = {"a": Outcome(step="a", status="failed"), "b": Outcome(step="b", status="skipped")}
    assert readiness("all_success", ["a", "b"], outcomes, {"a"}) == "skip"
    assert readiness("all_success", ["a", "b"], outcomes, {"a", "b"}) == "run"


def test_the_step_with_the_longest_way_to_go_starts_first() -> None:
    slots = Slots(1, {}, {"short": 1, "long": 3, "middle": 2})
    for step in ("short", "middle", "long"):
        slots.offer(step, "a")
    taken: list[str | None] = []
    for _ in range(4):
        taken.append(slots.take())
        assert slots.take() is None
        slots.release("a")
    assert taken == ["long", "middle", "short", None]


def test_a_full_specialist_does_not_hold_up_another() -> None:
    slots = Slots(None, {"a": 1}, {"a1": 9, "a2": 8, "b1": 1})
    for step, specialist in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        slots.offer(step, specialist)
    assert [slots.take(), slots.take(), slots.take()] == ["a1", "b1", None]


@pytest.mark.parametrize(
    ("states", "degraded", "status"),
    [
        (["succeeded", "succeeded"], [], "complete"),
        (["succeeded", "skipped"], [], "complete"),
        (["skipped", "skipped"], [], "complete"),
        (["succeeded", "failed"], ["why"], "degraded"),
        (["failed", "blocked"], ["why"], "failed"),
        (["failed", "skipped"], ["why"], "failed"),
    ],
)
def test_the_status_of_a_run(states: list[Status], degraded: list[str], status: str) -> None:
    plan = Plan(steps=tuple(AgentStep(id=f"s{number}", task="t", agent="a") for number in range(len(states))))
    outcomes = {f"s{number}": Outcome(step=f"s{number}", status=state) for number, state in enumerate(states)}
    assert run_status(plan, outcomes, degraded) == status
