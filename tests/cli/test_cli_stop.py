"""Runs that are stopped or killed, and then go on."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

_OWN = ("--specialists", "mine:everybody")


def _until(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def _record(folder: Path) -> "dict[str, Any]":
    record: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))
    return record


@pytest.mark.parametrize(
    ("numbers", "code"), [(["SIGINT"], 130), (["SIGTERM", "SIGTERM"], 143), (["SIGTERM", "SIGINT"], 143)]
)
def test_a_stopped_run_keeps_what_is_done_and_goes_on_from_there(
    start: Start, goalgraph: Command, workplace: Path, numbers: list[str], code: int
) -> None:
    with start("run", "--plan", "two.yaml", *_OWN, "--out", "here", "--max-concurrency", "3") as process:
        _until(workplace / "waiting-second", process)
        for number in numbers[:-1]:
            process.send_signal(signal.Signals[number])
            assert process.stderr is not None
            assert (
                process.stderr.readline() == "stopping once the steps at work are done; another signal stops at once\n"
            )
        process.send_signal(signal.Signals[numbers[-1]])
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert err == "stopped; 1 of 3 steps done; go on with: goalgraph resume here\n"
    assert "succeeded first" in out
    record = _record(workplace / "here")
    assert (record["status"], record["degraded"]) == ("interrupted", [])
    assert [step["status"] for step in record["steps"]] == ["succeeded", "waiting", "waiting"]
    assert not (workplace / "here" / "report.md").exists()

    (workplace / "go").touch()
    elsewhere = workplace / "elsewhere"
    elsewhere.mkdir()
    ended = goalgraph("resume", str(workplace / "here"), "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["status"] == "complete"
    assert (workplace / "tally.txt").read_text().split() == ["first", "second", "third"]
    assert (workplace / "here" / "report.md").read_text("utf-8").startswith("## do first\n")


def test_the_first_sigterm_lets_steps_at_work_end_and_begins_nothing_new(
    start: Start, goalgraph: Command, workplace: Path
) -> None:
    with start("run", "--plan", "two.yaml", *_OWN, "--out", "here") as process:
        _until(workplace / "waiting-second", process)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        (workplace / "go").touch()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert err == (
        "stopping once the steps at work are done; another signal stops at once\n"
        "stopped; 2 of 3 steps done; go on with: goalgraph resume here\n"
    )
    assert "succeeded second" in out
    assert "started third" not in out
    assert _record(workplace / "here")["status"] == "interrupted"
    assert goalgraph("resume", "here").returncode == 0
    assert (workplace / "tally.txt").read_text().split() == ["first", "second", "third"]


def test_a_run_whose_last_step_ends_while_it_drains_is_complete(
    start: Start, goalgraph: Command, workplace: Path
) -> None:
    (workplace / "last.yaml").write_text("steps:\n  - {id: only, agent: waiter}\n")
    with start("run", "wait", "--plan", "last.yaml", *_OWN, "--out", "here") as process:
        _until(workplace / "waiting-only", process)
        process.send_signal(signal.SIGTERM)
        (workplace / "go").touch()
        process.communicate(timeout=30)
    assert process.returncode in (0, 143)
    ended = goalgraph("resume", "here", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (0, "complete")
    assert (workplace / "tally.txt").read_text().split() == ["only"]


def test_a_killed_run_goes_on_without_doing_steps_again(start: Start, goalgraph: Command, workplace: Path) -> None:
    with start("run", "--plan", "two.yaml", *_OWN, "--out", "here") as process:
        _until(workplace / "waiting-second", process)
        time.sleep(0.2)  # what the first step wrote is on its way to the disk
        process.kill()
        process.communicate(timeout=30)
    assert _record(workplace / "here")["status"] == "running"
    refused = goalgraph("run", "--plan", "two.yaml", *_OWN, "--out", "here")
    assert refused.returncode == 2
    assert "goalgraph resume here" in refused.stderr
    (workplace / "go").touch()
    ended = goalgraph("resume", "here")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "started first" not in ended.stdout
    assert re.search(r"^succeeded third", ended.stdout, re.MULTILINE)
    assert (workplace / "tally.txt").read_text().split() == ["first", "second", "third"]


def test_a_run_killed_before_its_first_checkpoint_begins_anew(
    start: Start, goalgraph: Command, workplace: Path
) -> None:
    with start("run", "--plan", "two.yaml", *_OWN, "--out", "here") as process:
        _until(workplace / "here" / "run.json", process)
        process.kill()
        process.communicate(timeout=30)
    for name in ("", "-wal", "-shm"):
        (workplace / "here" / f"checkpoints.sqlite{name}").unlink(missing_ok=True)
    (workplace / "tally.txt").unlink(missing_ok=True)
    (workplace / "go").touch()
    assert goalgraph("resume", "here").returncode == 0
    assert (workplace / "tally.txt").read_text().split() == ["first", "second", "third"]


def test_a_run_killed_between_its_end_and_its_record_only_gets_the_record(goalgraph: Command, workplace: Path) -> None:
    ended = goalgraph("run", "--plan", "one.yaml", *_OWN, "--out", "here", "--json")
    record = _record(workplace / "here")
    (workplace / "here" / "run.json").write_text(
        json.dumps({**record, "status": "running", "finished": None, "steps": []})
    )
    (workplace / "here" / "report.md").unlink()
    later = goalgraph("resume", "here", "--json")
    assert json.loads(later.stdout)["answer"] == json.loads(ended.stdout)["answer"]
    assert json.loads(later.stdout)["steps"] == record["steps"]
    assert (workplace / "here" / "report.md").exists()
    assert (workplace / "tally.txt").read_text().split() == ["only"]


def test_a_blocked_thread_does_not_hold_up_the_stop(start: Start, workplace: Path) -> None:
    with start("run", "--plan", "block.yaml", *_OWN, "--json", "--out", "a b") as process:
        _until(workplace / "waiting-second", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "stopped; 1 of 2 steps done; go on with: goalgraph resume 'a b'\n")
    document = json.loads(out)
    assert (document["status"], document["answer"]) == ("interrupted", None)


def test_a_second_signal_ends_even_a_process_that_hangs(start: Start, workplace: Path) -> None:
    with start("run", "--plan", "hog.yaml", *_OWN, "--out", "here") as process:
        _until(workplace / "waiting-only", process)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130


def test_checkpoints_that_cannot_be_read_are_named(start: Start, goalgraph: Command, workplace: Path) -> None:
    with start("run", "--plan", "two.yaml", *_OWN, "--out", "here") as process:
        _until(workplace / "waiting-second", process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    (workplace / "here" / "checkpoints.sqlite").write_bytes(b"nothing that SQLite knows" * 100)
    ended = goalgraph("resume", "here")
    assert ended.returncode == 2
    assert ended.stderr.startswith("goalgraph: error: 'here/checkpoints.sqlite' cannot be used: ")
    assert ended.stderr.count("\n") == 1


def test_without_the_extra_a_run_is_done_but_cannot_go_on(workplace: Path, environment: dict[str, str]) -> None:
    hidden = "import sys; sys.modules['langgraph.checkpoint.sqlite'] = None"
    script = f"{hidden}; from goalgraph.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", script, "run", "--plan", "two.yaml", *_OWN, "--out", "here"],
        cwd=workplace, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        _until(workplace / "waiting-second", process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == (
        "stopped; 1 of 3 steps done; going on with a run needs pip install 'goalgraph[sqlite]' before it starts\n"
    )
    assert not (workplace / "here" / "checkpoints.sqlite").exists()
    ended = subprocess.run(
        [sys.executable, "-c", script, "resume", "here"],
        cwd=workplace, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "pip install 'goalgraph[sqlite]'" in ended.stderr
