"""Plans as documents: round trips without loss, and where plans may come from."""

import json
import os
from pathlib import Path
from typing import cast

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.planner.plan_strategies import examples, plans, texts, values

from goalgraph import AgentStep, InvalidPlan, Plan, PlanPolicy, validate_plan
from goalgraph.planner.documents import PlanDocument, dump_plan, load_plan, parse_document, parse_plan, read_document
from goalgraph.planner.documents.yaml_reader import LOADER, Loader, yaml_data
from goalgraph.planner.plan import (
    Coordinator,
    HumanApprovalStep,
    MapStep,
    ParallelStep,
    SubPlanStep,
    TimeoutGuardrail,
    TransformStep,
)

GOOD = "steps:\n  - {id: a, task: read it, agent: reader}\n"


@examples(int(os.environ.get("GOALGRAPH_PLANS_DRAWN", "100")))
@given(plans)
def test_any_plan_goes_through_yaml_and_json_unchanged_and_is_judged_the_same(plan: Plan) -> None:
    judged = validate_plan(plan, PlanPolicy(), ())
    for text in (dump_plan(plan), plan.model_dump_json()):
        found = parse_plan(text)
        assert found == plan
        assert validate_plan(found, PlanPolicy(), ()) == judged


@examples(40)
@given(plans)
def test_any_plan_goes_through_mappings_unchanged(plan: Plan) -> None:
    assert load_plan(plan.model_dump()) == plan
    assert load_plan(plan.model_dump(by_alias=False)) == plan
    assert load_plan(dict(plan)) == plan


@examples(40)
@given(plans)
def test_what_is_written_is_the_same_to_any_reader_of_yaml(plan: Plan) -> None:
    text = dump_plan(plan)
    assert yaml.safe_load(text) == yaml_data(text)[0] == yaml_data(text, loader=yaml.SafeLoader)[0]


@examples(100)
@given(texts, values)
@example("a\x85b", ["a\x85b"])
@example("two\nlines\n", "and\n\nthree ")
@example("x" * 2_000, {"x" * 2_000: "no", "<<": {"no": []}})
def test_any_text_goes_through_yaml_unchanged(text: str, value: JsonValue) -> None:
    step = AgentStep(id="1", task=f"x{text}", agent="no", input={text: value}, when=text)
    plan = Plan(description=text, inputs={"v": value}, steps=(step,), output=value)
    assert parse_plan(dump_plan(plan)) == plan


def test_a_written_plan_is_what_a_person_would_write() -> None:
    inner = SubPlanStep(id="c", plan=Plan(name="inner", steps=(TransformStep(id="t", output=None),)))
    plan = Plan(
        name="p",
        description="One line,\nand another.\n",
        coordinator=Coordinator(guardrails=(TimeoutGuardrail(max_seconds=60),)),
        steps=(
            AgentStep(id="a", task=f"{'a' * 60} {'b' * 60}", agent="reader", depends_on=("b",)),
            HumanApprovalStep(id="b", prompt='Is it "right"?', assignee="{{ input.owner }}"),
            ParallelStep(id="p", branches=("a", ("b", AgentStep(id="q", agent="no")))),
            MapStep(id="m", over=[1, "2"], step=AgentStep(id="each")),
            inner,
        ),
    )
    assert dump_plan(plan) == (
        "name: p\n"
        "description: |\n"
        "  One line,\n"
        "  and another.\n"
        "coordinator:\n"
        "  guardrails:\n"
        "    - type: timeout\n"
        "      max_seconds: 60.0\n"
        "steps:\n"
        "  - id: a\n"
        "    depends_on:\n"
        "      - b\n"
        f"    task: {'a' * 60}\n"
        f"      {'b' * 60}\n"
        "    agent: reader\n"
        "  - id: b\n"
        "    type: human_approval\n"
        '    prompt: Is it "right"?\n'
        '    assignee: "{{ input.owner }}"\n'
        "  - id: p\n"
        "    type: parallel\n"
        "    branches:\n"
        "      - a\n"
        "      - - b\n"
        "        - id: q\n"
        '          agent: "no"\n'
        "  - id: m\n"
        "    type: map\n"
        "    over:\n"
        "      - 1\n"
        '      - "2"\n'
        "    step:\n"
        "      id: each\n"
        "  - id: c\n"
        "    type: sub_plan\n"
        "    plan:\n"
        "      name: inner\n"
        "      steps:\n"
        "        - id: t\n"
        "          type: transform\n"
        "          output: null\n"
    )
    assert parse_plan(dump_plan(plan)) == plan


def test_an_empty_plan_can_be_written_and_read() -> None:
    assert dump_plan(Plan()) == "steps: []\n"
    assert parse_plan(dump_plan(Plan())) == Plan()


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("-inf"), 10**1_000, "\ud800", {"\udfff": 1}, ["x" * 9_000_000]],
    ids=["nan", "infinite", "1000 digits", "half a character", "in a key", "too large"],
)
def test_what_no_document_can_hold_is_refused_and_not_changed(value: JsonValue) -> None:
    with pytest.raises(InvalidPlan) as caught:
        dump_plan(Plan(inputs={"v": value}))
    assert caught.value.problems[0].code in ("invalid_value", "too_large")


def test_what_nests_too_deep_to_be_read_again_is_not_written() -> None:
    deep: JsonValue = 1
    for _ in range(97):
        deep = [deep]
    plan = Plan(inputs={"v": deep})
    assert parse_plan(dump_plan(plan)) == plan
    with pytest.raises(InvalidPlan) as caught:
        dump_plan(Plan(inputs={"v": [[deep]]}))
    assert caught.value.problems[0].code == "too_deep"


def test_words_that_yaml_once_took_for_other_things_stay_words() -> None:
    plan = parse_plan("steps:\n  - {id: a, task: no, agent: on, input: {t: 1:30, d: 010, y: yes, f: {a: n}}}\n")
    assert plan.steps[0] == AgentStep(
        id="a", task="no", agent="on", input={"t": "1:30", "d": 10, "y": "yes", "f": {"a": "n"}}
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("~", None),
        ("", None),
        ("True", True),
        ("tRue", "tRue"),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("+12", 12),
        ("-0", 0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("2026-03-01", "2026-03-01"),
        ("1:30", "1:30"),
        ("'1'", "1"),
        ('"\\x41\\u00e9"', "Aé"),
        ("! 1", "1"),
        ("!!str 1", "1"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!bool true", True),
        ("!!null ''", None),
        ("!!seq [1]", [1]),
        ("!!map {a: 1}", {"a": 1}),
        ("{no: 1, 2: 3, ~: 4}", {"no": 1, "2": 3, "~": 4}),
    ],
)
@pytest.mark.parametrize("loader", [yaml.SafeLoader, LOADER], ids=["python", "default"])
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(written: str, value: object, loader: Loader) -> None:
    text = f"v: {written}\n"
    data, faults = yaml_data(text, loader=loader)
    found = cast("dict[str, object]", data)["v"]
    assert (found, type(found), faults) == (value, type(value), [])


def test_surrogate_pairs_and_escaped_slashes_of_json_are_read() -> None:
    assert parse_plan('{"name": "\\ud83d\\ude00 \\/", "description": "\\u0000"}').name == "\U0001f600 /"


def test_a_plan_is_taken_as_it_is() -> None:
    plan = Plan()
    assert load_plan(plan) is plan


def test_a_mapping_is_taken_with_steps_as_data_or_as_objects() -> None:
    step = AgentStep(id="a", task="x")
    assert load_plan({"steps": [{"id": "a", "task": "x"}]}) == load_plan({"steps": (step,)}) == Plan(steps=(step,))


def test_types_of_steps_inside_of_objects_are_kept() -> None:
    step = ParallelStep(id="p", branches=((TransformStep(id="t", output=None),),))
    assert load_plan({"steps": [step]}) == Plan(steps=(step,))


def test_what_the_caller_changes_later_does_not_change_the_plan() -> None:
    rows: list[JsonValue] = [1]
    plan = load_plan({"inputs": {"rows": rows}})
    rows.append(2)
    assert plan.inputs == {"rows": [1]}


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
def test_a_path_is_read(tmp_path: Path, suffix: str, as_text: bool) -> None:
    path = tmp_path / f"plan.{suffix}"
    path.write_text(GOOD if suffix == "yaml" else json.dumps({"steps": [{"id": "a", "task": "é"}]}), "utf-8")
    assert load_plan(str(path) if as_text else path).steps[0].id == "a"


def test_a_document_says_where_it_is_from(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(GOOD, "utf-8")
    plan = parse_plan(GOOD)
    assert read_document(path) == PlanDocument(plan=plan, source=str(path), text=GOOD)
    assert parse_document(GOOD, source="here") == PlanDocument(plan=plan, source="here", text=GOOD)
    assert read_document({"steps": [{"id": "a", "task": "read it", "agent": "reader"}]}) == PlanDocument(
        plan=plan, source="the plan"
    )


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_plan(path) == parse_plan("\ufeff" + GOOD) == parse_plan(GOOD)


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for bad in (tmp_path, tmp_path / "gone.yaml", "a\0b", "x" * 5_000):
        with pytest.raises(InvalidPlan, match="cannot be read") as caught:
            load_plan(bad)
        assert caught.value.problems[0].code == "unreadable"
        assert len(str(caught.value)) < 600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(InvalidPlan, match="cannot be read"):
        load_plan(path)


def test_a_few_aliases_are_welcome() -> None:
    plan = parse_plan(
        "steps:\n  - {id: a, task: x, retry: &r {max_attempts: 2}}\n  - {id: &b b, task: x, retry: *r}\n"
        "inputs: {one: &o [1], two: &o [2], three: *o, *b : 4}\n"
    )
    assert [cast("AgentStep", step).retry for step in plan.steps] == [cast("AgentStep", plan.steps[0]).retry] * 2
    assert plan.inputs == {"one": [1], "two": [2], "three": [2], "b": 4}


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 3),
        st.text(st.sampled_from("steps:id-{}[]&*a!|>'\"\n\t #?,%@`~é\0"), max_size=3),
    ),
    min_size=1,
    max_size=4,
)
SAMPLE = dump_plan(
    Plan(
        name="p",
        inputs={"a": [1, {"b": None}], "c": "two\nlines"},
        steps=(
            AgentStep(id="a", task="x", depends_on=("b",)),
            ParallelStep(id="p", branches=(("q",), AgentStep(id="r"))),
        ),
    )
)


@examples(100)
@given(MUTATIONS, st.booleans())
def test_a_damaged_document_is_a_plan_or_an_invalid_plan(mutations: list[tuple[int, int, str]], as_json: bool) -> None:
    text = parse_plan(SAMPLE).model_dump_json() if as_json else SAMPLE
    for at, length, new in mutations:
        text = text[:at] + new + text[at + length :]
    check(text)


@examples(100)
@given(st.text(st.sampled_from("steps:id-{}[]&*a!|>'\"\n\t #?,%@`1.0~é\0\ufeff")))
def test_any_text_is_a_plan_or_an_invalid_plan(text: str) -> None:
    check(text)


def check(text: str) -> None:
    try:
        found: object = parse_plan(text)
    except InvalidPlan as error:
        found = error.problems
    assert isinstance(found, Plan) or (isinstance(found, tuple) and found)
