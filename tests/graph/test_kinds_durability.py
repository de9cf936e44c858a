"""A plan with every type of step, killed with SIGKILL at random moments, ends as if it had not been."""

import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import Outcome, Plan
from goalgraph.graph.run import recorded_outcomes

SCRIPT = Path(__file__).parent / "crashing_kinds.py"
KILLS = int(os.environ.get("GOALGRAPH_KILLS", "12"))
CRASHING = runpy.run_path(str(SCRIPT))


def start(folder: Path, way: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), str(folder / "run.sqlite"), str(folder / "ledger"), way]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def recorded(folder: Path) -> set[str]:
    """Steps whose outcomes the database holds, items of a map that is not over included."""
    if not (folder / "run.sqlite").exists():
        return set()
    with SqliteSaver.from_conn_string(str(folder / "run.sqlite")) as saver:
        found = set(recorded_outcomes(CRASHING["build"](saver, 1).get_state(CRASHING["CONFIG"])))
        kept = saver.get_tuple(CRASHING["CONFIG"])
        for _, channel, value in (kept.pending_writes or ()) if kept is not None else ():
            if channel == "__return__":
                found |= {outcome.step for outcome in cast("Iterable[Outcome]", value)}
        return found


def wait_for_ledger(folder: Path, lines: int, process: "subprocess.Popen[str]") -> None:
    while process.poll() is None:
        if (folder / "ledger").exists() and len((folder / "ledger").read_bytes().splitlines()) >= lines:
            return
        time.sleep(0.0005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    answers: set[str] = set()
    for way in ("sync", "async"):
        folder = tmp_path_factory.mktemp(way)
        process = start(folder, way)
        answer, errors = process.communicate(timeout=60)
        assert answer.startswith("complete"), errors
        started = [line for line in (folder / "ledger").read_text().splitlines() if line.startswith("start ")]
        assert len(started) == CRASHING["WORK"], "each step of the worker runs once"
        answers.add(answer)
    (answer,) = answers
    return answer


def test_the_plan_has_every_type_of_step() -> None:
    plan = Plan.model_validate(CRASHING["PLAN"])
    inner = [step.step for step in plan.steps if step.type == "map"]
    below = [one.plan for one in inner if one.type == "sub_plan" and isinstance(one.plan, Plan)]
    types = {step.type for step in (*plan.steps, *inner, *(step for one in below for step in one.steps))}
    assert types == {
        "agent",
        "human_approval",
        "human_input",
        "condition",
        "parallel",
        "map",
        "wait",
        "sub_plan",
        "transform",
    }


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("seed", range(max(KILLS // 2, 1)))
def test_a_run_of_every_type_of_step_killed_at_random_moments_ends_the_same(
    seed: int, way: str, tmp_path: Path, undisturbed: str
) -> None:
    chance = random.Random(f"{seed} {way}")
    done: set[str] = set()
    begun_before = 0
    for _ in range(chance.choice([1, 2, 3])):
        process = start(tmp_path, way)
        wait_for_ledger(tmp_path, begun_before + 1 + chance.randrange(2 * CRASHING["WORK"]), process)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        ledger = (tmp_path / "ledger").read_text().splitlines()
        again = {line.split()[1] for line in ledger[begun_before:] if line.startswith("start ")} & done
        assert not again, "recorded steps ran again"
        done |= recorded(tmp_path)
        begun_before = len(ledger)
    answer, errors = start(tmp_path, way).communicate(timeout=60)
    assert answer == undisturbed, errors
    ledger = (tmp_path / "ledger").read_text().splitlines()
    assert not {line.split()[1] for line in ledger[begun_before:] if line.startswith("start ")} & done
    keys = Counter(tuple(line.split()[1:]) for line in set(ledger) if line.startswith("start "))
    assert len(keys) == CRASHING["WORK"], "a step that ran again had another idempotency key"
