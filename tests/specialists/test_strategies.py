"""Who does a step where several could: strategies, candidates and replicas, with plain values."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from goalgraph import (
    AgentStep,
    PlanPolicy,
    RoutingPolicy,
    RoutingRequest,
    SpecialistCard,
    SpecialistRegistry,
    as_specialist,
)
from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.plan_prompt import available_cards
from goalgraph.specialists import Candidate
from goalgraph.specialists.routing.replicas import able
from goalgraph.specialists.routing.strategies import preferred
from goalgraph.testing import ScriptedSpecialist


def candidate(name: str, *, cost: float | None = None, most: int | None = None, **known: Any) -> Candidate:
    card = SpecialistCard(name=name, capabilities=("x",), cost_usd=cost, max_concurrency=most)
    return Candidate(card=card, **known)


def ordered(strategy: Any, *candidates: Candidate, chosen: dict[str, int] | None = None, **more: Any) -> str:
    weights = more.pop("weights", {})
    request = RoutingRequest(step=AgentStep(id="s", requires=("x",)), candidates=candidates, **more)
    return " ".join(preferred(strategy, request, chosen or {}, weights)[0])


@pytest.mark.parametrize(
    ("candidates", "names"),
    [
        ((candidate("a", running=2), candidate("b", running=1)), "b a"),
        ((candidate("a", running=1, most=1), candidate("b", running=2, most=4)), "b a"),
        ((candidate("a", queued=1, most=2), candidate("b", running=5)), "b a"),
        ((candidate("a"), candidate("b", mean_seconds=3.0), candidate("c", mean_seconds=2.0)), "c b a"),
        ((candidate("b"), candidate("a")), "b a"),
    ],
    ids=["fewer steps", "for its limit", "no limit counts least", "faster, unknown last", "registered first"],
)
def test_the_least_loaded_comes_first(candidates: tuple[Candidate, ...], names: str) -> None:
    assert ordered("least_loaded", *candidates) == names


def test_the_cheapest_is_known_by_its_card_or_else_by_what_it_has_cost() -> None:
    crew = (
        candidate("unknown"),
        candidate("dear", cost=2.0),
        candidate("seen", mean_usd=0.5),
        candidate("free", cost=0),
    )
    assert ordered("cheapest", *crew) == "free seen dear unknown"
    assert ordered("round_robin", *crew, mode="economy", spent_usd=3.0) == "free seen dear unknown"


@given(weights=some.lists(some.integers(0, 5), min_size=1, max_size=5).filter(any), rounds=some.integers(1, 4))
def test_weighted_turns_are_in_proportion_after_every_whole_round(weights: list[int], rounds: int) -> None:
    crew = [candidate(str(number)) for number in range(len(weights))]
    by_name = {str(number): float(weight) for number, weight in enumerate(weights)}
    chosen: Counter[str] = Counter()
    for _ in range(sum(weights) * rounds):
        chosen[ordered("weighted", *crew, chosen=chosen, weights=by_name).split()[0]] += 1
    assert [chosen[str(number)] for number in range(len(weights))] == [weight * rounds for weight in weights]


def test_weighted_turns_are_smooth() -> None:
    chosen: Counter[str] = Counter()
    turns = ""
    for _ in range(7):
        name = ordered("weighted", *map(candidate, "abc"), chosen=chosen, weights={"a": 5}).split()[0]
        chosen[name] += 1
        turns += name
    assert turns == "aabacaa"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"strategy": "fastest"}, "strategy"),
        ({"strategy": 3}, "strategy"),
        ({"ceiling_usd": -1.0}, "ceiling_usd"),
        ({"weights": {"a": -1.0}}, "weights"),
    ],
    ids=["unknown", "no router", "negative ceiling", "negative weight"],
)
def test_a_policy_that_makes_no_sense_is_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"RoutingPolicy\.{field}"):
        RoutingPolicy(**arguments)


def crew(*replicas: Any) -> SpecialistRegistry:
    return SpecialistRegistry([*replicas, ScriptedSpecialist("a", capabilities=["x", "y"]), ScriptedSpecialist("z")])


def replica(name: str, of: str | None = "a", **options: Any) -> Any:
    return as_specialist(ScriptedSpecialist(name), replica_of=of, **options)


def test_a_replica_is_able_to_do_what_its_original_is() -> None:
    cards = crew(replica("b", capabilities=["y", "w"])).cards
    assert cards[0].capabilities == ("x", "y", "w")
    assert [card.name for card in able(AgentStep(id="s", requires=("x",)), cards)] == ["b", "a"]
    assert [card.name for card in able(AgentStep(id="s", agent="a"), cards)] == ["a", "b"]
    assert [card.name for card in able(AgentStep(id="s", agent="b"), cards)] == ["b"]
    usable = PlanPolicy(available=frozenset({"b", "z"})).usable(cards)
    assert [card.name for card in able(AgentStep(id="s", agent="a"), usable)] == ["b"]


def test_planners_are_not_told_of_replicas() -> None:
    assert [card.name for card in available_cards(crew(replica("b")).cards, PlanPolicy())] == ["a", "z"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([replica("b", "nobody")], "is not there"),
        ([replica("b", "b")], "is not there"),
        ([replica("b"), replica("c", "b")], "a replica itself"),
        ([replica("b", output={"type": "object", "properties": {}})], "another output"),
    ],
    ids=["of nobody", "of itself", "of a replica", "of another output"],
)
def test_a_replica_that_is_none_is_refused(made: list[Any], said: str) -> None:
    with pytest.raises(InvalidSpecialist, match=said):
        crew(*made)


def test_a_replica_that_is_refused_is_not_registered_and_an_original_stays_while_it_has_replicas() -> None:
    registry = crew(replica("b"))
    with pytest.raises(InvalidSpecialist, match="not there"):
        registry.register(replica("c", "nobody"))
    assert "c" not in registry
    with pytest.raises(InvalidSpecialist, match="has the replica 'b'"):
        registry.unregister("a")
    registry.unregister("b")
    registry.unregister("a")
    assert [card.name for card in registry.cards] == ["z"]
