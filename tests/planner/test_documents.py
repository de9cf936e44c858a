"""Plans as documents: round trips, and errors that say where, all at once, whatever the file holds."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from goalgraph import AgentStep, InvalidPlan, Plan, PlanProblem
from goalgraph.planner import documents
from goalgraph.planner.documents import dump_plan, load_plan, parse_plan

GOOD = "steps:\n  - {id: a, task: read it, agent: reader}\n"
HARD = [
    *("no", "1:30", "{{ x }}", " a", "a ", "\n", "\x85", "\u2028", "# c", "- a", "a: b", "\t", "~", "{", "'", '"', "é"),
    *(
        "\x00",
        "\ufeff",
        "|",
        "> x",
        "0x1f",
        "1e3",
        "2020-01-01",
        "null",
        "<<",
        "---",
        "\r\n",
        "\x1b",
        "&a",
        "*a",
        "!!x",
    ),
]
TEXTS = st.lists(
    st.sampled_from(HARD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=20
).map("".join)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def problems(text: str) -> tuple[PlanProblem, ...]:
    with pytest.raises(InvalidPlan) as caught:
        parse_plan(text)
    return caught.value.problems


def only(text: str) -> PlanProblem:
    (found,) = problems(text)
    return found


@given(TEXTS, VALUES, st.dictionaries(TEXTS, VALUES, max_size=3))
@example("a\x85b", ["a\x85b"], {"a\x85b": "a\x85b"})
def test_a_plan_goes_through_yaml_unchanged(text: str, value: JsonValue, inputs: dict[str, JsonValue]) -> None:
    step = AgentStep(id="1", task=f"x{text}", agent="no", input=inputs, when=text, constraints=(f"y{text}",))
    plan = Plan(name="n", description=text, inputs=inputs, steps=(step,), output=value)
    assert parse_plan(dump_plan(plan)) == plan


@given(VALUES)
def test_a_plan_goes_through_json_as_a_document_unchanged(value: JsonValue) -> None:
    plan = Plan(steps=(AgentStep(id="a", task="x", input={"v": value}),))
    assert parse_plan(plan.model_dump_json()) == plan


def test_a_written_plan_is_what_a_person_would_write() -> None:
    plan = Plan(name="p", steps=(AgentStep(id="a", task="read it", agent="reader", depends_on=("b",)),))
    assert dump_plan(plan) == (
        "name: p\nsteps:\n  - id: a\n    task: read it\n    agent: reader\n    depends_on:\n      - b\n"
    )


def test_an_empty_plan_can_be_written_and_read() -> None:
    assert parse_plan(dump_plan(Plan())) == Plan()


def test_words_that_yaml_once_took_for_other_things_stay_words() -> None:
    plan = parse_plan("steps:\n  - {id: a, task: no, agent: on, input: {t: 1:30, d: 010, y: yes, f: {a: n}}}\n")
    assert (plan.steps[0].task, plan.steps[0].agent) == ("no", "on")
    assert plan.steps[0].input == {"t": "1:30", "d": 10, "y": "yes", "f": {"a": "n"}}


def test_dates_are_text() -> None:
    assert parse_plan("inputs: {day: 2020-01-01}").inputs == {"day": "2020-01-01"}


def test_a_plan_is_taken_as_it_is() -> None:
    plan = Plan()
    assert load_plan(plan) is plan


def test_a_mapping_is_taken_with_steps_as_data_or_as_objects() -> None:
    step = AgentStep(id="a", task="x")
    assert load_plan({"steps": [{"id": "a", "task": "x"}]}) == load_plan({"steps": (step,)}) == Plan(steps=(step,))


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
def test_a_path_is_read(tmp_path: Path, suffix: str, as_text: bool) -> None:
    path = tmp_path / f"plan.{suffix}"
    path.write_text(GOOD if suffix == "yaml" else json.dumps({"steps": [{"id": "a", "task": "é"}]}), "utf-8")
    assert load_plan(str(path) if as_text else path).steps[0].id == "a"


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_plan(path) == parse_plan(GOOD)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD.encode("utf-16"), "is not UTF-8 text"),
        (GOOD.encode("utf-16-le"), "a character that YAML does not allow"),
        (b"steps: \xff\xfe", "is not UTF-8 text"),
        (b"", "holds a NoneType, not a mapping"),
        (b"# nothing\n", "holds a NoneType, not a mapping"),
        (b"x" * 8_000_001, "has more than 8000000 bytes"),
    ],
    ids=["utf-16", "utf-16 without mark", "no text", "empty", "a comment", "too large"],
)
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidPlan, match=said):
        load_plan(path)


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for bad in (tmp_path, tmp_path / "gone.yaml", "a\0b", "x" * 5_000, GOOD * 1_000):
        with pytest.raises(InvalidPlan, match="cannot read") as caught:
            load_plan(bad)
        assert caught.value.problems[0].code == "unreadable"
        assert len(str(caught.value)) < 600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(InvalidPlan, match="cannot read"):
        load_plan(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs an endless file")
def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(InvalidPlan, match=f"more than {documents.MAX_BYTES} bytes"):
        load_plan("/dev/zero")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("steps:\n  - id: a\n   task: x\n", "line 3, column 4"),
        ("steps: [", "line 1, column 9"),
        ("steps:\n\t- a", "line 2, column 1"),
        ("name: a\nname: b\n", "line 2, column 1"),
        ("steps:\n  - {id: a, task: x, task: y}\n", "line 2, column 22"),
        ("steps: *gone", "line 1, column 8"),
        ("steps: !!python/object:os.system {}", "line 1, column 8"),
        ("steps: !!python/object/apply:os.system ['true']", "line 1, column 8"),
        ("steps: !mine x", "line 1, column 8"),
        ("steps: []\n---\nsteps: []\n", "line 2, column 1"),
        ("name: x\nsteps: \0", "line 2, column 8"),
        ("steps: \ud800", "line 1, column 8"),
    ],
    ids=["indent", "unclosed", "tab", "twice", "twice inside", "alias", "python", "apply", "tag", "two", "nul", "half"],
)
def test_bad_syntax_is_reported_with_line_and_column(text: str, where: str) -> None:
    found = only(text)
    assert found.code == "bad_syntax"
    assert where in found.message


@pytest.mark.parametrize("text", ["- a", "hello", "3", "[]", "null"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert only(text).code == "not_a_plan"


def test_what_is_wrong_with_its_form_is_reported_all_at_once() -> None:
    found = problems(
        "name: 3\nstepps: []\nsteps:\n"
        "  - {id: a, task: '', agent: 3, timeout: -1, retry: {max_attempts: 0}}\n"
        "  - {id: '-', tsk: x}\n"
        "  - just text\n"
        "  - {task: x, depends_on: b}\n"
    )
    assert {(one.step, one.field) for one in found} == {
        (None, "name"),
        (None, "stepps"),
        ("a", "task"),
        ("a", "agent"),
        ("a", "timeout"),
        ("a", "retry.max_attempts"),
        ("-", "id"),
        ("-", "task"),
        ("-", "tsk"),
        ("#3", None),
        ("#4", "id"),
        ("#4", "depends_on"),
    }


def test_a_problem_says_what_was_found_and_a_missing_field_does_not() -> None:
    assert "found 3" in only("steps: [{id: a, task: 3}]").message
    assert "found" not in only("steps: [{id: a}]").message


def test_ids_used_twice_are_left_to_the_validation() -> None:
    assert len(parse_plan("steps: [{id: a, task: x}, {id: a, task: y}]").steps) == 2


@pytest.mark.parametrize(
    "data",
    [{"inputs": {"a": object()}}, {"inputs": {(1, 2): 3}}, {"inputs": {"a": b"\xff"}}, {"inputs": {"a": "\ud800"}}],
    ids=["object", "key", "bytes", "surrogate"],
)
def test_a_mapping_that_is_no_plain_data_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidPlan):
        load_plan(data)


def test_a_mapping_that_contains_itself_or_has_no_bottom_is_refused() -> None:
    itself: dict[str, Any] = {}
    itself["inputs"] = itself
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for data in (itself, {"inputs": {"a": deep}}):
        with pytest.raises(InvalidPlan):
            load_plan(data)


def bomb(kind: str) -> str:
    lines = {
        "lists": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n",
        "mappings": "a0: &a0 {a: x, b: x}\n",
        "merged": "a0: &a0 {a: x, b: x}\n",
        "texts": f"a0: &a0 {'x' * 1_000}\n",
    }[kind]
    for level in range(1, 10):
        many = ", ".join([f"*a{level - 1}"] * 10)
        lines += f"a{level}: &a{level} " + (f"{{<<: [{many}]}}\n" if kind == "merged" else f"[{many}]\n")
    return lines + GOOD


@pytest.mark.parametrize("kind", ["lists", "mappings", "merged", "texts"])
def test_an_alias_bomb_is_refused_before_it_is_built(kind: str) -> None:
    began = time.perf_counter()
    assert "aliases repeat more than" in only(bomb(kind)).message
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("text", ["steps: &a [*a]\n", "&a\nsteps: *a\n", "a: &a {b: {c: *a}}\n"])
def test_an_alias_of_what_it_stands_in_is_refused(text: str) -> None:
    assert "inside of what it names" in only(text).message


def test_a_few_aliases_are_welcome() -> None:
    plan = parse_plan(
        "steps:\n  - {id: a, task: x, retry: &r {max_attempts: 2}}\n  - {id: b, task: x, retry: {<<: *r, factor: 3}}\n"
        "inputs: {one: &o [1], two: &o [2], three: *o}\n"
    )
    assert [step.retry and step.retry.max_attempts for step in plan.steps] == [2, 2]
    assert plan.inputs["three"] == [2]


DEEP = {
    "flow": "steps: " + "[" * 100_000 + "]" * 100_000,
    "json": '{"steps": ' + '[{"a":' * 100_000 + "1" + "}]" * 100_000 + "}",
    "block lists": "steps:\n " + "- " * 100_000 + "a",
    "block keys": "".join(" " * depth + "a:\n" for depth in range(2_000)),
    "keys": "? " * 100_000,
    "unclosed": "steps: " + "{a: " * 100_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_a_document_without_a_bottom_is_refused_soon(text: str) -> None:
    began = time.perf_counter()
    found = only(text)
    assert time.perf_counter() - began < 10
    assert found.code == "bad_syntax"
    assert "maximum depth" in found.message


@pytest.mark.parametrize("number", ["9" * 5_000, ".inf", ".nan", "-1", "0", "1e999"])
def test_numbers_that_are_no_time_are_refused(number: str) -> None:
    assert problems(f"steps: [{{id: a, task: x, timeout: {number}}}]")


@given(st.text(st.sampled_from("steps:id-{}[]&*a!|>'\"\n\t #?,%@`1.0~é\0\ufeff")))
def test_any_text_is_a_plan_or_an_invalid_plan(text: str) -> None:
    try:
        found: object = parse_plan(text)
    except InvalidPlan as error:
        found = error.problems
    assert isinstance(found, Plan) or (isinstance(found, tuple) and found)
