"""Saving plans under an alias, listing them, and running them again."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from goalgraph.planner.documents import load_plan
from goalgraph.planner.folder_library import FolderLibrary

Called = Callable[[list[str]], tuple[int, str, str]]

_OWN = ["--specialists", "mine:everybody"]


def _save(called: Called, name: str, alias: str, *more: str) -> tuple[int, str, str]:
    return called(["plan", "--plan", f"{name}.yaml", "--save", alias, *_OWN, *more])


def test_a_made_plan_is_saved_reviewed_saved_again_and_run(called: Called, workplace: Path) -> None:
    goal = "Analyze the data and write a report"
    code, out, err = called(["plan", goal, "--data", "sales.csv", "--save", "sales", "--out", "plan.yaml"])
    assert (code, err) == (0, "")
    assert out.endswith("saved to plan.yaml\nsaved as sales, version 1, in goalgraph-plans\n")
    edited = (workplace / "plan.yaml").read_text("utf-8").replace("write a report", "write a short report")
    (workplace / "plan.yaml").write_text(edited, "utf-8")
    code, out, err = called(["plan", "--plan", "plan.yaml", "--save", "sales"])
    assert (code, err) == (0, "")
    assert out.endswith("saved as sales, version 2, in goalgraph-plans\n")
    assert called(["plan", "--plan", "plan.yaml", "--save", "sales", "--json"])[1].endswith(
        '"saved": {\n    "alias": "sales",\n    "version": 2\n  }\n}\n'
    )
    code, out, err = called(["run", "--plan", "sales@1", "--data", "sales.csv", "--out", "done", "--json"])
    assert (code, json.loads(out)["status"], err) == (0, "complete", "")
    assert load_plan(workplace / "done" / "plan.yaml") == FolderLibrary(workplace / "goalgraph-plans").load("sales", 1)


def test_a_plan_with_problems_is_not_saved(called: Called, workplace: Path) -> None:
    code, out, err = called(["plan", "--plan", "one.yaml", "--save", "one"])
    assert (code, out) == (2, "")
    assert err.startswith("one.yaml:3:31: unknown_specialist: step 'only' agent: no specialist is called 'noter'")
    assert not (workplace / "goalgraph-plans").exists()
    assert _save(called, "one", "one")[0] == 0
    twin = _save(called, "one", "ONE")
    assert (twin[0], twin[2]) == (
        2, "goalgraph: error: the alias 'ONE' differs from 'one' by case alone; use 'one'\n"
    )  # fmt: skip


def test_a_plan_that_would_contain_itself_is_not_saved(called: Called, workplace: Path) -> None:
    (workplace / "loop.yaml").write_text("steps:\n  - {id: again, type: sub_plan, plan: loop}\n")
    _save(called, "one", "loop")
    code, _, err = _save(called, "loop", "loop")
    assert code == 2
    assert "loop.yaml:2:5: recursive_plan: step 'again.again' plan: the plan contains itself: loop -> loop" in err
    assert len(FolderLibrary(workplace / "goalgraph-plans").versions("loop")) == 1


def test_plans_lists_what_is_there_and_what_is_damaged(called: Called, workplace: Path) -> None:
    empty = called(["plans"])
    assert empty[:2] == (0, "no plans in goalgraph-plans; save one with: goalgraph plan GOAL --save ALIAS\n")
    _save(called, "two", "second")
    _save(called, "one", "first")
    broken = workplace / "goalgraph-plans" / "broken"
    broken.mkdir()
    (broken / "v3.yaml").write_text("steps: [\n")
    code, out, err = called(["plans"])
    assert (code, err) == (0, "")
    rows = [re.split(r"\s{2,}", line) for line in out.splitlines()]
    assert rows[0] == ["alias", "version", "saved", "name"]
    assert [(row[0], row[1]) for row in rows[1:]] == [("broken", "3"), ("first", "1"), ("second", "1")]
    assert rows[1][3].startswith("damaged: goalgraph-plans/broken/v3.yaml is not valid: line 2, column 1: ")
    assert rows[2][3] == "the plan one"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", row[2]) for row in rows[1:])
    listed = json.loads(called(["plans", "--json"])[1])
    assert [(one["alias"], one["problem"] is None) for one in listed] == [
        ("broken", False), ("first", True), ("second", True)
    ]  # fmt: skip
    assert called(["plans", "broken"])[0] == 1
    assert "version 3 is damaged:\n  line 2, column 1: " in called(["plans", "broken"])[1]


def test_a_plan_is_shown_with_its_versions_and_differences(called: Called) -> None:
    for name in ("one", "two", "half"):
        _save(called, name, "mine")
    code, out, _ = called(["plans", "mine"])
    assert code == 0
    assert out.startswith("mine: 3 versions\n  1  ")
    assert re.search(r"^  3  .*  \(shown below\)\n\nPlan: the plan half \(2 steps\)$", out, re.MULTILINE)
    assert "Plan: the plan one (1 step)" in called(["plans", "mine@1"])[1]
    document = json.loads(called(["plans", "mine@2", "--json"])[1])
    assert (document["version"], [one["version"] for one in document["versions"]]) == (2, [1, 2, 3])
    assert [step["id"] for step in document["plan"]["steps"]] == ["first", "second", "third"]
    code, out, _ = called(["plans", "mine", "--diff", "1", "3"])
    assert code == 0
    assert out.splitlines()[:3] == [
        "mine: version 1 -> version 3",
        "~ plan: name: 'the plan one' -> 'the plan half'",
        "- step only",
    ]
    assert called(["plans", "mine", "--diff", "v1"])[1] == out
    assert called(["plans", "mine", "--diff", "2", "2"])[1] == "mine: version 2 -> version 2\nno difference\n"
    changes = json.loads(called(["plans", "mine", "--diff", "1", "2", "--json"])[1])
    assert (changes["removed"], [one["step"] for one in changes["added"]]) == (["only"], ["first", "second", "third"])
    assert called(["plans", "mine", "--diff", "9"])[0] == 2
    assert called(["plans", "mine", "--diff", "x"])[2].startswith("goalgraph: error: --diff takes numbers of versions")


def test_the_library_is_where_the_option_or_the_environment_says(
    called: Called, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(called, "one", "here", "--library", "a/b")
    assert (workplace / "a" / "b" / "here" / "v1.yaml").is_file()
    monkeypatch.setenv("GOALGRAPH_PLANS", "a/b")
    assert "here" in called(["plans"])[1]
    assert "here" not in called(["plans", "--library", "other"])[1]
    assert called(["run", "--plan", "here", *_OWN])[0] == 0


def test_a_file_comes_before_an_alias_and_a_folder_does_not(called: Called, workplace: Path) -> None:
    _save(called, "one", "both")
    (workplace / "both").write_text("name: the file\nsteps:\n  - {id: x, agent: noter}\n")
    assert json.loads(called(["run", "--plan", "both", *_OWN, "--json"])[1])["goal"] == "the file"
    (workplace / "both").unlink()
    (workplace / "both").mkdir()
    assert json.loads(called(["run", "--plan", "both", *_OWN, "--json"])[1])["goal"] == "the plan one"
    (workplace / "neither").mkdir()
    err = called(["run", "--plan", "neither", *_OWN])[2]
    assert err.startswith("goalgraph: error: cannot use the plan 'neither': is a folder, and in the library ")


def test_a_run_keeps_the_plans_of_the_library_as_they_were(called: Called, workplace: Path) -> None:
    _save(called, "one", "inner")
    (workplace / "outer.yaml").write_text("name: outer\nsteps:\n  - {id: in, type: sub_plan, plan: inner}\n")
    assert called(["run", "--plan", "outer.yaml", *_OWN, "--out", "here"])[0] == 0
    kept = load_plan(workplace / "here" / "plan.yaml").step("in")
    assert kept.type == "sub_plan"
    assert kept.plan == load_plan(workplace / "one.yaml")
