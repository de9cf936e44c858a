import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.planner.partial_json import PartialObject

KEYS = ("name", "steps")
PLAN: dict[str, Any] = {"name": "n", "steps": [{"id": "a", "needs": []}, {"id": "b", "needs": ["a"]}], "size": 2}


def parts(text: str, size: int = 1) -> list[dict[str, object]]:
    reader = PartialObject(KEYS)
    return [reader.data for at in range(0, len(text), size) if reader.feed(text[at : at + size])]


def test_fields_and_elements_are_there_once_they_are_whole() -> None:
    assert parts(json.dumps(PLAN)) == [
        {"name": "n"},
        {"name": "n", "steps": PLAN["steps"][:1]},
        {"name": "n", "steps": PLAN["steps"]},
        PLAN,
    ]


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ('{"name": "half a na', {}),
        ('{"name": "n", "steps": [', {"name": "n"}),
        ('{"name": "n", "steps": [{"id": "a"', {"name": "n"}),
        ('{"name": "n", "steps": []', {"name": "n", "steps": []}),
        ('{"name": "n", "steps": ["a", "b', {"name": "n", "steps": ["a"]}),
        ('{"name": "n", "steps": [1, 23', {"name": "n", "steps": [1]}),
        ('{"name": "n", "more": {"a": [1, 2], "b"', {"name": "n"}),
        ('{"name": "n", "more": {"a": [1, 2]}, "', {"name": "n", "more": {"a": [1, 2]}}),
        (r'{"name": "\"}, {\\", "steps"', {"name": '"}, {\\'}),
    ],
    ids=["text", "list", "element", "empty list", "texts", "numbers", "object", "object, whole", "escapes"],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_nothing_is_there_in_part(text: str, certain: dict[str, object], size: int) -> None:
    reader = PartialObject(KEYS)
    for at in range(0, len(text), size):
        reader.feed(text[at : at + size])
    assert reader.data == certain


@pytest.mark.parametrize(
    "before",
    ["Here {is} it: ", "{{ x }} ", "```json\n", '{"thoughts": {"name": "x"}} ', "{} ", "{ "],
    ids=["prose", "braces", "fence", "another object", "empty object", "a brace"],
)
@pytest.mark.parametrize("after", ["", "\n```", ' {"name": "other"}', " {bye"])
def test_what_surrounds_the_object_is_passed_over(before: str, after: str) -> None:
    assert parts(before + json.dumps(PLAN) + after)[-1] == PLAN


@pytest.mark.parametrize(
    "text", ['{"name": "n", "steps": [{"id" "a"}, {"name": "b"}]}', '{"name": "n", oops, "steps": [1]}']
)
def test_after_a_mistake_nothing_more_is_certain(text: str) -> None:
    assert parts(text) == [{"name": "n"}]


def test_what_was_told_is_not_changed_later() -> None:
    found = parts(json.dumps(PLAN))
    assert [len(str(part.get("steps", ""))) for part in found] == sorted(
        len(str(part.get("steps", ""))) for part in found
    )
    assert found[1]["steps"] is not found[2]["steps"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6) | st.sampled_from(['"', "\\", '{"', "],"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(
    name=VALUES,
    steps=st.lists(VALUES, max_size=4),
    more=st.dictionaries(st.text(max_size=4), VALUES, max_size=2),
    size=st.integers(1, 9),
    ascii_only=st.booleans(),
    indent=st.none() | st.just(1),
)
def test_any_object_is_read_whole_at_last_and_only_ever_grows(
    name: object, steps: list[object], more: dict[str, object], size: int, ascii_only: bool, indent: int | None
) -> None:
    whole = {"name": name, "steps": steps} | {f"more {key}": value for key, value in more.items()}
    found = parts(json.dumps(whole, ensure_ascii=ascii_only, indent=indent), size)
    assert found[-1] == whole
    for part in found:
        for key, value in part.items():
            assert value == whole[key] or begins(whole[key], value)


def begins(whole: object, value: object) -> bool:
    if not (isinstance(whole, list) and isinstance(value, list)):
        return False
    elements = cast("list[object]", value)
    return cast("list[object]", whole)[: len(elements)] == elements


@given(text=st.text(alphabet='{}[]",:\\ ab1', max_size=40), size=st.integers(2, 9))
def test_any_text_is_read_the_same_however_it_is_cut(text: str, size: int) -> None:
    assert parts(text, 1)[-1:] == parts(text, size)[-1:]
