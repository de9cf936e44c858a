from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planner.drafted import Item, approval, compiled, draft, fork, work

from goalgraph.planner.draft import StepFeed
from goalgraph.planner.plan import Step

ORDERED = {
    "name": "n",
    "conditions": [fork(["b"], ["c"])],
    "steps": [work("a"), work("b"), work("c"), work("d", "ok")],
    "approvals": [approval("ok", "a")],
}


def parts(data: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """An object as it grows: keys in order, lists item by item."""
    so_far: dict[str, object] = {}
    for key, value in data.items():
        if not isinstance(value, list):
            so_far[key] = value
            yield dict(so_far)
            continue
        items = cast("list[object]", value)
        for count in range(0 if not items else 1, len(items) + 1):
            so_far[key] = items[:count]
            yield dict(so_far)


def told(feed: StepFeed, data: Mapping[str, object]) -> list[list[str]]:
    return [[step.id for step in feed.take(part)] for part in parts(data)]


def test_each_step_is_given_once_when_it_is_there_and_all_conditions_are() -> None:
    feed = StepFeed()
    assert told(feed, ORDERED) == [[], [], ["fork", "a"], ["b"], ["c"], ["d"], ["ok"]]
    assert feed.rest(ORDERED) == ()


def test_a_step_that_a_condition_names_has_it_as_a_dependency() -> None:
    feed = StepFeed()
    given = {step.id: step.depends_on for part in parts(ORDERED) for step in feed.take(part)}
    assert given == {"fork": (), "a": (), "b": ("fork",), "c": ("fork",), "d": ("ok",), "ok": ("a",)}


def test_steps_before_the_conditions_wait_for_the_end() -> None:
    late = {"steps": [work("a"), work("b")], "conditions": [fork(["b"], [])]}
    feed = StepFeed()
    assert told(feed, late) == [[], [], []]
    assert [(step.id, step.depends_on) for step in feed.rest(late)] == [("fork", ()), ("a", ()), ("b", ("fork",))]


def test_a_simple_draft_has_no_conditions_to_wait_for() -> None:
    assert told(StepFeed(simple=True), {"name": "n", "steps": [work("a"), work("b")]}) == [[], ["a"], ["b"]]


def test_a_step_that_cannot_be_read_or_whose_id_was_there_is_not_given() -> None:
    feed = StepFeed()
    data = draft([work("a"), work("a", "b"), work("b", task=3), cast("Item", "c"), work("d e")])
    assert told(feed, {"conditions": [], **data}) == [[], [], ["a"], [], [], [], []]
    assert feed.rest({"conditions": [], **data, "waits": 3}) == ()


@pytest.mark.parametrize("whole", [None, [], "text", {"steps": 3}, {"steps": None}])
def test_what_is_no_draft_has_no_steps(whole: object) -> None:
    assert StepFeed().rest(whole) == ()


def test_an_object_that_begins_anew_gives_no_step_twice() -> None:
    feed = StepFeed()
    first = [step.id for part in parts(ORDERED) for step in feed.take(part)]
    again = [step.id for part in parts(ORDERED) for step in feed.take(part)]
    assert (len(first), again) == (6, [])


def flat(steps: Sequence[Step]) -> dict[str, Step]:
    return {step.id: step for step in steps}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_has_no_dependencies_in_the_feed_has_none_in_the_plan(data: st.DataObject) -> None:
    ids = [f"s{number}" for number in range(data.draw(st.integers(1, 6)))]
    some = st.lists(st.sampled_from(ids), max_size=2, unique=True)
    steps = [work(one, *data.draw(some)) for one in ids]
    forks = [fork(data.draw(some), data.draw(some), id=f"f{number}") for number in range(data.draw(st.integers(0, 2)))]
    whole = {"conditions": forks, "steps": steps, "name": "n"}
    feed = StepFeed()
    given_steps = flat([step for part in parts(whole) for step in feed.take(part)])
    planned = flat(compiled(steps, conditions=forks))
    assert {one for one, step in given_steps.items() if not step.depends_on} == {
        one for one, step in planned.items() if not step.depends_on and step.type != "parallel"
    }
