"""Whole runs of the real command, with no terminal."""

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]

_GOAL = "Analyze the data, create visualizations, and write a report"
_OWN = ("--specialists", "mine:everybody")


def test_a_run_prints_the_report_and_leaves_its_files(goalgraph: Command, workplace: Path) -> None:
    ended = goalgraph("run", _GOAL, "--data", "sales.csv", "--out", "done")
    assert (ended.returncode, ended.stderr) == (0, "")
    report = (workplace / "done" / "report.md").read_text("utf-8")
    assert report.partition("<!-- step")[0].strip() in ended.stdout
    assert re.search(r"^started analyze_data \(data_analyst\)$", ended.stdout, re.MULTILINE)
    assert re.search(r"^succeeded analyze_data after \d+\.\d s$", ended.stdout, re.MULTILINE)
    assert "\x1b" not in ended.stdout
    record = json.loads((workplace / "done" / "run.json").read_text("utf-8"))
    assert (record["status"], record["goal"], record["model"]) == ("complete", _GOAL, None)
    assert record["data"] == [str(workplace / "sales.csv")]
    assert [step["status"] for step in record["steps"]] == ["succeeded"] * 3
    written = [artifact["path"] for step in record["steps"] for artifact in step["artifacts"]]
    assert "report.md" in written
    assert any(name.startswith("charts/") for name in written)
    assert all((workplace / "done" / name).stat().st_size for name in written)
    assert stat.S_IMODE((workplace / "done" / "checkpoints.sqlite").stat().st_mode) == 0o600
    again = goalgraph("run", "--plan", "done/plan.yaml", "--data", "sales.csv", "--json")
    assert json.loads(again.stdout)["steps"][2]["specialist"] == "report_writer"


def test_without_out_a_run_is_named_after_time_and_goal(goalgraph: Command, workplace: Path) -> None:
    for _ in range(2):
        assert goalgraph("run", "Note it!", "--plan", "one.yaml", *_OWN).returncode == 0
    names = sorted(path.name for path in (workplace / "goalgraph-runs").iterdir())
    assert len(names) == 2
    assert all(re.fullmatch(r"\d{8}-\d{6}-note-it(-2)?", name) for name in names)
    assert goalgraph("resume", names[0]).stdout.startswith("this run is over: complete\n")


@pytest.mark.parametrize(
    ("plan", "code", "status"),
    [("one", 0, "complete"), ("broken", 1, "failed"), ("weak", 3, "degraded"), ("half", 3, "degraded")],
)
def test_the_exit_code_tells_how_a_run_ended_then_and_later(
    goalgraph: Command, plan: str, code: int, status: str
) -> None:
    ended = goalgraph("run", "--plan", f"{plan}.yaml", *_OWN, "--out", "here", "--json")
    later = goalgraph("resume", "here", "--json")
    assert (ended.returncode, later.returncode) == (code, code)
    document = json.loads(ended.stdout)
    assert document["status"] == status
    assert json.loads(later.stdout) == document
    assert bool(document["degraded"]) == (code != 0)
    assert ended.stderr.count("goalgraph: error: the run failed") == (code == 1)


def test_a_degraded_run_says_why_and_a_failure_cannot_steer_the_terminal(goalgraph: Command) -> None:
    weak = goalgraph("run", "--plan", "weak.yaml", *_OWN)
    assert "  - step 'only': only half of it\n" in weak.stdout
    broken = goalgraph("run", "--plan", "broken.yaml", *_OWN)
    assert "on fire and so is the lamp" in broken.stdout
    assert broken.stderr.startswith("goalgraph: error: the run failed: no step succeeded; see ")


def test_json_is_alone_on_stdout_whatever_specialists_print(goalgraph: Command) -> None:
    ended = goalgraph("run", "--plan", "talk.yaml", *_OWN, "--json")
    assert json.loads(ended.stdout)["answer"] == "talked"
    assert ended.stderr == "I am talking\n"


def test_an_earlier_run_is_replaced_only_on_request_and_other_files_stay(goalgraph: Command, workplace: Path) -> None:
    first = ("run", _GOAL, "--data", "sales.csv", "--out", "here")
    goalgraph(*first)
    (workplace / "here" / "charts" / "mine.txt").write_text("keep")
    charts = sorted((workplace / "here" / "charts").glob("*.png"))
    refused = goalgraph(*first)
    assert refused.returncode == 2
    assert refused.stderr == (
        "goalgraph: error: the folder 'here' holds an earlier run; give another --out, or --overwrite to replace it\n"
    )
    replaced = goalgraph("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--overwrite")
    assert replaced.returncode == 0
    assert charts
    assert [path.name for path in (workplace / "here" / "charts").iterdir()] == ["mine.txt"]
    assert (workplace / "here" / "report.md").read_text("utf-8") == "noted only ✓\n"


def test_steps_over_their_timeout_fail_and_blocked_threads_do_not_hold_up_the_end(goalgraph: Command) -> None:
    ended = goalgraph("run", "--plan", "block.yaml", *_OWN, "--timeout", "0.2", "--json")
    assert ended.returncode == 3
    document = json.loads(ended.stdout)
    assert [step["status"] for step in document["steps"]] == ["succeeded", "failed"]
    assert document["steps"][1]["error"].startswith("no result after 0.2 s")


def test_a_closed_stdout_does_not_stop_a_run(workplace: Path, environment: dict[str, str]) -> None:
    script = (
        f"'{sys.executable}' -m goalgraph.cli "
        "run --plan two.yaml --specialists mine:everybody --out here | head -n 1; echo ${PIPESTATUS[0]}"
    )
    (workplace / "go").touch()
    ended = subprocess.run(
        ["bash", "-c", script], cwd=workplace, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.stdout == "Plan: the plan two (3 steps)\n0\n"
    assert ended.stderr == ""
    assert json.loads((workplace / "here" / "run.json").read_text("utf-8"))["status"] == "complete"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_stdout_is_one_line(workplace: Path, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "goalgraph.cli", "plan", "write a report"],
            cwd=workplace, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "No space left on device" in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_stdout_cannot_show_are_replaced(goalgraph: Command, encoding: str) -> None:
    ended = goalgraph("run", "--plan", "one.yaml", *_OWN, PYTHONIOENCODING=encoding)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "noted only ?" in ended.stdout
    ended = goalgraph("run", "--plan", "one.yaml", *_OWN, "--json", PYTHONIOENCODING=encoding)
    assert json.loads(ended.stdout)["answer"] == "noted only ✓"


def test_a_run_that_another_process_works_on_is_left_alone(
    goalgraph: Command, start: Callable[..., "subprocess.Popen[str]"], workplace: Path
) -> None:
    import time

    with start("run", "--plan", "two.yaml", *_OWN, "--out", "here") as process:
        while not (workplace / "waiting-second").exists():
            assert process.poll() is None
            time.sleep(0.05)
        second = goalgraph("resume", "here")
        third = goalgraph("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--overwrite")
        (workplace / "go").touch()
        process.communicate(timeout=60)
    assert process.returncode == 0
    for ended in (second, third):
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr == (
            "goalgraph: error: another process is working on the run in 'here'; wait for it, or stop it\n"
        )
