"""Runs whose plans are changed while they run, and what becomes of those that cannot be."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.screens import Screen

Called = Callable[[list[str]], tuple[int, str, str]]

_OWN = ["--specialists", "mine:everybody"]
_MORE = """

@specialist(description="Fetches, but never has anything.", capabilities=["fetching"])
def archive(task, context):
    tally(f"archive-{task.step}")
    raise RuntimeError("the archive is closed")


@specialist(description="Fetches from the exchange.", capabilities=["fetching"])
async def exchange(task, context):
    tally(f"exchange-{task.step}")
    while (HERE / "closed").exists():
        (HERE / "waiting-exchange").touch()
        await asyncio.sleep(0.02)
    return "1,200"


everybody += [archive, exchange]
alone = [noter, archive]
"""
_PLAN = """\
name: fetching
steps:
  - {id: note, task: note it, agent: noter}
  - {id: fetch, task: fetch it, agent: archive, depends_on: [note]}
  - {id: told, task: tell it, agent: noter, depends_on: [fetch]}
"""
_ASKED = "The plan does not work out, and 1 of 1 revisions are made."
_CHOICE = "Answer (accept, abort, guidance ...; Ctrl-D skips it for now): "


@pytest.fixture
def fetching(workplace: Path) -> Path:
    """A workplace with two who fetch, one of whom never succeeds, and a plan that asks the wrong one."""
    with (workplace / "mine.py").open("a") as file:
        file.write(_MORE)
    (workplace / "fetch.yaml").write_text(_PLAN)
    return workplace


def _tally(workplace: Path) -> list[str]:
    return (workplace / "tally.txt").read_text().split()


def _record(workplace: Path) -> Any:
    return json.loads((workplace / "here" / "run.json").read_text("utf-8"))


def test_a_step_that_fails_is_given_to_somebody_else_and_the_report_says_so(called: Called, fetching: Path) -> None:
    code, out, err = called(["run", "--plan", "fetch.yaml", *_OWN, "--revise", "2", "--out", "here"])
    assert (code, err) == (0, "")
    assert "\nfetch failed: the plan is being revised\n" in out
    assert "\nrevised for fetch: " in out
    assert "\n  ~ step fetch: agent: 'archive' -> 'exchange'\n" in out
    assert "\nthe plan was revised once; see plan.revised.yaml\n  revision for fetch: the plan was changed: " in out
    assert _tally(fetching) == ["note", "archive-fetch", "exchange-fetch", "told"]
    record = _record(fetching)
    assert (record["status"], record["revisions"], record["options"]["revise"]) == ("complete", 1, 2)
    assert [(one["kind"], one["subject"], one["chosen"]) for one in record["decisions"]] == [
        ("revision", "fetch", "revise")
    ]
    assert [(one["id"], one["specialist"]) for one in record["steps"]][1] == ("fetch", "exchange")
    assert "agent: archive" in (fetching / "here" / "plan.yaml").read_text("utf-8")
    assert "agent: exchange" in (fetching / "here" / "plan.revised.yaml").read_text("utf-8")


def test_without_the_option_no_plan_is_changed(called: Called, fetching: Path) -> None:
    code, out, _ = called(["run", "--plan", "fetch.yaml", *_OWN, "--out", "here"])
    assert code == 3
    assert "revis" not in out
    assert _tally(fetching) == ["note", "archive-fetch"]
    assert (_record(fetching)["revisions"], (fetching / "here" / "plan.revised.yaml").exists()) == (0, False)


def test_a_revised_run_that_is_stopped_goes_on_with_the_revised_plan(
    start: Callable[..., "subprocess.Popen[str]"], called: Called, fetching: Path
) -> None:
    (fetching / "closed").touch()
    with start("run", "--plan", "fetch.yaml", *_OWN, "--revise", "2", "--out", "here") as process:
        while not (fetching / "waiting-exchange").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    record = _record(fetching)
    assert (record["status"], record["revisions"]) == ("interrupted", 1)
    (fetching / "closed").unlink()
    code, out, _ = called(["resume", "here"])
    assert code == 0
    assert "the plan was revised once" in out
    assert _tally(fetching) == ["note", "archive-fetch", "exchange-fetch", "exchange-fetch", "told"]
    assert "agent: archive" in (fetching / "here" / "plan.yaml").read_text("utf-8")


def _alone(fetching: Path) -> list[str]:
    """Options of a run in which nobody can take over: the only revision comes to nothing, and a second is due."""
    two = _PLAN.replace("depends_on: [note]}", "depends_on: [note]}\n  - {id: other, task: fetch, agent: archive}")
    (fetching / "fetch.yaml").write_text(two)
    return ["--plan", "fetch.yaml", "--specialists", "mine:alone", "--revise", "1", "--out", "here"]


@pytest.mark.parametrize(
    ("answer", "status", "chosen"),
    [("accept", "degraded", "accept"), ("abort", "halted", "abort"), ("Guidance: leave it out", "degraded", "guide")],
    ids=["accept", "abort", "guidance"],
)
def test_where_no_revision_is_left_somebody_is_asked_and_answers_by_name(
    called: Called, fetching: Path, answer: str, status: str, chosen: str
) -> None:
    code, out, _ = called(["run", *_alone(fetching)])
    assert code == 4
    assert "\nnot revised for fetch, no change is known" in out or "\nnot revised for other, no change is known" in out
    assert _ASKED in out
    assert "the answer is one of: accept, abort, guidance: TEXT\n" in out
    (question,) = _record(fetching)["questions"]
    step = question["step"]
    assert f"  answer with: goalgraph answer here {step}=accept\n" in out
    assert f"  or: goalgraph answer here '{step}=guidance: TEXT'\n" in out
    called(["answer", "here", f"{step}={answer}", "--by", "ann"])
    record = _record(fetching)
    escalated = [one for one in record["decisions"] if one["kind"] == "escalation"]
    assert (record["status"], escalated[0]["chosen"], escalated[0]["by"]) == (status, chosen, "ann")
    if chosen == "guide":
        assert escalated[0]["rationale"] == "leave it out"
        assert "somebody said how to go on (by ann): leave it out" in called(["resume", "here"])[1]


def test_an_answer_that_is_none_of_the_choices_is_told(called: Called, fetching: Path) -> None:
    assert called(["run", *_alone(fetching)])[0] == 4
    (question,) = _record(fetching)["questions"]
    code, out, _ = called(["answer", "here", f"{question['step']}=perhaps"])
    assert code == 4
    assert "  the last answer was refused: the answer does not fit" in out


def test_on_a_terminal_a_choice_is_typed_and_then_what_is_to_be_said(
    screen: Callable[..., Screen], fetching: Path
) -> None:
    shown = screen("run", *_alone(fetching), "--yes")
    shown.until("the plan is being revised")
    shown.answer("1 of 1: ", "")
    shown.answer(_CHOICE, "perhaps\r")
    shown.answer(_CHOICE, "g\r")
    shown.answer("guidance: ", "leave it out\r")
    shown.until("no change is known")
    assert shown.ended() == 3
    assert "degraded: 1 of 4 steps succeeded" in shown.text


def test_a_revised_plan_is_drawn_with_what_was_done_before(screen: Callable[..., Screen], fetching: Path) -> None:
    shown = screen("run", "--plan", "fetch.yaml", *_OWN, "--revise", "2", "--out", "here", "--yes")
    shown.until("fetch failed: the plan is being revised\n")
    shown.until("~ step fetch: agent: 'archive' -> 'exchange'")
    assert shown.ended() == 0
    last = shown.text[shown.text.rindex("note  noter") - 2 :]
    assert last.split()[:3] == ["✓", "note", "noter"]
    assert "exchange" in last


def test_what_was_revised_tells_how_long_its_specialist_takes(called: Called, fetching: Path) -> None:
    assert called(["run", "--plan", "fetch.yaml", *_OWN, "--revise", "2"])[0] == 0
    (fetching / "later.yaml").write_text("steps: [{id: fetch, task: fetch it, agent: exchange}]")
    code, out, _ = called(["plan", "--plan", "later.yaml", *_OWN])
    assert code == 0
    assert out.endswith("\nnot known: tokens, cost of exchange\n")


def test_what_the_options_say_of_plans_holds_for_a_given_plan_too(called: Called, fetching: Path) -> None:
    code, out, err = called(["run", "--plan", "fetch.yaml", *_OWN, "--available", "noter"])
    assert (code, out) == (2, "")
    assert "fetch.yaml:4:" in err
    code, _, err = called(["run", "--plan", "fetch.yaml", *_OWN, "--require-approval"])
    assert code == 2
    assert "approval" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--revise", "0"], "--revise: "),
        (["--least", "some"], "--least takes full, simple, single, found 'some'"),
        (["--least", "simple"], "--plan takes a plan as it is, and --least is for making one"),
        (["--constraint", "x"], "--plan takes a plan as it is, and --constraint is for making one"),
        (["--prompts", "nowhere"], "the folder of prompts "),
        (["--available", "nobody"], "no specialist is called 'nobody'"),
    ],
    ids=["no revision", "unknown", "least", "constraint", "prompts", "nobody"],
)
def test_options_that_cannot_be_met_are_refused(called: Called, fetching: Path, options: list[str], said: str) -> None:
    code, out, err = called(["run", "--plan", "one.yaml", *_OWN, "--out", "here", *options])
    assert (code, out) == (2, "")
    assert err.startswith(f"goalgraph: error: {said}")
    assert not (fetching / "here").exists()


def test_a_record_of_an_earlier_version_can_be_gone_on_with(called: Called, fetching: Path) -> None:
    assert called(["run", "--plan", "one.yaml", *_OWN, "--out", "here", "--approve", "only"])[0] == 4
    record = _record(fetching)
    del record["revisions"]
    for name in ("revise", "eager", "least", "constraints", "require_approval", "available", "prompts"):
        del record["options"][name]
    (fetching / "here" / "run.json").write_text(json.dumps(record), "utf-8")
    assert called(["answer", "here", "only=yes"])[0] == 0
