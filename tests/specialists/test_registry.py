"""The registry: unique, usable names, and copies that stay as they were."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import Specialist, SpecialistCard, SpecialistRegistry, StepContext, StepTask
from goalgraph.errors import InvalidSpecialist, UnknownSpecialist


@dataclass
class Named:
    """A specialist that is nothing but its name."""

    card: SpecialistCard

    async def run(self, task: StepTask, context: StepContext) -> object:
        return self.card.name


def named(name: str, **fields: Any) -> Named:
    return Named(SpecialistCard(name=name, **fields))


def researcher(text: str) -> str:
    """Finds things."""
    return text


def test_specialists_are_kept_by_name_in_the_order_of_their_registration() -> None:
    one, two = named("zeta"), named("alpha")
    registry = SpecialistRegistry([one, two, researcher])
    assert [card.name for card in registry.cards] == ["zeta", "alpha", "researcher"]
    assert list(registry)[:2] == [one, two]
    assert registry.get("alpha") is two
    assert "zeta" in registry
    assert "omega" not in registry
    assert 3 not in registry
    assert len(registry) == 3


def test_registering_returns_what_is_registered() -> None:
    registry = SpecialistRegistry()
    made = registry.register(researcher)
    assert isinstance(made, Specialist)
    assert registry.get("researcher") is made


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "\n", " a", "a ", "a\tb", "a\nb", "a\0b", "a\x1bb", "a\u200bb", "a\u202eb", "a\xa0b", "\ud800"),
        *("x" * 129, "a:b", "a|b", ":", "|"),
    ],
    ids=repr,
)
def test_a_name_that_could_name_no_node_is_refused(name: str) -> None:
    unchecked = SpecialistCard.model_construct(name=name, capabilities=(), max_concurrency=None)
    with pytest.raises(InvalidSpecialist):
        SpecialistRegistry([Named(unchecked)])


@pytest.mark.parametrize("name", ["a", "A b-c.d_e", "x" * 128, "研究者", "écrivain", "<lambda>", "🙂"])
def test_a_plain_name_in_any_language_is_accepted(name: str) -> None:
    assert SpecialistRegistry([named(name)]).get(name).card.name == name


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ("writer", "writer"),
        ("writer", "Writer"),
        ("writer", "WRITER"),
        ("strasse", "straße"),
        ("paper", "рареr"),
        ("score", "ѕсоrе"),
        ("vote", "νοte"),
        ("é", "e\u0301"),
        ("abc", "ａｂｃ"),
        ("file", "\ufb01le"),
    ],
    ids=["same", "case", "upper", "sharp s", "cyrillic", "more cyrillic", "greek", "accent", "full width", "ligature"],
)
def test_a_name_that_looks_like_a_taken_one_is_refused(taken: str, name: str) -> None:
    registry = SpecialistRegistry([named(taken)])
    with pytest.raises(InvalidSpecialist, match="names must be unique"):
        registry.register(named(name))
    assert [card.name for card in registry.cards] == [taken]


def test_an_object_whose_card_is_none_is_refused() -> None:
    with pytest.raises(InvalidSpecialist, match="not a SpecialistCard"):
        SpecialistRegistry([Named(cast("SpecialistCard", {"name": "a"}))])


def test_a_class_in_place_of_its_instance_is_refused() -> None:
    with pytest.raises(InvalidSpecialist, match=r"Named is a class, not a specialist; give Named\(\.\.\.\)"):
        SpecialistRegistry([Named])


@pytest.mark.parametrize("limit", [0, -1])
def test_a_specialist_that_could_never_work_is_refused(limit: int) -> None:
    with pytest.raises(InvalidSpecialist, match="max_concurrency"):
        SpecialistRegistry([named("a", max_concurrency=limit)])


def test_a_specialist_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UnknownSpecialist, match=r"no specialist is called 'c'; there are: a, b"):
        SpecialistRegistry([named("a"), named("b")]).get("c")
    with pytest.raises(LookupError, match="there are: none"):
        SpecialistRegistry().get("c")


def test_a_specialist_is_taken_out_and_its_name_is_free_again() -> None:
    registry = SpecialistRegistry([named("a")])
    out = registry.unregister("a")
    assert out.card.name == "a"
    assert "a" not in registry
    registry.register(named("A"))
    with pytest.raises(UnknownSpecialist):
        registry.unregister("a")


def test_a_copy_and_the_registry_go_their_own_ways() -> None:
    registry = SpecialistRegistry([named("a")])
    copy = registry.copy()
    registry.unregister("a")
    copy.register(named("b"))
    assert [card.name for card in copy.cards] == ["a", "b"]
    assert len(registry) == 0


def test_what_is_given_out_cannot_change_the_registry() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    registry = SpecialistRegistry([named("a", output_schema=schema), named("b")])
    given = registry.cards
    cast("Any", given[0].output_schema)["properties"]["n"]["type"] = "string"
    assert registry.cards[0].output_schema == {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert registry.cards == (registry.get("a").card, registry.get("b").card)
    found = list(registry)
    found.clear()
    assert len(registry) == 2


def test_a_registry_can_change_while_it_is_gone_through() -> None:
    registry = SpecialistRegistry([named("a"), named("b")])
    for one in registry:
        registry.unregister(one.card.name)
    assert len(registry) == 0


def test_a_generator_of_specialists_is_accepted() -> None:
    def some() -> Iterator[object]:
        yield researcher
        yield named("b")

    assert len(SpecialistRegistry(some())) == 2


def test_after_a_refusal_the_registry_is_as_before() -> None:
    registry = SpecialistRegistry([named("a")])
    for bad in (named("a"), None, "researcher", 3):
        with pytest.raises(InvalidSpecialist):
            registry.register(bad)
    assert [card.name for card in registry.cards] == ["a"]


@given(st.lists(st.text("aAаeе1 :é", max_size=3), max_size=8))
def test_registered_names_are_different_to_the_eye_whatever_is_offered(names: list[str]) -> None:
    registry = SpecialistRegistry()
    for name in names:
        try:
            registry.register(named(name))
        except InvalidSpecialist:
            continue
    kept = [card.name for card in registry.cards]
    seen = [name.casefold().replace("а", "a").replace("е", "e") for name in kept]
    assert len(set(seen)) == len(seen)
    assert all(name == name.strip() != "" and ":" not in name for name in kept)
