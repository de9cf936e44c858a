"""What is wrong with a document: a code, the step, the field, line and column, and a hint; all at once."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from goalgraph import InvalidPlan, PlanProblem
from goalgraph.planner.documents import load_plan, parse_plan
from goalgraph.planner.documents.faults import Refused
from goalgraph.planner.documents.yaml_reader import LOADER, Loader, yaml_data


def problems(text: str) -> tuple[PlanProblem, ...]:
    with pytest.raises(InvalidPlan) as caught:
        parse_plan(text, source="here.yaml")
    assert str(caught.value).startswith("here.yaml is not valid: ")
    return caught.value.problems


def only(text: str) -> PlanProblem:
    (found,) = problems(text)
    return found


def where(found: PlanProblem) -> tuple[object, ...]:
    return found.code, found.step, found.field, found.line, found.column


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("empty_document", None, None, None, None)),
        ("# nothing\n", ("empty_document", None, None, None, None)),
        ("---\n...\n", ("empty_document", None, None, 2, 1)),
        ("- a", ("not_a_plan", None, None, 1, 1)),
        ("\n\n  hello", ("not_a_plan", None, None, 3, 3)),
        ("3", ("not_a_plan", None, None, 1, 1)),
        ("[]", ("not_a_plan", None, None, 1, 1)),
        ("stepps: []", ("unknown_field", None, "stepps", 1, 1)),
        ("steps:\n  - id: a\n    tsk: x\n", ("unknown_field", "a", "tsk", 3, 5)),
        ("steps:\n  - id: a\n    retry: {tries: 3}\n", ("unknown_field", "a", "retry.tries", 3, 13)),
        ("coordinator: {strategi: x}", ("unknown_field", None, "coordinator.strategi", 1, 15)),
        ("name: a\nname: b\n", ("duplicate_key", None, "name", 2, 1)),
        ("steps:\n  - {id: a, task: x, task: y}\n", ("duplicate_key", "a", "task", 2, 22)),
        ("workflow:\n  a: {}\n  b: {}\n  a: {}\n", ("duplicate_key", "a", None, 4, 3)),
        ('{"name": "a",\n "steps": [],\n "name": "b"}', ("duplicate_key", None, "name", 3, 2)),
        (
            '{"steps": [{"id": "a", "input": {"x": [1, {"y": 1, "y": 2}]}}]}',
            ("duplicate_key", "a", "input.x.1.y", 1, 52),
        ),
        ("steps: !!python/object:os.system {}", ("unsafe_tag", None, "steps", 1, 8)),
        ("steps: !!python/object/apply:os.system ['true']", ("unsafe_tag", None, "steps", 1, 8)),
        ("name: !mine x", ("unsafe_tag", None, "name", 1, 7)),
        ("inputs: {!!binary aGk=: 1}", ("unsafe_tag", None, "inputs", 1, 10)),
        ("inputs: !!seq {}", ("unsafe_tag", None, "inputs", 1, 9)),
        ("inputs: {a: !!int x}", ("invalid_value", None, "inputs.a", 1, 13)),
        ("inputs: {a: &x {b: 1}, c: {<<: *x}}", ("bad_syntax", None, "inputs.c.<<", 1, 28)),
        ("steps:\n  - id: a\n   task: x\n", ("bad_syntax", None, None, 3, 4)),
        ("steps: [", ("bad_syntax", None, None, 2, 1)),
        ('{"steps": [}', ("bad_syntax", None, None, 1, 12)),
        ("steps:\n\t- a", ("bad_syntax", None, None, 2, 1)),
        ("steps: *gone", ("bad_syntax", None, "steps", 1, 8)),
        ("inputs: &a {b: {c: *a}}\n", ("bad_syntax", None, "inputs.b.c", 1, 20)),
        ("inputs: {[a]: 1}", ("bad_syntax", None, "inputs", 1, 10)),
        ("steps: []\n---\nsteps: []\n", ("bad_syntax", None, None, 2, 1)),
        ("name: x\nsteps: \0", ("bad_syntax", None, None, 2, 8)),
        ("steps: \x1b", ("bad_syntax", None, None, 1, 8)),
        ("steps: \ud800", ("bad_syntax", None, None, 1, 8)),
        ('name: "\\q"', ("bad_syntax", None, None, 1, 8)),
        ("steps:\n  - just text\n", ("wrong_type", "#1", None, 2, 5)),
        ("steps: 3", ("wrong_type", None, "steps", 1, 1)),
        ("steps:\n  - task: x\n", ("missing_field", "#1", "id", 2, 5)),
        ("steps:\n  - id: ../etc/passwd\n", ("invalid_id", "../etc/passwd", "id", 2, 5)),
        ("steps:\n  - id: ''\n", ("invalid_id", "#1", "id", 2, 5)),
        ('steps:\n  - id: "a\\0b"\n', ("invalid_id", "a\\x00b", "id", 2, 5)),
        (f"steps:\n  - id: {'x' * 10_000}\n", ("invalid_id", "x" * 125 + "...", "id", 2, 5)),
        ("steps:\n  - id: 7\n", ("wrong_type", "7", "id", 2, 5)),
        ("steps:\n  - {id: a, depends_on: [b, c d]}\n", ("invalid_id", "a", "depends_on.1", 2, 29)),
        ("steps:\n  - {id: a, depends_on: c d}\n", ("invalid_id", "a", "depends_on", 2, 13)),
        ("steps:\n  - id: a\n    type: agnt\n", ("unknown_type", "a", "type", 3, 5)),
        ("steps:\n  - id: a\n    type: 3\n", ("wrong_type", "a", "type", 3, 5)),
        ("coordinator: {guardrails: [{type: cost}]}", ("unknown_type", None, "coordinator.guardrails.0.type", 1, 29)),
        ("coordinator: {guardrails: [{}]}", ("missing_field", None, "coordinator.guardrails.0.type", 1, 28)),
        ("steps:\n  - {id: a, type: wait, until: soon}\n", ("invalid_value", "a", "until", 2, 25)),
        ("steps:\n  - {id: a, join: some}\n", ("invalid_value", "a", "join", 2, 13)),
        ("steps:\n  - {id: a, task: '  '}\n", ("invalid_value", "a", "task", 2, 13)),
        ("steps:\n  - {id: a, type: parallel, branches: []}\n", ("invalid_value", "a", "branches", 2, 29)),
        ("steps:\n  - {id: a, type: map, over: 3, step: {id: b}}\n", ("wrong_type", "a", "over", 2, 24)),
        ("inputs: {a: [1, .nan]}", ("invalid_value", None, "inputs.a.1", 1, 17)),
        ('{"inputs": {"a": Infinity}}', ("invalid_value", None, "inputs.a", 1, 13)),
        ('{"inputs": {"a": 1e999}}', ("invalid_value", None, "inputs.a", 1, 13)),
        ('{"inputs": {"a": "\\ud800"}}', ("invalid_value", None, "inputs.a", 1, 13)),
        ('{"inputs": {"\\ud800": 1}}', ("invalid_value", None, "inputs", 1, 2)),
        (f"inputs: {{a: {'9' * 5_000}}}", ("invalid_value", None, "inputs.a", 1, 13)),
    ],
    ids=str,
)
def test_a_problem_says_where_it_is(text: str, expected: tuple[object, ...]) -> None:
    assert where(only(text)) == expected


@pytest.mark.parametrize("found", ["1:30", "no", "010", ".nan", "true", "-3", "1e3"])
def test_text_that_yaml_takes_for_something_else_is_to_be_quoted(found: str) -> None:
    text = f"steps:\n  - id: a\n    task: {found}\n"
    if found in ("1:30", "no"):
        assert parse_plan(text)
        return
    one = only(text)
    assert where(one) == ("wrong_type", "a", "task", 3, 5)
    assert one.hint == "put it in quotes"


BUDGET = "coordinator:\n  guardrails:\n  - type: budget\n    max_cost_usd: {}"
TIMEOUT = "coordinator:\n  guardrails:\n  - type: timeout\n    max_seconds: {}"


@pytest.mark.parametrize(
    "number", ["9" * 5_000, ".inf", "-.inf", ".nan", "-1", "0", "1e999", "true", "'5'", "[5]", "2026-01-01"]
)
@pytest.mark.parametrize(
    ("text", "step", "field"),
    [
        ("steps:\n  - id: a\n    timeout: {}", "a", "timeout"),
        (BUDGET, None, "coordinator.guardrails.0.max_cost_usd"),
        (TIMEOUT, None, "coordinator.guardrails.0.max_seconds"),
    ],
    ids=["timeout of a step", "budget", "timeout of the plan"],
)
def test_numbers_that_are_no_time_and_no_money_are_refused(number: str, text: str, step: str, field: str) -> None:
    found = problems(text.replace("{}", number))[0]
    assert (found.step, found.field) == (step, field)
    assert found.code in ("invalid_value", "wrong_type")
    assert found.line in (3, 4)


def test_everything_wrong_is_reported_at_once_in_the_order_of_the_document() -> None:
    found = problems(
        "name: 3\nstepps: []\nname: x\nsteps:\n"
        "  - {id: a, task: '', agent: 3, timeout: -1, retry: {max_attempts: 0}}\n"
        "  - {id: '-', task: x, tsk: !local x}\n"
        "  - just text\n"
        "  - {task: x, depends_on: b, constraints: c}\n"
        "  - id: p\n"
        "    type: parallel\n"
        "    branches:\n"
        "      - - id: q\n"
        "          task: 1\n"
        "        - {id: m, type: map, over: x, step: {id: i, agnt: z}}\n"
        "      - id: s\n"
        "        type: sub_plan\n"
        "        plan: {output: .nan, steps: {t: {typ: wait}}}\n"
    )
    assert [where(one) for one in found] == [
        ("wrong_type", None, "name", 1, 1),
        ("unknown_field", None, "stepps", 2, 1),
        ("duplicate_key", None, "name", 3, 1),
        ("invalid_value", "a", "task", 5, 13),
        ("wrong_type", "a", "agent", 5, 23),
        ("invalid_value", "a", "timeout", 5, 33),
        ("invalid_value", "a", "retry.max_attempts", 5, 54),
        ("invalid_id", "-", "id", 6, 6),
        ("unknown_field", "-", "tsk", 6, 24),
        ("unsafe_tag", "-", "tsk", 6, 29),
        ("wrong_type", "#3", None, 7, 5),
        ("missing_field", "#4", "id", 8, 5),
        ("wrong_type", "#4", "constraints", 8, 30),
        ("wrong_type", "p.q", "task", 13, 11),
        ("unknown_field", "p.m[*]", "agnt", 14, 53),
        ("invalid_value", "p.s", "plan.output", 17, 16),
        ("unknown_field", "p.s.t", "typ", 17, 42),
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("stepps: []", "did you mean 'steps'?"),
        ("steps: [{id: a, agnt: x}]", "did you mean 'agent'?"),
        ("steps: [{id: a, asign: x}]", "did you mean 'assign'?"),
        ("steps: [{id: a, type: human_input, prompt: x, shema: {}}]", "did you mean 'schema'?"),
        ("steps: [{id: a, type: conditon}]", "did you mean 'condition'?"),
        ("steps: [{id: a, join: all_don}]", "did you mean 'all_done'?"),
        ("info: {titel: x}", "use one of: name, description"),
        ("coordinator: {guardrail: []}", "did you mean 'guardrails'?"),
    ],
)
def test_a_misspelt_word_is_answered_with_what_was_probably_meant(text: str, hint: str) -> None:
    assert only(text).hint == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [{id: a, timeout: -1}]", "expected a number above 0, found -1"),
        ("steps: [{id: a, retry: {max_attempts: 101}}]", "expected a number of at most 100, found 101"),
        ("steps: [{id: a, retry: {max_attempts: 1.5}}]", "expected a whole number, found 1.5"),
        ("steps: [{id: a, optional: perhaps}]", "expected true or false, found 'perhaps'"),
        ("steps: [{id: a, input: [1]}]", "expected a mapping, found a list"),
        ("steps: [{id: a, depends_on: {b: c}}]", "expected a list, found a mapping"),
        ("steps: [{id: a, task: ' '}]", "expected text that is not blank, found ' '"),
        ("steps: [{id: a, agent: }]\nname:\n", "expected text, found nothing"),
        ("steps: [{id: a, type: human_approval}]", "this field is missing"),
        ("steps: [{id: a, type: map, over: [], as: 1a, step: {id: b}}]", "expected a name: letters"),
        ("steps: [{id: a, type: wait, duration: -3}]", "expected seconds or text like '90s'"),
    ],
)
def test_a_message_says_what_was_expected_and_what_was_found(text: str, message: str) -> None:
    assert only(text).message.startswith(message)


def test_a_problem_in_words_begins_with_its_place() -> None:
    found = only("steps:\n  - id: a\n    tsk: x\n")
    assert str(found) == ("line 3, column 5: step 'a' tsk: an agent step has no field 'tsk' (did you mean 'task'?)")
    assert pickle.loads(pickle.dumps(found)) == found


def test_what_cannot_be_printed_is_escaped() -> None:
    found = only('"a\\nb\\e[31m": 1')
    assert str(found).isprintable()
    assert found.field == "a\\nb\\x1b[31m"


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        ("name: x\n".encode("utf-16"), "bad_encoding", (None, None)),
        ("name: x\n".encode("utf-16-le"), "bad_encoding", (None, None)),
        ("name: x\n".encode("utf-16-be"), "bad_encoding", (None, None)),
        ("name: x\n".encode("utf-32"), "bad_encoding", (None, None)),
        (b"name: \xc3\xa9\ninputs: {a: \xff\xfe}", "bad_encoding", (2, 13)),
        ("name: é".encode("latin-1"), "bad_encoding", (1, 7)),
        (b"", "empty_document", (None, None)),
        (b"\xef\xbb\xbf", "empty_document", (None, None)),
        (b"name: a\0b", "bad_syntax", (1, 8)),
        (b"x" * 8_000_001, "too_large", (None, None)),
    ],
    ids=["utf-16", "utf-16-le", "utf-16-be", "utf-32", "bytes", "latin-1", "empty", "only a mark", "nul", "too large"],
)
def test_a_file_that_is_no_document_is_refused(
    tmp_path: Path, content: bytes, code: str, place: tuple[int | None, int | None]
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidPlan, match=r"plan\.yaml") as caught:
        load_plan(path)
    (found,) = caught.value.problems
    assert (found.code, (found.line, found.column)) == (code, place)


def _endless() -> object:
    inner: dict[str, object] = {}
    inner["inputs"] = inner
    return inner


def _deep() -> object:
    inner: object = 1
    for _ in range(100_000):
        inner = [inner]
    return {"inputs": {"a": inner}}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: {"inputs": {"a": object()}}, "wrong_type"),
        (lambda: {"inputs": {(1, 2): 3}}, "wrong_type"),
        (lambda: {"inputs": {True: 3}}, "wrong_type"),
        (lambda: {"inputs": {"a": b"\xff"}}, "wrong_type"),
        (lambda: {"inputs": {"a": "\ud800"}}, "invalid_value"),
        (lambda: {"inputs": {"a": float("inf")}}, "invalid_value"),
        (lambda: {"steps": [{"id": "a", "task": 3}]}, "wrong_type"),
        (_endless, "too_deep"),
        (_deep, "too_deep"),
    ],
    ids=["object", "key", "bool as key", "bytes", "surrogate", "infinite", "field", "contains itself", "no bottom"],
)
def test_a_mapping_that_is_no_plan_is_refused(make: Callable[[], dict[str, object]], code: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        load_plan(make())
    (found,) = caught.value.problems
    assert (found.code, found.line) == (code, None)


BROKEN = ("a: [", "a: b: c", "a: &x [*x]", "a: *y", "\ta", "a: \0", '"\\U00110000"', "%TAG ! !\n" * 200 + "---\n")


@pytest.mark.parametrize("loader", [yaml.SafeLoader, LOADER], ids=["python", "default"])
@pytest.mark.parametrize("text", BROKEN)
def test_both_parsers_refuse_what_is_no_yaml(text: str, loader: Loader) -> None:
    with pytest.raises(Refused):
        yaml_data(text, loader=loader)
