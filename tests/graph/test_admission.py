"""Which branches may be at work, against a simple reckoning on random groups."""

from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.graph.board.admission import Admission
from goalgraph.graph.board.index import Group


def group(
    branches: Sequence[Sequence[str]], concurrency: int | None, name: str = "group", over: Iterable[str] = ()
) -> Admission:
    admission = Admission()
    admission.add(a_group(branches, concurrency, name), over)
    return admission


def a_group(branches: Sequence[Iterable[str]], concurrency: int | None, name: str = "group") -> Group:
    sets = tuple(map(frozenset, branches))
    return Group(
        id=name,
        branches=sets,
        heads=frozenset(),
        members=frozenset[str]().union(*sets),
        concurrency=concurrency,
        fail_fast=False,
        timeout=None,
    )


def test_without_a_limit_everyone_passes() -> None:
    admission = group([["a"], ["b"]], None)
    assert all(admission.enter(step) for step in ("a", "b", "somebody else"))
    assert admission.leave("a") == []


def test_a_branch_keeps_its_place_until_its_last_step_is_over() -> None:
    admission = group([["a1", "a2"], ["b"]], 1)
    assert admission.enter("a1")
    assert not admission.enter("b")
    assert admission.leave("a1") == []
    assert admission.enter("a2")
    assert admission.leave("a2") == ["b"]
    assert admission.enter("b")


def test_a_branch_that_waits_for_a_human_gives_its_place_away_and_needs_none_later() -> None:
    admission = group([["a1", "a2"], ["b"], ["c"]], 1)
    assert admission.enter("a1")
    assert not admission.enter("b")
    assert not admission.enter("c")
    assert admission.park("a1") == ["b"]
    assert admission.enter("b")
    assert admission.enter("a2"), "it goes on when it can"
    assert admission.leave("b") == ["c"]


def test_what_was_over_before_leaves_no_gap_in_the_queue() -> None:
    admission = group([["a"], ["b"], ["c"], ["d"]], 1)
    assert admission.enter("a")
    assert [admission.enter(step) for step in ("b", "c", "d")] == [False] * 3
    assert admission.leave("b") == []
    assert admission.leave("c") == []
    assert admission.leave("a") == ["d"], "b and c are over, and do not stand in the way"
    assert admission.enter("d")


def test_where_all_who_have_places_wait_for_those_who_have_none_places_are_given_anew() -> None:
    admission = group([["a1", "a2"], ["b"]], 1)
    assert admission.enter("a1")
    assert not admission.enter("b")
    assert admission.leave("a1") == []  # and a2 needs b
    assert admission.anew() == ["b"]
    assert admission.enter("b")
    assert not admission.enter("a2"), "its branch has lost its place"
    assert admission.leave("b") == ["a2"]
    assert admission.enter("a2")


@st.composite
def nested_branches(draw: st.DrawFn) -> list[tuple[Group, list[list[str]]]]:
    """One to three groups, each inside of a branch of the one before; branches are chains of steps."""
    groups: list[tuple[Group, list[list[str]]]] = []
    prefix = ""
    for level in range(draw(st.integers(1, 3))):
        branches = [
            [f"{prefix}{number}.{place}" for place in range(draw(st.integers(1, 3)))]
            for number in range(draw(st.integers(1, 5)))
        ]
        limit = draw(st.one_of(st.none(), st.integers(1, 3)))
        groups.append((a_group(branches, limit, f"g{level}"), branches))
        prefix = f"{prefix}0."
    whole: list[tuple[Group, list[list[str]]]] = []
    for place, (one, branches) in enumerate(groups):
        inside = {step for _, below in groups[place + 1 :] for branch in below for step in branch}
        sets = [set(branch) for branch in branches]
        sets[0] |= inside
        whole.append((a_group(sets, one.concurrency, one.id), branches))
    return whole


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_no_more_branches_than_allowed_are_at_work_and_all_get_in(data: st.DataObject) -> None:
    """Steps of a branch come one after the other; in what order branches end, and which park, is up to chance."""
    groups = data.draw(nested_branches())
    admission = Admission()
    over_before = {
        step
        for _, branches in groups
        for branch in branches
        for step in branch[: data.draw(st.integers(0, len(branch)))]
        if data.draw(st.booleans())
    }
    chains = [list(branch) for _, branches in groups for branch in branches]
    for chain in chains:  # only beginnings of chains are over
        known = [step in over_before for step in chain]
        over_before -= {step for place, step in enumerate(chain) if not all(known[: place + 1])}
    for one, _ in groups:
        admission.add(one, over_before)
    left = [[step for step in chain if step not in over_before] for chain in chains]
    working: set[str] = set()
    queued: set[str] = set()
    parked: set[str] = set()
    done: set[str] = set()
    every = {step for chain in left for step in chain}

    def offer(step: str) -> None:
        if admission.enter(step):
            working.add(step)
            queued.discard(step)
        else:
            queued.add(step)
        for one, _ in groups:
            if one.concurrency is not None:
                begun = [
                    branch
                    for branch in one.branches
                    if any(step in working or step in done for step in branch)
                    and not branch <= done | over_before
                    and not branch & parked
                ]
                assert len(begun) <= one.concurrency

    for chain in left:
        if chain:
            offer(chain[0])
    while working:
        step = data.draw(st.sampled_from(sorted(working)))
        if step not in parked and data.draw(st.integers(0, 4)) == 0:
            parked.add(step)
            freed = admission.park(step)
        else:
            working.discard(step)
            done.add(step)
            freed = admission.leave(step)
            chain = next(one for one in left if step in one)
            if (place := chain.index(step) + 1) < len(chain):
                offer(chain[place])
        for free in freed:
            assert free in queued
            offer(free)
    assert done == every, f"left behind: {every - done}"
