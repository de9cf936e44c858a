"""SIGKILL right before and right after every write of a run: what comes of it is the same each time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.kill_everywhere import CASE
from tests.faults.plans import flat_steps, rules_of

ROOT = Path(__file__).parents[2]
WHOLE = "GOALGRAPH_FAULTS" in os.environ
"""Whether the statements of grouped commits, of which there are three times as many, are all tried, or each sixth."""


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.faults.kill_everywhere", str(folder), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_plan_has_12_steps_and_two_gates_of_which_one_is_in_a_map() -> None:
    assert len(flat_steps(CASE)) == 12
    gated = {step for step, askers in rules_of(CASE).approvals.items() if step in askers}
    assert gated == {"publish", "each[0]", "each[1]"}


@pytest.mark.timeout(600)
def test_a_run_killed_at_any_of_its_writes_keeps_every_promise(tmp_path: Path) -> None:
    ways = (("saver", "1", "1"), ("async", "1", "1"), ("connection", "1", "1" if WHOLE else "6"))
    for way in ways:
        (tmp_path / way[0]).mkdir()
    running = {way[0]: start(tmp_path / way[0], *way) for way in ways}
    for name, process in running.items():
        said, errors = process.communicate()
        assert process.returncode == 0, errors
        first, *kills = map(json.loads, said.splitlines())
        assert first["count"] > 30
        assert [one for one in kills if one["found"]] == []
        assert sum(one["killed"] for one in kills) >= 0.9 * len(kills), f"{name}: killed too seldom"
