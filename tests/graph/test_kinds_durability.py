"""A plan with every type of step, killed with SIGKILL at random moments, ends as if it had not been."""

import random
import runpy
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.killing import KILLS, ends_as_if_never_killed, started

from goalgraph import Outcome, Plan
from goalgraph.graph.storage.recorded import recorded_outcomes

SCRIPT = Path(__file__).parent / "crashing_kinds.py"
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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    answers: set[str] = set()
    for way in ("sync", "async"):
        folder = tmp_path_factory.mktemp(way)
        process = start(folder, way)
        answer, errors = process.communicate(timeout=60)
        assert answer.startswith("complete"), errors
        ledger = (folder / "ledger").read_text().splitlines()
        assert len(started(ledger)) == CRASHING["WORK"], "each step of the worker runs once"
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
    ends_as_if_never_killed(
        lambda: start(tmp_path, way),
        lambda: recorded(tmp_path),
        tmp_path / "ledger",
        random.Random(f"{seed} {way}"),
        steps=CRASHING["WORK"],
        pause=0.05,
        answer=undisturbed,
    )
