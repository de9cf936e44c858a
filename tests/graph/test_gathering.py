"""What a group or a map comes to as a whole, by what its branches came to."""

from itertools import product

import pytest

from goalgraph.graph.steps.gathering import gathered, gathered_items
from goalgraph.planner.outcome import Outcome, Status, StepError
from goalgraph.planner.plan import MapStep, OnFailure, ParallelStep, Plan

STATES: dict[str, Status] = {
    "S": "succeeded",
    "F": "failed",
    "K": "skipped",
    "B": "blocked",
    "C": "cancelled",
}
TABLE: dict[str, str] = {
    # Branches of whatever order: what they come to under wait_all and fail_fast, and under continue.
    "SS": "succeeded succeeded",
    "SK": "succeeded succeeded",
    "SF": "failed succeeded",
    "SB": "failed succeeded",
    "SC": "cancelled succeeded",
    "KK": "skipped skipped",
    "KF": "failed failed",
    "KB": "blocked blocked",
    "KC": "cancelled cancelled",
    "FF": "failed failed",
    "FB": "failed failed",
    "FC": "failed failed",
    "BB": "blocked blocked",
    "BC": "failed failed",
    "CC": "cancelled cancelled",
}
ROWS = [(pair, rule) for pair in TABLE for rule in ("wait_all", "fail_fast", "continue")]


def one(step: str, state: str, **more: object) -> Outcome:
    error = StepError(code="raised", message=f"{step} broke") if state in "FBC" else None
    output = f"of {step}" if state == "S" else None
    return Outcome(step=step, status=STATES[state], output=output, error=error).model_copy(update=more)


def group(on_failure: str = "wait_all", *branches: object) -> ParallelStep:
    steps = [{"id": "g", "type": "parallel", "branches": branches or ["g.a", "g.b"], "on_failure": on_failure}]
    step = Plan.model_validate({"steps": steps}).steps[0]
    assert step.type == "parallel"
    return step


def a_map(on_failure: str = "wait_all") -> MapStep:
    body = {"id": "m", "type": "map", "over": [1, 2], "step": {"id": "s", "agent": "w"}, "on_failure": on_failure}
    step = Plan.model_validate({"steps": [body]}).steps[0]
    assert step.type == "map"
    return step


@pytest.mark.parametrize(("pair", "rule"), ROWS)
def test_a_whole_is_judged_by_its_rule_in_whatever_order(pair: str, rule: OnFailure) -> None:
    wanted = TABLE[pair].split()[rule == "continue"]
    for order in (pair, pair[::-1]):
        found = {name: one(name, state) for name, state in zip(("g.a", "g.b"), order, strict=True)}
        assert gathered(group(rule), found, ()).status == wanted
        items = [one(f"m[{number}]", state) for number, state in enumerate(order)]
        assert gathered_items(a_map(rule), items, ()).status == wanted


def test_the_table_has_every_pair() -> None:
    assert {"".join(sorted(pair)) for pair in product(STATES, repeat=2)} == {"".join(sorted(pair)) for pair in TABLE}


def test_the_output_has_the_branches_that_succeeded_by_the_ids_of_their_last_steps() -> None:
    outcomes = {"g.a": one("g.a", "S"), "g.d": one("g.d", "S"), "far": one("far", "S"), "g.e": one("g.e", "K")}
    step = group("wait_all", "g.a", ["g.c", "g.d"], "far", "g.e")
    assert gathered(step, outcomes, ()).output == {"a": "of g.a", "d": "of g.d", "far": "of far"}


def test_the_output_of_a_map_keeps_the_places_of_items_without_one() -> None:
    items = [one("m[0]", "F"), one("m[1]", "S"), one("m[2]", "K"), one("m[3]", "S")]
    assert gathered_items(a_map("continue"), items, ()).output == [None, "of m[1]", None, "of m[3]"]
    assert gathered_items(a_map(), [], ()).output == []


@pytest.mark.parametrize("rule", ["wait_all", "fail_fast"])
def test_the_error_says_who_failed_and_why_and_not_too_much(rule: OnFailure) -> None:
    found = {"g.a": one("g.a", "F"), "g.b": one("g.b", "S")}
    error = gathered(group(rule), found, ()).error
    assert error == StepError(code="branch_failed", message="'g.a' failed: g.a broke")
    items = [one(f"m[{number}]", "F") for number in range(40)]
    told = gathered_items(a_map(), items, ()).error
    assert told is not None
    assert told.message.endswith("; 35 more")
    assert "m[4]" in told.message
    assert "m[5]" not in told.message


def test_to_continue_means_to_say_what_is_missing() -> None:
    found = {"g.a": one("g.a", "F"), "g.b": one("g.b", "S", confidence=0.4)}
    whole = gathered(group("continue"), found, ())
    assert (whole.status, whole.output, whole.confidence) == ("succeeded", {"b": "of g.b"}, 0.4)
    assert whole.degraded == ("'g.a' failed: g.a broke",)


@pytest.mark.parametrize("rule", ["wait_all", "fail_fast", "continue"])
def test_optional_branches_count_for_nothing(rule: OnFailure) -> None:
    found = {"g.a": one("g.a", "F"), "g.b": one("g.b", "S")}
    whole = gathered(group(rule), found, ["g.a"])
    assert (whole.status, whole.output, whole.degraded) == ("succeeded", {"b": "of g.b"}, ())


def test_a_whole_whose_time_was_up_has_failed_with_what_there_is() -> None:
    found = {"g.a": one("g.a", "S"), "g.b": one("g.b", "C")}
    whole = gathered(group("continue"), found, (), "not done after 3 s")
    assert (whole.status, whole.output) == ("failed", {"a": "of g.a"})
    assert whole.error is not None
    assert (whole.error.code, whole.error.message) == ("timeout", "not done after 3 s")
