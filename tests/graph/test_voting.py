"""Counting votes, and knowing early how they end; against a count that is written in another way."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from goalgraph.graph.coordination.ballots import Ballot
from goalgraph.graph.coordination.voting import counted, decided, shown, value_of
from goalgraph.planner.plan import AgentStep
from goalgraph.planner.votes import Vote

UNITS = 20
"""Confidences and shares are multiples of a twentieth, so that the tests count in whole numbers."""

votes = st.builds(Vote, by=st.sampled_from(["majority", "confidence"]))
quorums = st.one_of(st.none(), st.integers(1, 6), st.integers(1, UNITS).map(lambda one: one / UNITS))
cast = st.tuples(st.sampled_from("xyz"), st.one_of(st.none(), st.integers(0, UNITS)))


def ballots_of(given: Sequence[tuple[str, int | None]]) -> tuple[Ballot, ...]:
    return tuple(
        Ballot(voter=f"v{place}", output=value, confidence=None if sure is None else sure / UNITS)
        for place, (value, sure) in enumerate(given)
    )


def winner(by: str, quorum: float | None, given: Sequence[tuple[str, int | None]], missing: int) -> str | None:
    """Count in twentieths: a value wins that beats each of the others and meets the quorum."""
    units: Counter[str] = Counter()
    heads = Counter(value for value, _ in given)
    for value, sure in given:
        units[value] += UNITS if by == "majority" else UNITS // 2 if sure is None else sure
    everybody = sum(units.values()) + UNITS * missing
    for value in heads:
        if units[value] and all(units[value] > units[other] for other in heads if other != value):
            if quorum is None:
                return value if 2 * units[value] > everybody else None
            if isinstance(quorum, int):
                return value if heads[value] >= quorum else None
            return value if units[value] * UNITS >= round(quorum * UNITS) * everybody else None
    return None


@settings(max_examples=1_000)
@given(vote=votes, quorum=quorums, given=st.lists(cast, max_size=8), missing=st.integers(0, 4))
def test_a_count_agrees_with_one_written_in_another_way(
    vote: Vote, quorum: float | None, given: list[tuple[str, int | None]], missing: int
) -> None:
    tally = counted(vote, quorum, ballots_of(given), missing)
    expected = winner(vote.by, quorum, given, missing)
    assert (tally.chosen.output if tally.chosen is not None else None) == expected
    assert (tally.result == "won") == (expected is not None)
    if expected is not None:
        own = [UNITS // 2 if sure is None else sure for value, sure in given if value == expected]
        best = max(own)
        first = next(
            place
            for place, (value, sure) in enumerate(given)
            if value == expected and (UNITS // 2 if sure is None else sure) == best
        )
        assert tally.chosen is not None
        assert tally.chosen.voter == f"v{first}"


def test_a_value_behind_can_still_win_where_the_first_cannot() -> None:
    given = [("x", UNITS), ("y", UNITS // 4), ("y", UNITS // 4)]
    vote = Vote(by="confidence")
    assert decided(vote, 3, ballots_of(given), 0, 1) is None
    assert counted(vote, 3, ballots_of([*given, ("y", UNITS)])).value == '"y"'


ENDS: tuple[tuple[str, int] | str, ...] = (*product("xyzw", (0, 7, UNITS)), "missing", "left out")
"""What may become of a voter who is still at work."""


@settings(max_examples=400)
@given(
    vote=votes,
    otherwise=st.sampled_from(["fail", "ask"]),
    quorum=quorums,
    given=st.lists(cast, max_size=5),
    missing=st.integers(0, 2),
    waiting=st.integers(1, 2),
)
def test_late_ballots_never_change_a_decided_vote_and_what_is_not_decided_can_still_change(
    vote: Vote,
    otherwise: Any,
    quorum: float | None,
    given: list[tuple[str, int | None]],
    missing: int,
    waiting: int,
) -> None:
    vote = vote.model_copy(update={"otherwise": otherwise})
    early = decided(vote, quorum, ballots_of(given), missing, waiting)
    found: set[str | None] = set()
    for ends in product(ENDS, repeat=waiting):
        late = [one for one in ends if isinstance(one, tuple)]
        tally = counted(vote, quorum, ballots_of([*given, *late]), missing + ends.count("missing"), is_cut=True)
        found.add(tally.value)
        if early is not None:
            assert tally.result == early.result
    if early is not None:
        assert found == {early.value}
    else:
        assert len(found) > 1 or otherwise == "ask"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes.", "  yes "),
        ("“Yes!”", "(yes)"),
        ("STRASSE", "straße"),
        ("ﬁne", "fine"),
        ("a  b\nc", "A b c"),
        ("ｙｅｓ", "yes"),
        (1, 1.0),
        ({"a": "Yes", "b": [1]}, {"b": [1.0], "a": "yes."}),
    ],
    ids=["case and stop", "quotes", "sharp s", "ligature", "spaces", "wide", "numbers", "objects"],
)
def test_values_that_are_alike_are_one(one: JsonValue, other: JsonValue) -> None:
    tally = counted(Vote(), 2, (Ballot(voter="a", output=one), Ballot(voter="b", output=other)))
    assert tally.result == "won"


@pytest.mark.parametrize(
    ("one", "other"),
    [("-5", "5"), ("5%", "5"), ("C#", "C"), (".5", "5"), ("5", 5), (True, 1), ("...", "!!!")],
    ids=["sign", "percent", "sharp", "point", "text and number", "boolean and number", "nothing but stops"],
)
def test_values_that_differ_stay_apart(one: JsonValue, other: JsonValue) -> None:
    tally = counted(Vote(), None, (Ballot(voter="a", output=one), Ballot(voter="b", output=other)))
    assert tally.result == "tie"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("a", {"b": [1, {"c": "x"}]}),
        ("a.b.1.c", "x"),
        ("a.b.2", None),
        ("a.c", None),
        ("a.b.x", None),
        ("a.b.0.c", None),
    ],
)
def test_a_field_is_a_path(field: str, expected: JsonValue) -> None:
    assert value_of({"a": {"b": [1, {"c": "x"}]}}, field) == expected


def test_an_output_without_the_field_is_no_ballot_and_weighs_as_a_voter() -> None:
    ballots = (Ballot(voter="a", output={"v": 1}), Ballot(voter="b", output={"w": 1}))
    tally = counted(Vote(field="v"), None, ballots)
    assert tally.result == "no_quorum"
    assert tally.spoiled == ("b",)
    assert tally.total == 2


def test_shares_are_counted_as_they_are_written() -> None:
    ballots = tuple(Ballot(voter=str(place), output=place and "x") for place in range(10))
    assert counted(Vote(), 0.1, ballots[:1]).result == "won"
    three = tuple(Ballot(voter=one, output="x", confidence=0.1) for one in "abc")
    assert counted(Vote(by="confidence"), 0.3, (*three, Ballot(voter="d", output="y", confidence=0.0)), 0).share == 1.0
    one_of_ten = (Ballot(voter="a", output="x"),)
    assert counted(Vote(), 0.1, one_of_ten, 9).result == "won", "0.1 as a binary fraction is more than a tenth"


def test_nobody_sure_of_anything_is_no_quorum() -> None:
    ballots = tuple(Ballot(voter=one, output="x", confidence=0.0) for one in "ab")
    assert counted(Vote(by="confidence"), 1, ballots).result == "no_quorum"


def test_a_long_value_is_shown_short() -> None:
    assert shown("x" * 500) == "x" * 117 + "..."


@pytest.mark.parametrize("quorum", [0, -1, True, 1.5, 0.0, "2", float("nan")], ids=repr)
def test_a_quorum_is_a_count_or_a_share(quorum: Any) -> None:
    with pytest.raises(ValidationError, match="quorum"):
        AgentStep(id="a", agents=("x",), quorum=quorum)


@given(st.text(max_size=30))
def test_a_text_as_it_is_compared_compares_as_itself(text: str) -> None:
    once = next(iter(counted(Vote(), 1, (Ballot(voter="a", output=text),)).weights))
    again = next(iter(counted(Vote(), 1, (Ballot(voter="a", output=json.loads(once)),)).weights))
    assert once == again
