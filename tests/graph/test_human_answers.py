"""What counts as an answer to a request, and what does not."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from goalgraph.graph.humans.answers import Approval, Problem, read_approval, read_event, read_input


@pytest.mark.parametrize(
    ("answer", "approval"),
    [
        (True, Approval(True)),
        (False, Approval(False)),
        ("approve", Approval(True)),
        ("reject", Approval(False)),
        ({"type": "approve"}, Approval(True)),
        ({"type": "approve", "message": "fine"}, Approval(True, "fine")),
        ({"type": "reject", "message": " too\x00 long "}, Approval(False, "too\ufffd long")),
        ({"type": "reject", "comment": ""}, Approval(False)),
        ({"decisions": [{"type": "approve"}]}, Approval(True)),
        ({"decisions": [{"type": "reject", "message": "no"}]}, Approval(False, "no")),
        ([{"type": "accept", "args": None}], Approval(True)),
        ([{"type": "accept", "args": {"action": "sign", "args": {"prompt": "?"}}}], Approval(True)),
        ([{"type": "accept", "args": "go on"}], Approval(True, "go on")),
        ([{"type": "ignore", "args": None}], Approval(False)),
        ([{"type": "response", "args": "approve"}], Approval(True)),
        ([{"type": "response", "args": "reject"}], Approval(False)),
    ],
    ids=str,
)
def test_a_plain_yes_or_no_is_read(answer: object, approval: Approval) -> None:
    assert read_approval(answer) == approval


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        {},
        [],
        1,
        0,
        1.0,
        "yes",
        "yes please",
        "Approve",
        " approve",
        "approve\n",
        "True",
        b"approve",
        [True],
        ["approve"],
        {"approve": True},
        {"type": "Approve"},
        {"type": True},
        {"type": ["approve"]},
        {"type": "approve", "unless": "it rains"},
        {"type": "approve", "message": 3},
        {"type": "approve", "message": "a", "comment": "b"},
        {"type": "approve", "args": {"amount": 3}},
        {"decisions": []},
        {"decisions": True},
        {"decisions": [True]},
        {"decisions": [{"type": "approve"}, {"type": "approve"}]},
        {"decisions": [{"type": "approve"}], "more": 1},
        {"decisions": [{"decisions": [{"type": "approve"}]}]},
        [{"type": "accept"}, {"type": "accept"}],
        [[{"type": "accept"}]],
        [{"type": "response", "args": "yes please"}],
        [{"type": "response", "args": ["approve"]}],
        {"type": "respond", "message": "approve"},
        {"type": "approve", "message": "x" * 20_001},
    ],
    ids=lambda answer: repr(answer)[:60],
)
def test_what_is_not_plainly_an_answer_is_none(answer: object) -> None:
    found = read_approval(answer)
    assert isinstance(found, Problem)
    assert found.message
    assert "\n" not in found.message
    assert len(found.message) < 400


_EDITS: list[object] = [
    {"type": "edit", "edited_action": {"name": "sign", "args": {}}},
    {"decisions": [{"type": "edit", "edited_action": {"name": "sign", "args": {}}}]},
    [{"type": "edit", "args": {"action": "sign", "args": {}}}],
    {"type": "respond", "message": "Tell me more"},
]


@pytest.mark.parametrize("answer", _EDITS)
def test_an_approval_cannot_be_edited_or_talked_to(answer: object) -> None:
    found = read_approval(answer)
    assert isinstance(found, Problem)
    assert re.search("approved or rejected, not answered with '(edit|respond)'", found.message)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["approve", "type", "decisions"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "decisions", "message", "args", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def _says_yes(value: JsonValue) -> bool:
    """Whether there is a yes in it at all."""
    if isinstance(value, dict):
        return any(map(_says_yes, value.values()))
    return any(map(_says_yes, value)) if isinstance(value, list) else value is True or value in ("approve", "accept")


@given(_JSON)
def test_nothing_raises_and_nothing_without_a_yes_in_it_is_an_approval(answer: JsonValue) -> None:
    found = read_approval(answer)
    if isinstance(found, Approval) and found.approved:
        assert _says_yes(answer)
    read_input(answer, {})


_AGE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
}


@pytest.mark.parametrize(
    ("answer", "schema", "value"),
    [
        ("text", {}, "text"),
        ("5", {}, "5"),
        (["a", "b"], {}, ["a", "b"]),
        ({"name": "Ida", "age": 3}, _AGE, {"name": "Ida", "age": 3}),
        ({"type": "respond", "message": "text"}, {"type": "string"}, "text"),
        ({"decisions": [{"type": "respond", "message": "text"}]}, {}, "text"),
        ([{"type": "response", "args": "text"}], {}, "text"),
        ([{"type": "response", "args": {"name": "Ida", "age": 3}}], _AGE, {"name": "Ida", "age": 3}),
        ([{"type": "response", "args": '{"name": "Ida", "age": 3}'}], _AGE, {"name": "Ida", "age": 3}),
        ("5", {"type": "integer"}, 5),
        ("true", {"type": "boolean"}, True),
        (None, {"type": ["string", "null"]}, None),
        ({"type": "house", "rooms": 3}, {}, {"type": "house", "rooms": 3}),
        ({"type": "edit", "rooms": 3}, {}, {"type": "edit", "rooms": 3}),
        ("a\x00b", {}, "a\ufffdb"),
        ("2026-02-28", {"type": "string", "format": "date"}, "2026-02-28"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_was_filled_in_is_read(answer: object, schema: dict[str, Any], value: JsonValue) -> None:
    assert read_input(answer, schema) == value


@pytest.mark.parametrize(
    ("answer", "schema", "said"),
    [
        ({"age": -1}, _AGE, ["'name' is a required property", "age: -1 is less than the minimum of 0"]),
        ("five", {"type": "integer"}, ["'five' is not of type 'integer'"]),
        ("tomorrow", {"type": "string", "format": "date"}, ["'tomorrow' is not a 'date'"]),
        (None, {}, ["the answer is empty"]),
        ({"type": "respond"}, {}, ["the answer is empty"]),
        ({"type": "approve"}, {}, ["asks for an answer, not for 'approve'"]),
        ([{"type": "ignore", "args": None}], {}, ["asks for an answer, not for 'ignore'"]),
        ({"decisions": [{"type": "respond", "message": "a"}, {"type": "respond", "message": "b"}]}, {}, ["found 2"]),
        ({"type": "respond", "message": "a", "args": "b"}, {}, ["one 'message', found 2"]),
        (object(), {}, ["cannot be kept"]),
        ({"a": 1, 1: 2, "1": 3}, {}, ["cannot be kept: two keys"]),
        ("x", {"$ref": "https://example.com/schema.json"}, ["refers to 'https://example.com/schema.json'"]),
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0][:50],
)
def test_what_does_not_fit_is_asked_again_with_all_reasons(
    answer: object, schema: dict[str, Any], said: list[str]
) -> None:
    found = read_input(answer, schema)
    assert isinstance(found, Problem)
    assert all(reason in found.message for reason in said), found.message


@pytest.mark.parametrize(
    ("answer", "value"),
    [(None, None), ({"paid": 3}, {"paid": 3}), ([{"type": "response", "args": "came"}], "came"), ({}, {})],
)
def test_an_event_comes_with_anything_or_nothing(answer: object, value: JsonValue) -> None:
    assert read_event(answer) == value
