"""Runs that wait for people and events, and the answers they are given."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Interrupt

from goalgraph.cli.questions import matched
from goalgraph.cli.records import KeptAnswer
from goalgraph.graph.humans.requests import approval_request, event_request, gate_request, input_request
from goalgraph.graph.humans.thread import Request

Called = Callable[[list[str]], tuple[int, str, str]]

_OWN = ["--specialists", "mine:everybody"]
_PLAN = """\
name: intake
inputs: {owner: anna}
steps:
  - {id: read, task: read it, agent: noter}
  - {id: sign, type: human_approval, prompt: "Is {{ steps.read.output }} right?", assignee: "{{ input.owner }}"}
  - {id: who, type: human_input, prompt: "Who signs?", schema: {type: string, minLength: 2}}
  - {id: many, type: human_input, prompt: "How many?", schema: {type: integer}}
  - {id: news, type: wait, event: published}
  - id: each
    type: map
    over: [a, b]
    step:
      id: one
      type: sub_plan
      plan: {steps: [{id: look, type: human_approval, prompt: "Is it right?"}]}
  - {id: keep, task: keep it, agent: noter, depends_on: [sign, each]}
  - id: told
    type: transform
    depends_on: [keep]
    output: ["{{ steps.who.output }}", "{{ steps.many.output }}", "{{ steps.news.output }}"]
output: "{{ steps.told.output }}"
"""
_ALL = {
    "sign": "=yes",
    "who": "=Ann",
    "many": ":=3",
    "news": ':={"number": 7}',
    "each[0].look": "=APPROVE",
    "each[1].look": ':={"type": "approve", "message": "fine"}',
}


def _answers(**given: str) -> list[str]:
    return [part for step, value in given.items() for part in ("--answer", f"{step}{value}")]


@pytest.fixture
def waiting(called: Called, workplace: Path) -> Callable[..., tuple[int, Any, str]]:
    """Begin a run of the plan, or go on with it; gives exit code, the JSON document, and stderr."""
    (workplace / "plan.yaml").write_text(_PLAN)

    def goes_on(*arguments: str) -> tuple[int, Any, str]:
        begun = (workplace / "here").exists()
        command = ["resume", "here"] if begun else ["run", "--plan", "plan.yaml", *_OWN, "--out", "here"]
        code, out, err = called([*command, *arguments, "--json"])
        return code, json.loads(out) if out else None, err

    return goes_on


def test_a_run_that_waits_says_what_is_asked_of_whom_and_how_to_go_on(called: Called, workplace: Path) -> None:
    (workplace / "plan.yaml").write_text(_PLAN)
    code, out, err = called(["run", "--plan", "plan.yaml", *_OWN, "--out", "a b"])
    assert (code, err) == (4, "")
    asked = out[out.index("waiting for 6 answers: 1 of 8 steps done\n") :]
    assert (
        "sign (approval, for anna)\n  Is noted read ✓ right?\n"
        "  answer with: goalgraph answer 'a b' sign=yes\n"
        "  or: goalgraph answer 'a b' sign=no\n"
        "  or: goalgraph answer 'a b' 'sign=no: WHY'\n"
    ) in asked
    assert (
        'many (question)\n  How many?\n  the answer must fit: {"type": "integer"}\n'
        "  answer with: goalgraph answer 'a b' many:=JSON\n"
    ) in asked
    assert (
        "news (event)\n  Waits for the event `published`.\n"
        "  answer with: goalgraph answer 'a b' news=\n"
        "  or: goalgraph answer 'a b' news:=JSON\n"
    ) in asked
    assert "  answer with: goalgraph answer 'a b' 'each[1].look=yes'\n" in asked
    assert asked.endswith("\nanswer on a terminal with: goalgraph answer 'a b'\n")
    again = called(["resume", "a b"])
    assert again[0] == 4
    assert again[1].endswith(asked)
    assert (workplace / "tally.txt").read_text().split() == ["read"]


def test_answers_given_with_the_run_are_used_when_their_questions_come(
    waiting: Callable[..., Any], workplace: Path
) -> None:
    code, document, err = waiting(*_answers(**_ALL))
    assert (code, err) == (0, "")
    assert json.loads(document["answer"]) == ["Ann", 3, {"number": 7}]
    assert (document["status"], document["questions"], document["answers"]) == ("complete", [], {})
    assert (workplace / "tally.txt").read_text().split() == ["read", "keep"]


def test_answers_may_come_one_by_one_in_calls_of_their_own(waiting: Callable[..., Any], workplace: Path) -> None:
    code, document, _ = waiting()
    for left, (step, value) in reversed(list(enumerate(_ALL.items()))):
        assert (code, document["status"], document["answer"]) == (4, "waiting", None)
        assert {one["step"] for one in document["questions"]} == set(list(_ALL)[: left + 1])
        code, document, _ = waiting("--answer", f"{step}{value}")
    assert (code, json.loads(document["answer"])) == (0, ["Ann", 3, {"number": 7}])
    assert (workplace / "tally.txt").read_text().split() == ["read", "keep"]


def test_an_answer_that_cannot_be_used_is_told_and_nothing_is_lost(waiting: Callable[..., Any]) -> None:
    waiting()
    code, document, _ = waiting(*_answers(sign="=maybe", who="=A", many="=x", news="="))
    assert code == 4
    problems = {one["step"]: one["problem"] for one in document["questions"]}
    assert set(problems) == set(_ALL) - {"news"}
    assert problems["sign"] == 'expected yes or no, found "maybe"'
    assert "'A' is too short" in problems["who"]
    assert "'x' is not of type 'integer'" in problems["many"]
    assert problems["each[0].look"] is None
    assert document["answers"] == {}
    code, document, _ = waiting()
    assert [one["problem"] for one in document["questions"]] == [None] * 5
    rest = {step: value for step, value in _ALL.items() if step != "news"}
    assert json.loads(waiting(*_answers(**rest))[1]["answer"]) == ["Ann", 3, None]


def test_a_no_fails_the_step_and_what_depends_on_it_does_not_run(waiting: Callable[..., Any], workplace: Path) -> None:
    code, document, _ = waiting(*_answers(**{**_ALL, "sign": "=no"}))
    assert (code, document["status"]) == (3, "degraded")
    assert {one["id"]: one["status"] for one in document["steps"]} == {
        "read": "succeeded",
        "sign": "failed",
        "who": "succeeded",
        "many": "succeeded",
        "news": "succeeded",
        "each": "succeeded",
        "keep": "blocked",
        "told": "blocked",
    }
    assert (workplace / "tally.txt").read_text().split() == ["read"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("sing", "did you mean 'sign'?"),
        ("told", "steps that ask: "),
        ("each", "steps that ask: "),
        ("plan", "steps that ask: "),
        ("each[0]", "did you mean 'each[0].look'?"),
        ("each[x].look", "did you mean 'each[0].look'?"),
    ],
)
def test_an_answer_for_a_step_that_never_asks_is_refused_before_anything_runs(
    called: Called, workplace: Path, step: str, said: str
) -> None:
    (workplace / "plan.yaml").write_text(_PLAN)
    code, _, err = called(["run", "--plan", "plan.yaml", *_OWN, "--out", "here", "--answer", f"{step}=yes"])
    assert code == 2
    assert err.startswith(f"goalgraph: error: --answer {step!r}: no step of that id asks for an answer; ")
    assert said in err
    assert not (workplace / "here").exists()
    assert not (workplace / "tally.txt").exists()


def test_an_answer_without_a_question_is_kept_until_the_end_and_then_told(waiting: Callable[..., Any]) -> None:
    code, document, err = waiting("--answer", "each[7].look=yes", "--answer", "who=Ann")
    assert (code, document["answers"], err) == (4, {"each[7].look": {"answer": "yes", "by": None}}, "")
    code, document, err = waiting(*_answers(**{step: value for step, value in _ALL.items() if step != "who"}))
    assert (code, document["answers"]) == (0, {})
    assert err == "goalgraph: note: the answer for 'each[7].look' was not used, because the step did not ask\n"
    code, document, err = waiting("--answer", "sign=no")
    assert (code, document["status"]) == (0, "complete")
    assert "the answer for 'sign' was not used" in err


def test_a_deadline_that_passed_while_nobody_ran_it_counts(called: Called, workplace: Path) -> None:
    import time

    (workplace / "plan.yaml").write_text(
        "steps:\n  - {id: note, agent: noter}\n"
        "  - {id: sign, type: human_approval, prompt: Well?, deadline: 1s, depends_on: [note]}\n"
    )
    code, out, _ = called(["run", "--plan", "plan.yaml", "--out", "here", *_OWN, "note it"])
    assert code == 4
    assert "sign (approval, until 2" in out
    time.sleep(1.1)
    code, out, _ = called(["resume", "here"])
    assert code == 3
    assert "step 'sign' failed: no answer by " in out


_ASKERS = """

@specialist
async def asker(task, context):
    from langgraph.types import interrupt
    return interrupt({'which': ['a', 'b']})


@specialist
async def caller(task, context):
    from langgraph.types import interrupt
    calls = [{'name': 'wipe', 'args': {'disk': 1}}, {'name': 'mail', 'args': {'to': 'ann'}}]
    allowed = [{'action_name': one, 'allowed_decisions': ['approve', 'edit', 'reject']} for one in ('wipe', 'mail')]
    decisions = interrupt({'action_requests': calls[: task.input['calls']], 'review_configs': allowed})
    return str(decisions)


@specialist
def curious(task, context):
    return f"{context.ask('How many?', {'type': 'integer'})} {context.ask('Of what?')}"


everybody += [asker, caller, curious]
"""


@pytest.fixture
def askers(called: Called, workplace: Path) -> Callable[..., tuple[int, Any]]:
    """Begin a run of steps of specialists that ask, or answer what it asks; gives exit code and JSON document."""
    with (workplace / "mine.py").open("a") as file:
        file.write(_ASKERS)

    def goes_on(*answers: str, steps: str = "") -> tuple[int, Any]:
        if steps:
            (workplace / "plan.yaml").write_text(f"steps: [{steps}]")
            code, out, _ = called(["run", "--plan", "plan.yaml", "--out", "here", *_OWN, "do it", "--json"])
        else:
            code, out, _ = called(["answer", "here", "--json", *answers])
        return code, json.loads(out)

    return goes_on


@pytest.mark.parametrize("by", ["id", "step"])
def test_a_specialist_that_asks_by_itself_is_answered_by_the_question_s_id_or_its_own_name(
    askers: Callable[..., tuple[int, Any]], by: str
) -> None:
    code, document = askers(steps="{id: pick, agent: asker}")
    (question,) = document["questions"]
    assert (code, question["kind"], question["step"]) == (4, "specialist", "asker")
    assert question["prompt"] == '{"which": ["a", "b"]}'
    code, document = askers(f"{question[by]}=b")
    assert (code, document["answer"]) == (0, "b")


def test_two_questions_of_one_name_are_answered_by_id_and_not_by_chance(
    askers: Callable[..., tuple[int, Any]],
) -> None:
    code, document = askers(steps="{id: one, agent: asker}, {id: two, agent: asker}")
    ids = [one["id"] for one in document["questions"]]
    assert (code, len(set(ids))) == (4, 2)
    for question in document["questions"]:
        assert question["answer_with"][0] == f"goalgraph answer here {question['id']}=TEXT"
    code, document = askers("asker=a")
    assert (code, len(document["questions"])) == (4, 2)
    assert {one["problem"] for one in document["questions"]} == {
        "2 questions are called 'asker'; answer each by its id"
    }
    code, document = askers(f"{ids[0]}=a")
    assert (code, [one["id"] for one in document["questions"]]) == (4, [ids[1]])
    code, document = askers("asker=b")
    assert (code, sorted(one["answer"] for one in document["decisions"])) == (0, ["a", "b"])


def test_calls_that_a_specialist_asks_about_are_shown_and_decided_on(
    called: Called, askers: Callable[..., tuple[int, Any]]
) -> None:
    code, document = askers(steps="{id: act, agent: caller, input: {calls: 1}}")
    (question,) = document["questions"]
    assert (code, question["arguments"]) == (4, [{"name": "wipe", "args": {"disk": 1}}])
    assert question["answer_with"][0] == "goalgraph answer here caller=yes"
    assert '"disk": 1' in called(["answer", "here"])[1]
    code, document = askers("caller=no: not that disk")
    assert (code, document["answer"]) == (
        0,
        "{'decisions': [{'type': 'reject', 'message': 'not that disk'}]}",
    )


def test_several_calls_need_a_decision_each(askers: Callable[..., tuple[int, Any]]) -> None:
    askers(steps="{id: act, agent: caller, input: {calls: 2}}")
    code, document = askers("caller=yes")
    assert code == 4
    assert "2 calls are asked about" in document["questions"][0]["problem"]
    code, document = askers('caller:=[{"type": "approve"}, {"type": "reject"}]')
    assert (code, document["answer"]) == (0, "{'decisions': [{'type': 'approve'}, {'type': 'reject'}]}")


def test_what_a_specialist_asks_with_its_step_is_answered_by_the_step_one_after_the_other(
    askers: Callable[..., tuple[int, Any]],
) -> None:
    code, document = askers(steps="{id: count, agent: curious}")
    (question,) = document["questions"]
    assert (code, question["step"], question["prompt"]) == (4, "count", "How many?")
    code, document = askers("count=three")
    assert (code, document["questions"][0]["problem"]) == (
        4,
        "the answer does not fit: 'three' is not of type 'integer'",
    )
    code, document = askers("count:=3", "--by", "ann")
    assert (code, document["questions"][0]["prompt"]) == (4, "Of what?")
    code, document = askers("count=apples")
    assert (code, document["answer"]) == (0, "3 apples")
    assert [(one["answer"], one["by"]) for one in document["decisions"]] == [(3, "ann"), ("apples", None)]


def test_without_the_extra_a_run_takes_the_answers_it_is_given_and_cannot_go_on_later(
    workplace: Path, environment: dict[str, str]
) -> None:
    (workplace / "plan.yaml").write_text(_PLAN)
    hidden = "import sys; sys.modules['langgraph.checkpoint.sqlite'] = None"
    script = f"{hidden}; from goalgraph.cli import main; sys.exit(main())"

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", script, "run", "--plan", "plan.yaml", *_OWN, *arguments],
            cwd=workplace, env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    assert run("--out", "a", *_answers(**_ALL)).returncode == 0
    waits = run("--out", "b")
    assert waits.returncode == 4
    assert waits.stdout.endswith("going on with a run needs pip install 'goalgraph[sqlite]' before it starts\n")


def _request(kind: str) -> Request:
    value: Any = {
        "approval": approval_request(run="r", step="s", prompt="?"),
        "gate": gate_request(run="r", step="s", specialists=("a",), arguments={"instruction": "go", "input": {"n": 1}}),
        "event": event_request(run="r", step="s", event="e"),
        "input": input_request(run="r", step="s", prompt="?", schema={"type": "string"}),
        "specialist": {"?": 1},
    }[kind]
    return Request(
        id="id",
        kind=kind,
        step="s",
        prompt="?",
        arguments=value["action_requests"][0]["args"] if "action_requests" in value else {},
        schema=value.get("schema") or {},
        assignee=None,
        deadline=None,
        problem=None,
        escalated=False,
        digest="",
        interrupt=Interrupt(value=value, id="i"),
    )


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("approval", "Yes", True),
        ("approval", " no ", False),
        ("approval", "No: too late ", {"type": "reject", "message": "too late"}),
        ("approval", True, True),
        ("gate", "approve", True),
        ("gate", {"type": "edit", "args": {"input": {"n": 2}}}, {"type": "edit", "args": {"input": {"n": 2}}}),
        ("event", "", None),
        ("event", "text", "text"),
        ("input", "", ""),
        ("input", "yes", "yes"),
        ("specialist", "yes", "yes"),
        ("specialist", [1], [1]),
    ],
)
def test_answers_are_read_as_their_questions_ask(kind: str, answer: Any, said: Any) -> None:
    replies = matched([_request(kind)], {"s": KeptAnswer(answer=answer, by="ann"), "t": KeptAnswer(answer=1)})
    assert [(key, one.answer, one.by) for key, one in replies.resume.items()] == [("id", said, "ann")]
    assert (replies.used, replies.questions) == (frozenset({"s"}), ())


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("approval", "y"),
        ("approval", ""),
        ("approval", None),
        ("approval", 1),
        ("approval", "no:"),
        ("approval", "yes: do it"),
        ("gate", {"type": "edit", "args": {"disk": 1}}),
        ("input", None),
        ("specialist", None),
    ],
)
def test_what_is_no_answer_is_not_sent(kind: str, answer: Any) -> None:
    replies = matched([_request(kind)], {"s": KeptAnswer(answer=answer)})
    assert replies.resume == {}
    assert [bool(one.problem) for one in replies.questions] == [True]
