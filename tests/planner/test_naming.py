"""Names inside of plans: which step they mean, and how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.planner.naming import Names, free_id, reference, slug

NAMES = Names("", frozenset(("a", "g", "g.a", "g.b", "g.h", "g.h.c", "v1.2", "v1.2.x")))
INNER = Names("s.", frozenset(("s.a", "s.g", "s.g.b")), "s.input")
ITEM = Names("", frozenset(("m[*]", "m[*].b")), None, (INNER, "s.g."))


@pytest.mark.parametrize(
    ("names", "name", "prefix", "found"),
    [
        (NAMES, "a", "", "a"),
        (NAMES, "a", "g.", "g.a"),
        (NAMES, "a", "g.h.", "g.a"),
        (NAMES, "c", "g.h.", "g.h.c"),
        (NAMES, "h.c", "g.", "g.h.c"),
        (NAMES, "g.b", "g.h.", "g.b"),
        (NAMES, "c", "", "c"),
        (NAMES, "x", "v1.2.", "v1.2.x"),
        (INNER, "a", "s.", "s.a"),
        (INNER, "b", "s.g.", "s.g.b"),
        (INNER, "z", "s.g.", "s.z"),
        (ITEM, "b", "m[*].", "b"),
        (ITEM, "b", "", "s.g.b"),
        (ITEM, "a", "m[*].", "s.a"),
    ],
)
def test_a_name_means_the_nearest_step(names: Names, name: str, prefix: str, found: str) -> None:
    assert names.resolve(name, prefix) == found


def test_a_step_is_known_here_or_around() -> None:
    assert ITEM.knows("m[*].b")
    assert ITEM.knows("s.a")
    assert not ITEM.knows("a")


@pytest.mark.parametrize(
    ("step_id", "text"),
    [("a", "steps.a"), ("a_1", "steps.a_1"), ("1", "steps['1']"), ("a-b", "steps['a-b']"), ("a.b", "steps['a.b']")],
)
def test_a_reference_can_be_read_back(step_id: str, text: str) -> None:
    assert reference(step_id) == text


@given(st.lists(st.text(max_size=3) | st.sampled_from(("a", "a_2", "a b", "-")), max_size=6).map(tuple))
def test_slugs_are_ids_and_differ(names: tuple[str, ...]) -> None:
    made = [slug(names, place) for place in range(len(names))]
    assert len(set(made)) == len(made)
    assert all(one[0] != "-" and one.replace("-", "_").isascii() for one in made)


@given(st.sets(st.sampled_from(("a", "a_2", "a_3", "b"))))
def test_a_free_id_is_taken_by_nobody(taken: set[str]) -> None:
    found = free_id("a", taken)
    assert found not in taken
    assert found == "a" or "a" in taken
