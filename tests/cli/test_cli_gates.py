"""Plans and steps that a human is asked about because the command line says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goalgraph import AgentStep, Plan
from goalgraph.cli.reviews import Prepared
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.reviewed import RejectedPlan

Called = Callable[[list[str]], tuple[int, str, str]]
Doing = Callable[..., tuple[int, Any]]

_OWN = ["--specialists", "mine:everybody"]


@pytest.fixture
def do(called: Called) -> Doing:
    """Call the command with JSON; gives exit code and document."""

    def done(*arguments: str) -> tuple[int, Any]:
        code, out, err = called([*arguments, "--json"])
        assert out, err
        return code, json.loads(out)

    return done


def _tally(workplace: Path) -> list[str]:
    tally = workplace / "tally.txt"
    return tally.read_text().split() if tally.exists() else []


@pytest.mark.parametrize("name", ["third", "noter", "noting"], ids=["id", "specialist", "capability"])
def test_a_step_that_is_named_runs_only_once_it_is_approved(do: Doing, workplace: Path, name: str) -> None:
    (workplace / "go").touch()
    code, document = do("run", "--plan", "two.yaml", *_OWN, "--out", "here", "--approve", name)
    asked = ["third"] if name == "third" else ["first", "third"]
    for number, step in enumerate(asked):
        (question,) = document["questions"]
        assert (code, question["kind"], question["step"]) == (4, "gate", step)
        assert question["arguments"] == {"instruction": f"do {step}", "input": {}}
        assert step not in _tally(workplace)
        code, document = do("answer" if number else "resume", "here", *(["--answer"] * (not number)), f"{step}=yes")
    assert (code, document["status"]) == (0, "complete")
    assert _tally(workplace) == ["first", "second", "third"]


def test_a_no_with_its_reason_fails_the_step_and_is_kept(do: Doing, workplace: Path) -> None:
    do("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--approve", "only")
    code, document = do("answer", "here", "only=no: not today", "--by", "ann")
    assert (code, document["steps"][0]["error"]) == (1, "a human said no: not today")
    (decision,) = document["decisions"]
    assert (decision["kind"], decision["chosen"], decision["rationale"], decision["by"]) == (
        "gate",
        "reject",
        "not today",
        "ann",
    )
    assert _tally(workplace) == []


def test_the_command_that_is_shown_for_an_edit_can_be_used(do: Doing, called: Called) -> None:
    import shlex

    _, document = do("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--approve", "only")
    edit = document["questions"][0]["answer_with"][3]
    words = shlex.split(edit.replace("do only", "do more"))
    assert words[:2] == ["goalgraph", "answer"]
    code, out, _ = called([*words[1:], "--json"])
    (decision,) = json.loads(out)["decisions"]
    assert (code, decision["chosen"], decision["answer"]) == (0, "edit", {"instruction": "do more", "input": {}})


def test_a_name_that_means_nothing_is_refused_before_anything_runs(called: Called, workplace: Path) -> None:
    code, _, err = called(["run", "--plan", "one.yaml", *_OWN, "--out", "here", "--approve", "onyl"])
    assert (code, _tally(workplace)) == (2, [])
    assert err == (
        "goalgraph: error: --approve 'onyl': no step, specialist or capability of that name; did you mean 'only'?\n"
    )


def test_a_plan_that_is_to_be_reviewed_runs_only_once_it_is_approved(
    called: Called, do: Doing, workplace: Path
) -> None:
    code, out, _ = called(["run", "--plan", "one.yaml", *_OWN, "--out", "here", "--review"])
    assert code == 4
    asked = out[out.index("waiting for") :]
    assert asked == (
        "waiting for 1 answer: 0 of 1 steps done\n"
        "plan (review)\n"
        "  Plan: the plan one (1 step)\n"
        "  layer 1\n"
        "    only [noter]: do only\n"
        "  1 step in 1 layer\n"
        "  work for noter (1)\n"
        "  waits for nobody\n"
        "  not known: tokens, cost, time of noter\n"
        "  answer with: goalgraph answer here plan=yes\n"
        "  or: goalgraph answer here plan=no\n"
        "  or: goalgraph answer here 'plan=no: WHY'\n"
        "  or: goalgraph answer here plan=@EDITED.yaml\n"
        "answer on a terminal with: goalgraph answer here\n"
    )
    assert _tally(workplace) == []
    code, document = do("answer", "here", "plan=yes", "--by", "ann")
    assert (code, document["decisions"][0]["by"], _tally(workplace)) == (0, "ann", ["only"])


def test_an_answer_for_the_plan_may_come_with_the_run(do: Doing) -> None:
    code, document = do("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--review", "--answer", "plan=yes")
    assert (code, document["status"]) == (0, "complete")


def test_a_plan_of_the_caller_s_that_is_rejected_ends_the_run(do: Doing, workplace: Path) -> None:
    do("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--review")
    code, document = do("answer", "here", "plan=no: too short")
    assert (code, document["status"], document["degraded"]) == (4, "halted", ["the plan was rejected: too short"])
    assert do("answer", "here", "plan=yes")[1]["status"] == "halted"
    assert _tally(workplace) == []


def test_the_file_of_an_edited_plan_is_an_answer_and_becomes_the_run_s_plan(do: Doing, workplace: Path) -> None:
    do("run", "--plan", "two.yaml", *_OWN, "--out", "here", "--review")
    edited = (
        "name: another\nsteps:\n  - {id: a, agent: noter}\n"
        "  - {id: g, type: parallel, branches: [{id: b, agent: noter}, {id: c, agent: noter}], depends_on: [a]}\n"
    )
    (workplace / "edited.yaml").write_text(edited.replace("{id: c, agent: noter}", "{id: c, agent: nobody}"))
    code, document = do("answer", "here", "plan=@edited.yaml")
    (question,) = document["questions"]
    assert (code, question["kind"], _tally(workplace)) == (4, "plan", [])
    assert "nobody" in question["problem"]
    (workplace / "edited.yaml").write_text(edited)
    code, document = do("answer", "here", "plan=@edited.yaml")
    assert (code, [step["id"] for step in document["steps"]]) == (0, ["a", "g.b", "g.c", "g"])
    assert sorted(_tally(workplace)) == ["a", "g.b", "g.c"]
    kept = (workplace / "here" / "plan.yaml").read_text()
    assert kept.startswith("name: another\n")
    assert "g.b" not in kept


def test_a_run_that_is_killed_after_an_edit_goes_on_with_the_edited_plan(do: Doing, workplace: Path) -> None:
    (workplace / "go").touch()
    do("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--review")
    before = (workplace / "here" / "plan.yaml").read_text()
    (workplace / "edited.yaml").write_text(
        "steps:\n  - {id: a, agent: noter}\n  - {id: ok, type: human_approval, prompt: Well?, depends_on: [a]}\n"
    )
    code, document = do("answer", "here", "plan=@edited.yaml")
    assert (code, document["questions"][0]["step"]) == (4, "ok")
    (workplace / "here" / "plan.yaml").write_text(before)
    code, document = do("resume", "here")
    assert (code, [step["id"] for step in document["steps"]]) == (4, ["a", "ok"])
    assert "id: ok" in (workplace / "here" / "plan.yaml").read_text()
    assert do("answer", "here", "ok=yes")[0] == 0
    assert _tally(workplace) == ["a"]


def test_a_plan_made_of_the_goal_that_is_rejected_is_made_anew(do: Doing) -> None:
    goal = "Analyze the data, then write a report"
    code, document = do("run", goal, "--data", "sales.csv", "--out", "here", "--review")
    assert (code, document["planned"]) == (4, True)
    code, document = do("answer", "here", "plan=no: shorter")
    # By rules the same goal gives the same plan, which is not shown a second time.
    assert (code, document["status"]) == (4, "halted")
    assert document["degraded"] == ["the planner made a plan again that was rejected"]


async def test_the_plan_that_is_there_comes_first_and_another_one_once_it_was_rejected() -> None:
    first, second = Plan(steps=(AgentStep(id="a"),)), Plan(steps=(AgentStep(id="b"),))
    told: list[PlanRequest] = []

    async def make(request: PlanRequest) -> Plan:
        told.append(request)
        return second

    prepared = Prepared(first, make)
    assert await prepared.decompose(PlanRequest(goal="g", cards=())) is first
    again = PlanRequest(goal="g", cards=(), rejected=(RejectedPlan(plan=first, reason="too short"),))
    assert await prepared.decompose(again) is second
    assert told == [again]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--review", "--yes"], "--review asks before the plan runs, and --yes does not; give one of the two"),
        (["--review", "--answer", "plan=@no.yaml"], "--answer 'plan': cannot read 'no.yaml'"),
        (["--on-failure", "explode"], "--on-failure: "),
        (["--idle-timeout", "0"], "--idle-timeout: "),
    ],
)
def test_options_that_make_no_sense_are_refused(
    called: Called, workplace: Path, arguments: list[str], said: str
) -> None:
    code, _, err = called(["run", "--plan", "one.yaml", *_OWN, "--out", "here", *arguments])
    assert (code, _tally(workplace)) == (2, [])
    assert err.startswith(f"goalgraph: error: {said}")
    assert not (workplace / "here").exists()


def test_failures_and_silence_are_handled_as_the_options_say(do: Doing) -> None:
    code, document = do("run", "--plan", "half.yaml", *_OWN, "--out", "a", "--on-failure", "wait-all")
    assert (code, document["status"], document["options"]["on_failure"]) == (1, "failed", "wait_all")
    code, document = do("run", "--plan", "two.yaml", *_OWN, "--out", "b", "--idle-timeout", "0.3")
    assert (code, [step["status"] for step in document["steps"]]) == (3, ["succeeded", "failed", "blocked"])
    assert document["options"]["idle_timeout"] == 0.3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "a=b"], "there is no run 'nowhere'"),
        (["here", "yes"], "goalgraph answer takes NAME=VALUE, found 'yes'"),
        (["here", "onyl=yes"], "goalgraph answer 'onyl': no step of that id asks for an answer; did you mean 'only'?"),
    ],
)
def test_answers_that_are_none_change_nothing(
    called: Called, do: Doing, workplace: Path, arguments: list[str], said: str
) -> None:
    do("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--approve", "only")
    before = (workplace / "here" / "run.json").read_text()
    code, _, err = called(["answer", *arguments])
    assert code == 2
    assert err.startswith(f"goalgraph: error: {said}")
    assert (workplace / "here" / "run.json").read_text() == before
