"""Answers that are one of a few, as their schemas allow them."""

from typing import Any

import pytest

from goalgraph.cli.forms import choices_of, picked, said_as
from goalgraph.graph.revision.escalating import ANSWER

_MIXED: dict[str, Any] = {"oneOf": [{"const": 1}, {"enum": ["on", "off", True, None]}]}
_TEXT: dict[str, Any] = {"type": "object", "properties": {"why": {"type": "string"}}}


@pytest.mark.parametrize(
    ("form", "names"),
    [
        (ANSWER, ["accept", "abort", "guidance: TEXT"]),
        (_MIXED, ["1", "on", "off", "true", "null"]),
        ({"type": "string", "enum": ["a", "b"]}, ["a", "b"]),
    ],
    ids=["escalation", "values", "enum"],
)
def test_a_few_answers_are_choices(form: dict[str, Any], names: list[str]) -> None:
    assert [one.shown for one in choices_of(form)] == names


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"type": "integer"},
        _TEXT,
        {"anyOf": [{"enum": ["a", "b"]}, {"type": "string"}]},
        {"enum": ["a", ["b"]]},
        {"enum": ["a", "A"]},
        {"enum": ["a", "b: c"]},
        {"enum": ["a", "b\x1b[1m"]},
        {"enum": list(range(21))},
        {"anyOf": [{"enum": ["a", "b"]}, {**_TEXT, "properties": {"n": {"type": "integer"}}}]},
        {"anyOf": [True, {"enum": ["a", "b"]}]},
    ],
    ids=str,
)
def test_what_other_answers_do_for_is_no_choice(form: dict[str, Any]) -> None:
    assert choices_of(form) == ()


@pytest.mark.parametrize(
    ("said", "name"),
    [("accept", "accept"), (" ABORT ", "abort"), ("g", "guidance"), ("a", None), ("", None), ("x", None)],
)
def test_a_choice_is_picked_by_its_name_or_how_that_begins(said: str, name: str | None) -> None:
    found = picked(choices_of(ANSWER), said)
    assert (found.name if found is not None else None) == name


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("accept", "accept"),
        ("guidance: do it: now", {"guidance": "do it: now"}),
        ("Guidance:x", {"guidance": "x"}),
        ("guidance: ", "guidance: "),
        ("do it", "do it"),
    ],
)
def test_what_is_said_with_a_choice_follows_its_name(said: str, answer: object) -> None:
    assert said_as(ANSWER, said) == answer


@pytest.mark.parametrize(("said", "answer"), [("1", 1), ("true", True), ("null", None), ("on", "on")])
def test_values_are_named_as_json_writes_them(said: str, answer: object) -> None:
    assert said_as(_MIXED, said) == answer
