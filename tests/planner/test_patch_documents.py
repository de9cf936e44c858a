"""Patches as documents: the forms that plans take, and what is wrong with them, all at once."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import AgentStep, HumanApprovalStep, InvalidPlan, PlanProblem
from goalgraph.planner.documents import parse_patch, read_patch
from goalgraph.planner.patch import PlanPatch

Data = dict[str, Any]


def problems(data: object) -> list[PlanProblem]:
    with pytest.raises(InvalidPlan, match="the patch is not valid") as caught:
        _ = parse_patch(data) if isinstance(data, str) else read_patch(data)  # type: ignore[arg-type]
    return list(caught.value.problems)


PATCH = PlanPatch(
    add=(AgentStep(id="check", task="Check it", agent="ann"),),
    replace=(HumanApprovalStep(id="ok", prompt="Right?", assignee="bob"),),
    drop=("old",),
    rewire={"report": ("check", "ok"), "last": ("report",), "first": ()},
)


@pytest.mark.parametrize(
    "data",
    [
        {
            "add": [{"id": "check", "task": "Check it", "agent": "ann"}],
            "replace": [{"id": "ok", "type": "human_approval", "prompt": "Right?", "assignee": "bob"}],
            "drop": ["old"],
            "rewire": {"report": ["check", "ok"], "last": ["report"], "first": []},
        },
        {
            "add": {"check": {"title": "Check it", "assign": ["ann"]}},
            "replace": {"ok": {"type": "human_approval", "title": "Right?", "assign": "bob"}},
            "drop": "old",
            "rewire": {"report": ["check", "ok"], "last": "report", "first": []},
        },
        {
            "add": PATCH.add,
            "replace": PATCH.replace,
            "drop": ("old",),
            "rewire": dict(PATCH.rewire),
        },
        PATCH,
    ],
    ids=["as plans are kept", "as people write", "as objects", "as it is"],
)
def test_a_patch_is_read_in_the_forms_that_plans_take(data: Data | PlanPatch) -> None:
    assert read_patch(data) == PATCH


YAML = """
add:
  check: {task: Check it, agent: ann}
replace:
  - {id: ok, type: human_approval, prompt: 'Right?', assignee: bob}
drop: [old]
rewire:
  report: [check, ok]
  last: report
  first: []
"""


def test_a_patch_is_read_from_yaml_and_json() -> None:
    assert parse_patch(YAML) == PATCH
    assert parse_patch(PATCH.model_dump_json()) == PATCH
    escaped = '\ufeff{"drop": ["a"], "add": {"b": {"task": "\\ud83d\\ude00"}}}'  # which YAML has not
    assert parse_patch(escaped) == PlanPatch(drop=("a",), add=(AgentStep(id="b", task="\U0001f600"),))


def test_a_patch_may_say_why_which_changes_nothing() -> None:
    found = parse_patch("rationale: It is gone.\ndrop: [a]")
    assert found == PlanPatch(drop=("a",), rationale="It is gone.")
    assert read_patch(found.model_dump()) == found
    assert not read_patch({"rationale": "Nothing helps."})


@pytest.mark.parametrize("data", [{}, "{}", {"add": []}, {"rewire": {}}])
def test_a_patch_may_be_empty(data: Data | str) -> None:
    assert (parse_patch(data) if isinstance(data, str) else read_patch(data)) == PlanPatch()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"ad": []}, ("unknown_field", None, "ad")),
        ({"add": [{"id": "a", "tsk": "x"}]}, ("unknown_field", "a", "tsk")),
        ({"replace": {"a": {"retry": {"max_attempts": 0}}}}, ("invalid_value", "a", "retry.max_attempts")),
        ({"add": [{"task": "x"}]}, ("missing_field", "#1", "id")),
        ({"add": 3}, ("wrong_type", None, "add")),
        ({"rationale": 3}, ("wrong_type", None, "rationale")),
        ({"rationale": "x" * 2_001}, ("wrong_type", None, "rationale")),
        ({"add": ["x"]}, ("wrong_type", "#1", "add")),
        ({"replace": None}, ("wrong_type", None, "replace")),
        ({"drop": 3}, ("wrong_type", None, "drop")),
        ({"drop": ["a", 3]}, ("wrong_type", None, "drop.1")),
        ({"drop": ["a b"]}, ("invalid_id", None, "drop.0")),
        ({"rewire": ["a"]}, ("wrong_type", None, "rewire")),
        ({"rewire": {"a": None}}, ("wrong_type", "a", "rewire")),
        ({"rewire": {"a": ["b c"]}}, ("invalid_id", "a", "rewire.0")),
        ({"rewire": {"a": [["b"]]}}, ("wrong_type", "a", "rewire.0")),
        ({"add": [{"id": "a", "input": {"x": object()}}]}, ("wrong_type", None, "add.0.input.x")),
        ("", ("not_a_patch", None, None)),
        ("- a", ("not_a_patch", None, None)),
        ("add: [", ("bad_syntax", None, None)),
        ("add: []\nadd: []", ("duplicate_key", None, "add")),
        ("add: !!python/object:os.system {}", ("unsafe_tag", None, "add")),
        ("x" * 8_000_001, ("too_large", None, None)),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_is_wrong_with_its_form_is_said_as_of_a_plan(data: object, expected: tuple[object, ...]) -> None:
    assert [(one.code, one.step, one.field) for one in problems(data)] == [expected]


def test_all_faults_come_at_once() -> None:
    data: Data = {"add": [{"id": "a b"}], "replace": {"c": {"typ": "map"}}, "drop": [""], "rewire": {"x y": "z"}}
    assert [(one.code, one.step, one.field) for one in problems(data)] == [
        ("invalid_id", "a b", "id"),
        ("unknown_field", "c", "typ"),
        ("invalid_id", None, "drop.0"),
        ("invalid_id", "x y", "id"),
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(("add", "replace", "drop", "rewire", "x")), _JSON))
def test_any_data_is_a_patch_or_has_problems(data: Data) -> None:
    with suppress(InvalidPlan):
        assert isinstance(read_patch(data), PlanPatch)


@given(st.text(max_size=60))
def test_any_text_is_a_patch_or_has_problems(text: str) -> None:
    with suppress(InvalidPlan):
        assert isinstance(parse_patch(text), PlanPatch)
