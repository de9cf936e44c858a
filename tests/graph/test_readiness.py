"""What becomes of a step, by its join rule, its dependencies' states, and the conditions around it: the whole table."""

from itertools import permutations

import pytest

from goalgraph.graph.board.transitions import Readiness, readiness
from goalgraph.planner.outcome import Outcome, Status
from goalgraph.planner.plan import Join

STATES: dict[str, Status | None] = {
    "S": "succeeded",
    "F": "failed",
    "K": "skipped",
    "B": "blocked",
    "C": "cancelled",
    "-": None,  # not over yet
}

TABLE: dict[Join, dict[Readiness, str]] = {
    "all_success": {
        "run": "SS",
        "wait": "S- K- --",
        "skip": "SK KK",
        "block": "SF SB SC FF FK FB FC F- KB KC BB BC B- CC C-",
    },
    "all_done": {
        "run": "SS SF SK SB SC FF FK FB FC KK KB KC BB BC CC",
        "wait": "S- F- K- B- C- --",
        "skip": "",
        "block": "",
    },
    "any_success": {
        "run": "SS SF SK SB SC S-",
        "wait": "F- K- B- C- --",
        "skip": "KK",
        "block": "FF FK FB FC KB KC BB BC CC",
    },
}
OPTIONAL: dict[Join, dict[Readiness, str]] = {
    # The second of the two is optional: what became of it stops nobody, unless it was cancelled.
    "all_success": {
        "run": "SS SF SK SB",
        "wait": "S- K- -S -F -K -B --",
        "skip": "KS KF KK KB",
        "block": "FS FF SC FC F-",
    },
    "all_done": {"run": "SS SF SK FS FF", "wait": "S- -S", "skip": "", "block": ""},
    "any_success": {"run": "SS SF FS -S S-", "wait": "-F -K --", "skip": "KK", "block": "FF FK KF"},
}
ROWS = [(join, pair, fate) for join, fates in TABLE.items() for fate, pairs in fates.items() for pair in pairs.split()]
OPTIONAL_ROWS = [
    (join, pair, fate) for join, fates in OPTIONAL.items() for fate, pairs in fates.items() for pair in pairs.split()
]


def known(states: str) -> dict[str, Outcome]:
    """Outcomes of the steps d0, d1, ... in these states."""
    found: dict[str, Outcome] = {}
    for place, state in enumerate(states):
        if (status := STATES[state]) is not None:
            found[f"d{place}"] = Outcome(step=f"d{place}", status=status)
    return found


def test_the_table_has_every_pair_of_states_for_every_rule() -> None:
    pairs = {"".join(sorted(pair, key="SFKBC-".index)) for pair in permutations("SFKBC-" * 2, 2)}
    for join, fates in TABLE.items():
        listed = [pair for row in fates.values() for pair in row.split()]
        assert sorted("".join(sorted(pair, key="SFKBC-".index)) for pair in listed) == sorted(pairs), join


@pytest.mark.parametrize(("join", "pair", "fate"), ROWS)
def test_a_join_decides_by_its_rule_in_whatever_order(join: Join, pair: str, fate: Readiness) -> None:
    for order in (pair, pair[::-1]):
        assert readiness(join, ("d0", "d1"), known(order), ()) == fate


@pytest.mark.parametrize(("join", "pair", "fate"), OPTIONAL_ROWS)
def test_what_becomes_of_an_optional_step_stops_nobody(join: Join, pair: str, fate: Readiness) -> None:
    assert readiness(join, ("d0", "d1"), known(pair), ("d1",)) == fate


@pytest.mark.parametrize("join", ["all_success", "all_done", "any_success"])
def test_a_step_that_needs_nothing_runs(join: Join) -> None:
    assert readiness(join, (), {}, ()) == "run"


def decided(value: bool | None) -> dict[str, Outcome]:
    """A condition that came to a value, or to none yet."""
    return {} if value is None else {"if": Outcome(step="if", status="succeeded", output=value)}


@pytest.mark.parametrize("join", ["all_success", "all_done", "any_success"])
@pytest.mark.parametrize("states", ["S", "F", "K", "B", "-"])
def test_a_branch_that_is_not_taken_is_skipped_whatever_else_is_known(join: Join, states: str) -> None:
    outcomes = known(states) | decided(False)
    assert readiness(join, ("d0",), outcomes, (), guards=[("if", True)]) == "skip"
    assert readiness(join, ("d0",), outcomes, (), guards=[("if", False)]) == readiness(join, ("d0",), outcomes, ())


@pytest.mark.parametrize("join", ["all_success", "all_done", "any_success"])
def test_a_step_waits_for_its_condition_even_where_its_rule_is_met(join: Join) -> None:
    assert readiness(join, ("d0",), known("S"), (), guards=[("if", True)]) == "wait"


@pytest.mark.parametrize(
    ("status", "fate"), [("failed", "block"), ("blocked", "block"), ("cancelled", "block"), ("skipped", "skip")]
)
def test_a_condition_that_came_to_nothing_takes_its_branches_with_it(status: Status, fate: Readiness) -> None:
    outcomes = known("S") | {"if": Outcome(step="if", status=status)}
    for join in ("all_success", "all_done", "any_success"):
        assert readiness(join, ("d0",), outcomes, (), guards=[("if", True)]) == fate


def test_one_condition_against_a_step_is_enough_and_known_at_once() -> None:
    outcomes = decided(False) | {"b": Outcome(step="b", status="failed")}
    assert readiness("all_success", (), outcomes, (), guards=[("if", True), ("later", True)]) == "skip"
    assert readiness("all_success", (), outcomes, (), guards=[("b", True), ("if", True)]) == "skip"


@pytest.mark.parametrize("states", ["SS", "SF", "KK", "BC"])
def test_the_end_of_a_group_comes_when_its_branches_are_over_whatever_became_of_them(states: str) -> None:
    assert readiness("all_success", (), known(states), (), members=("d0", "d1")) == "run"
    assert readiness("all_success", (), known(states[0]), (), members=("d0", "d1")) == "wait"
