"""What a step came to: its record, its sum of usage, its text."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from goalgraph import Artifact, Outcome, StepError, Usage
from goalgraph.planner.outcome import text_of

JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
USAGES = st.builds(Usage, input_tokens=st.integers(0, 9), output_tokens=st.integers(0, 9), calls=st.integers(0, 9))


@given(JSON)
def test_an_outcome_goes_through_json_unchanged(output: JsonValue) -> None:
    outcome = Outcome(
        step="a",
        status="succeeded",
        output=output,
        confidence=0.5,
        error=StepError(code="raised", message="no", type="ValueError"),
        artifacts=(Artifact(path="a.csv", media_type="text/csv"),),
        degraded=("short",),
    )
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_is_from_0_to_1(confidence: float) -> None:
    with pytest.raises(ValidationError):
        Outcome(step="a", status="succeeded", confidence=confidence)


def test_an_outcome_is_not_changed_later() -> None:
    outcome = Outcome(step="a", status="skipped")
    with pytest.raises(ValidationError, match="frozen"):
        outcome.status = "failed"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@given(USAGES, USAGES, USAGES)
def test_usage_adds_up_in_any_order(one: Usage, two: Usage, three: Usage) -> None:
    assert (one + two) + three == three + (two + one)
    assert one + Usage() == one
    assert (one + two).calls == one.calls + two.calls


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ({"text": "t", "rows": 1}, "t"),
        ({"summary": "s", "answer": "a", "markdown": "m"}, "m"),
        ({"text": "", "summary": "s"}, "s"),
        ({"text": 3}, '{"text": 3}'),
        ({}, "{}"),
        ([1, "é", None], '[1, "é", null]'),
        (False, "false"),
        (0, "0"),
    ],
    ids=repr,
)
def test_an_output_has_a_text(output: JsonValue, text: str) -> None:
    assert text_of(output) == text


@given(st.lists(JSON) | st.integers() | st.booleans())
def test_the_text_of_data_is_json(output: JsonValue) -> None:
    read: Callable[[str], object] = json.loads
    assert read(text_of(output)) == output
