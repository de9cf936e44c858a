"""Plans without runs on the command line: what they take, the best of several, what they must heed, and run later."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Called = Callable[[list[str]], tuple[int, str, str]]

_OWN = ["--specialists", "mine:everybody"]
_GOAL = ["Analyze the data and write a report", "--data", "sales.csv"]


def test_a_plan_is_shown_with_what_it_takes_and_what_is_not_known(called: Called) -> None:
    code, out, err = called(["plan", *_GOAL])
    assert (code, err) == (0, "")
    assert "\ntakes 0 tokens, 0.00 USD\nnot known: time of data_analyst, report_writer\n" in out
    document = json.loads(called(["plan", *_GOAL, "--json"])[1])
    assert document["estimate"]["cost_usd"] == {"low": 0, "high": 0}
    assert document["estimate"]["untimed"] == ["data_analyst", "report_writer"]
    assert document["decisions"] == []


def test_what_earlier_runs_took_is_what_the_next_one_is_estimated_by(called: Called, workplace: Path) -> None:
    assert called(["run", "--plan", "one.yaml", *_OWN])[0] == 0
    broken = workplace / "goalgraph-runs" / "zzz"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    code, out, _ = called(["plan", "--plan", "two.yaml", *_OWN])
    assert code == 0
    assert "not known: tokens, cost of noter, waiter; time of waiter\n" in out
    code, out, _ = called(["plan", "--plan", "one.yaml", *_OWN])
    assert "seconds\nnot known: tokens, cost of noter\n" in out


def test_the_plan_of_a_run_with_a_kept_record_of_an_earlier_version_tells_nothing(
    called: Called, workplace: Path
) -> None:
    assert called(["run", "--plan", "one.yaml", *_OWN])[0] == 0
    (record,) = (workplace / "goalgraph-runs").glob("*/run.json")
    data = json.loads(record.read_text("utf-8"))
    assert data["steps"][0].pop("usage")["calls"] == 0
    record.write_text(json.dumps(data), "utf-8")
    assert "not known: tokens, cost, time of noter" in called(["plan", "--plan", "one.yaml", *_OWN])[1]


def test_the_best_of_several_drafts_is_taken_and_said(called: Called) -> None:
    code, out, err = called(["plan", *_GOAL, "--alternatives", "3"])
    assert (code, err) == (0, "")
    assert "draft 1 is the best of 3 valid ones of 3; the same as draft 2, 3\n" in out
    (decision,) = json.loads(called(["plan", *_GOAL, "--alternatives", "3", "--json"])[1])["decisions"]
    assert (decision["chosen"], [one["draft"] for one in decision["answer"]["scores"]]) == ("choose", [1, 2, 3])


def test_a_plan_that_must_ask_is_saved_edited_and_asks_when_it_is_run_later(called: Called, workplace: Path) -> None:
    code, out, err = called(["plan", *_GOAL, "--require-approval", "--out", "plan.yaml"])
    assert (code, err) == (0, "")
    assert "waits for people or events at write_report.approval\n" in out
    text = (workplace / "plan.yaml").read_text("utf-8")
    (workplace / "plan.yaml").write_text(text.replace("task: write a report", "task: write a short report"), "utf-8")
    code, out, _ = called(["run", "--plan", "plan.yaml", "--data", "sales.csv", "--out", "here", "--yes"])
    assert code == 4
    assert "write a short report" in out
    assert called(["answer", "here", "write_report.approval=yes"])[0] == 0
    assert (workplace / "here" / "report.md").is_file()


def test_only_those_who_are_available_plan(called: Called) -> None:
    code, out, _ = called(["plan", *_GOAL, "--available", "data_analyst, report_writer", "--constraint", "be brief"])
    assert code == 0
    assert "[report_writer]" in out
    code, _, err = called(["plan", *_GOAL, "--available", "data_analyst,nobody"])
    assert code == 2
    assert err.startswith("goalgraph: error: no specialist is called 'nobody'; there are: data_analyst, ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--alternatives", "0"], "--alternatives takes a number from 1 to 10, found 0"),
        (["--alternatives", "11"], "--alternatives takes a number from 1 to 10, found 11"),
        (["--available", " , "], "--available names nobody: ' , '"),
        (["--constraint", " "], "--constraint is empty: ' '"),
    ],
    ids=["no draft", "too many", "nobody", "empty"],
)
def test_wishes_that_cannot_be_met_are_refused(called: Called, options: list[str], said: str) -> None:
    code, out, err = called(["plan", *_GOAL, *options])
    assert (code, out) == (2, "")
    assert err.startswith(f"goalgraph: error: {said}; ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "option",
    [["--alternatives", "2"], ["--require-approval"], ["--constraint", "x"], ["--available", "noter"]],
    ids=lambda option: option[0],
)
def test_wishes_are_for_making_plans_not_for_taking_them(called: Called, option: list[str]) -> None:
    code, _, err = called(["plan", "--plan", "one.yaml", *_OWN, *option])
    assert code == 2
    assert f"and {option[0]} is for making one" in err


def test_a_goal_that_nobody_there_can_do_much_about_is_told_how_to_get_help(called: Called) -> None:
    code, _, err = called(["run", "Write a poem", "--yes", "--out", "poem"])
    assert code == 3
    assert err.startswith("goalgraph: note: without --model rules plan, and only work on files is done (--data); ")
    _, _, err = called(["run", *_GOAL, "--yes", *_OWN])
    assert err == ""


def test_a_run_is_done_by_those_who_are_available(called: Called, workplace: Path) -> None:
    (workplace / "able.yaml").write_text("steps:\n- {id: note, task: note it, requires: [note]}\n", "utf-8")
    (workplace / "able.py").write_text(
        "from goalgraph import specialist\n"
        "first = specialist(name='first', capabilities=['note'])(lambda text: 'by first')\n"
        "second = specialist(name='second', capabilities=['note', 'more'])(lambda text: 'by second')\n"
        "everybody = [first, second]\n",
        "utf-8",
    )
    _, out, _ = called(
        [
            "run",
            "--plan",
            "able.yaml",
            "--specialists",
            "able:everybody",
            "--available",
            "second",
            "--out",
            "able",
            "--yes",
        ]
    )
    assert "[second]: note it" in out
    assert "by second" in out
