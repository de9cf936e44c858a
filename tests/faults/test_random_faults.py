"""Plans made up at random, disturbed at random, answered in random order: every promise of the engine is kept.

``GOALGRAPH_FAULTS`` says how many; the acceptance of a version is 500.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from tests.faults.checker import told, violations
from tests.faults.disturbing import Moment, disturbed
from tests.faults.life import expected_of
from tests.faults.plans import flat_steps, make_case, rules_of
from tests.faults.stores import CutSaver, sqlite_store
from tests.faults.witness import Witness

FAULTS = int(os.environ.get("GOALGRAPH_FAULTS", "16"))
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(FAULTS))
async def test_a_run_that_is_cancelled_or_cut_off_keeps_every_promise(seed: int, tmp_path: Path) -> None:
    chance = random.Random(f"{seed} faults")
    opened = sqlite_store(tmp_path / "run.sqlite", SqliteSaver, SqliteSaver, CutSaver, AsyncSqliteSaver)
    case = make_case(seed)
    witness = await disturbed(case, tmp_path, opened, chance, Moment.several(chance))
    assert told(violations(witness.history(rules_of(case), await expected_of(case)))) == ""


@pytest.mark.parametrize("seed", range(1_000, 1_000 + max(FAULTS // 8, 1)))
def test_a_run_that_is_killed_keeps_every_promise(seed: int, tmp_path: Path) -> None:
    chance = random.Random(f"{seed} kills")
    case, witness = make_case(seed), Witness(tmp_path)
    command = [sys.executable, "-m", "tests.faults.worker", str(tmp_path / "run.sqlite"), str(tmp_path), str(seed)]
    for kill in range(chance.randint(1, 3)):
        with subprocess.Popen([*command, f"{seed} {kill}"], cwd=ROOT) as process:
            wanted = witness.lines() + chance.choice([0, 1, 3, 10, 20, 40])
            while process.poll() is None and witness.lines() < wanted:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.01)
            process.send_signal(signal.SIGKILL)
        assert process.returncode in (0, -signal.SIGKILL)
    subprocess.run([*command, f"{seed} last"], cwd=ROOT, timeout=60, check=True)
    history = witness.history(rules_of(case), asyncio.run(expected_of(case)))
    assert told(violations(history)) == ""


def test_the_made_up_plans_have_10_to_80_steps_and_every_type_of_them() -> None:
    cases = [make_case(seed) for seed in range(100)]
    flat = [flat_steps(case) for case in cases]
    assert all(10 <= len(steps) <= 80 for steps in flat)
    types = {step.type for steps in flat for step in steps.values()}
    assert types == {"agent", "condition", "human_approval", "human_input", "map", "parallel", "transform", "wait"}
    assert sum(1 for case in cases if rules_of(case).approvals) > 50
    assert sum(len(rules_of(case).asks) for case in cases) > 500


def test_the_same_seed_makes_the_same_plan() -> None:
    assert make_case(7) == make_case(7) != make_case(8)
