"""Values for a plan's inputs, from the command line to the run and its record."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from goalgraph.cli.assignments import read_assignments
from goalgraph.cli.endings import BadInput
from goalgraph.cli.usable_inputs import unknown_inputs
from goalgraph.planner.plan import Plan

Called = Callable[[list[str]], tuple[int, str, str]]

_PLAN = """\
name: greeting
inputs: {greeting: Hello}
steps:
  - {id: say, type: transform, output: "{{ input.greeting }}, {{ input.name }}"}
  - {id: ask, type: human_approval, prompt: "Send {{ steps.say.output }} to {{ input.address.street }}?"}
output: "{{ steps.say.output }}"
"""


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("a=text", "text"),
        ("a=", ""),
        ("a= two  words ", " two  words "),
        ("a=b=c", "b=c"),
        ("a=1", "1"),
        ("a:=1", 1),
        ("a:=null", None),
        ('a:={"b": [true, "c"]}', {"b": [True, "c"]}),
        (' a :="@x"', "@x"),
        ("a=@text.txt", "from the file ✓\n"),
    ],
)
def test_a_value_is_text_json_or_the_text_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, value: JsonValue
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("\ufefffrom the file ✓\n", "utf-8")
    assert read_assignments("--input", [given], files=True) == {"a": value}


def test_only_inputs_are_read_from_files() -> None:
    assert read_assignments("--answer", ["who=@anna"]) == {"who": "@anna"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a"], "--input takes NAME=VALUE, found 'a'"),
        (["=a"], "takes NAME=VALUE"),
        ([":=1"], "takes NAME=VALUE"),
        (["a=1", "a:=2"], "'a' is given twice"),
        (["a:=nope"], "expected JSON after ':='"),
        (["a:=NaN"], "NaN is no JSON"),
        (["a:=" + "[" * 100_000], "nested too deep"),
        (['a:="\\ud800"'], "is not valid text"),
        (["a=\udcff"], "is not valid text"),
        (["a=@none.txt"], "cannot read 'none.txt'"),
        (["a=@."], "cannot read '.'"),
        (["a=@latin.txt"], "is not UTF-8 text"),
        (["a=@huge.txt"], "more than 10,000,000 bytes"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_value_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "huge.txt").write_bytes(b"x" * 10_000_001)
    with pytest.raises(BadInput) as caught:
        read_assignments("--input", given, files=True)
    assert said in str(caught.value)


def test_an_input_is_known_where_the_plan_declares_or_uses_it_at_any_depth() -> None:
    inner = {"inputs": {"own": 1}, "steps": [{"id": "t", "type": "transform", "output": "{{ input.passed }}"}]}
    steps = [
        {"id": "a", "type": "transform", "output": "{{ input.used }}", "when": "input.asked"},
        {"id": "m", "type": "map", "over": [1], "step": {"id": "x", "type": "transform", "output": "{{ input.deep }}"}},
        {"id": "s", "type": "sub_plan", "plan": inner, "input": {"passed": "{{ input.handed | default(1) }}"}},
    ]
    plan = Plan.model_validate({"inputs": {"declared": 1}, "steps": steps, "output": "{{ input.last }}"})
    known: dict[str, JsonValue] = dict.fromkeys(("declared", "used", "asked", "deep", "handed", "last"), 1)
    assert unknown_inputs(plan, known) == ()
    found = unknown_inputs(plan, {**known, "dep": 1, "own": 1, "passed": 1})
    assert [problem.code for problem in found] == ["unknown_input"] * 3
    assert found[0].hint == "did you mean 'deep'?"


def test_a_plan_that_takes_its_inputs_as_a_whole_takes_any() -> None:
    plan = Plan.model_validate({"steps": [{"id": "a", "type": "transform", "output": {"all": ["{{ input }}"]}}]})
    assert unknown_inputs(plan, {"anything": 1}) == ()
    words = Plan.model_validate({"steps": [{"id": "a", "agent": "x", "task": "Read the input."}]})
    assert len(unknown_inputs(words, {"anything": 1})) == 1


def test_missing_and_misspelt_inputs_are_told_at_once_and_nothing_is_run(called: Called, workplace: Path) -> None:
    (workplace / "plan.yaml").write_text(_PLAN)
    code, out, err = called(["run", "--plan", "plan.yaml", "-i", "nam=Anna", "--out", "here"])
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == ["unknown_input", "missing_input", "missing_input"]
    assert "(did you mean 'name'?)" in lines[0]
    assert lines[1].startswith("plan.yaml:4:")
    assert "--input name=VALUE" in lines[1]
    assert lines[2].startswith("plan.yaml:5:")
    assert not (workplace / "here").exists()


def test_inputs_are_kept_with_the_run_and_are_there_when_it_goes_on(called: Called, workplace: Path) -> None:
    (workplace / "plan.yaml").write_text(_PLAN)
    given = ["-i", "name=Anna", "--input", 'address:={"street": "High Street"}']
    code, out, _ = called(["run", "--plan", "plan.yaml", *given, "--out", "here", "--json"])
    document = json.loads(out)
    assert (code, document["inputs"]) == (4, {"name": "Anna", "address": {"street": "High Street"}})
    assert document["questions"][0]["prompt"] == "Send Hello, Anna to High Street?"
    for name in ("", "-wal", "-shm"):  # as if it had been killed before its first checkpoint
        (workplace / "here" / f"checkpoints.sqlite{name}").unlink(missing_ok=True)
    code, out, _ = called(["resume", "here", "--answer", "ask=yes", "--json"])
    assert (code, json.loads(out)["answer"]) == (0, "Hello, Anna")


def test_inputs_for_a_goal_go_to_the_planner_and_the_run(called: Called) -> None:
    code, out, _ = called(["run", "write a report", "-i", "tone=dry", "--json"])
    assert json.loads(out)["inputs"] == {"tone": "dry"}
    assert code in (0, 3)
