"""Runs that wait for people and events, and the answers they are given."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goalgraph.cli.questions import matched
from goalgraph.cli.records import Question

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
        "sign (approval, for anna)\n  Is noted read ✓ right?\n  answer with: --answer sign=yes or --answer sign=no\n"
        in asked
    )
    assert (
        'many (question)\n  How many?\n  the answer must fit: {"type": "integer"}\n  answer with: --answer many:=JSON\n'
        in asked
    )
    assert (
        "news (event)\n  Waits for the event `published`.\n  answer with: --answer news= or --answer news:=JSON\n"
        in asked
    )
    assert "  answer with: --answer 'each[1].look=yes' or --answer 'each[1].look=no'\n" in asked
    assert asked.endswith("go on with: goalgraph resume 'a b' --answer STEP=...\n")
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
        ("read", "steps that ask: "),
        ("each", "steps that ask: "),
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
    assert (code, document["answers"], err) == (4, {"each[7].look": "yes"}, "")
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


def test_a_specialist_that_asks_by_itself_is_answered_by_the_question_s_id(called: Called, workplace: Path) -> None:
    with (workplace / "mine.py").open("a") as file:
        file.write(
            "\n@specialist\nasync def asker(task, context):\n    from langgraph.types import interrupt\n"
            "    return interrupt({'which': ['a', 'b']})\n\neverybody.append(asker)\n"
        )
    (workplace / "plan.yaml").write_text("steps:\n  - {id: pick, agent: asker}\n")
    code, out, _ = called(["run", "--plan", "plan.yaml", "--out", "here", *_OWN, "pick one", "--json"])
    (question,) = json.loads(out)["questions"]
    assert (code, question["kind"], question["prompt"]) == (4, "other", '{"which": ["a", "b"]}')
    code, out, _ = called(["resume", "here", "--json", "--answer", f"{question['id']}=b"])
    assert (code, json.loads(out)["answer"]) == (0, "b")


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


@pytest.mark.parametrize(
    ("kind", "answer", "resumed"),
    [
        ("approval", "Yes", True),
        ("approval", " no ", False),
        ("approval", True, True),
        ("event", "", None),
        ("event", "text", "text"),
        ("input", "", ""),
        ("other", [1], [1]),
    ],
)
def test_answers_are_read_as_their_questions_ask(kind: Any, answer: Any, resumed: Any) -> None:
    question = Question(id="q", step="s", kind=kind, prompt="?")
    replies = matched([question], {"s": answer, "t": 1})
    assert replies.resume == {"q": resumed}
    assert (replies.used, replies.questions) == (frozenset({"s"}), ())


@pytest.mark.parametrize(
    ("kind", "answer"), [("approval", "y"), ("approval", ""), ("approval", None), ("approval", 1), ("input", None)]
)
def test_what_is_no_answer_is_not_sent(kind: Any, answer: Any) -> None:
    replies = matched([Question(id="q", step="s", kind=kind, prompt="?")], {"s": answer})
    assert replies.resume == {}
    assert [bool(one.problem) for one in replies.questions] == [True]
