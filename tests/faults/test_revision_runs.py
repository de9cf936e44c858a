"""Runs whose plans are changed, with gates, disturbed at random moments: nothing is lost, done or asked twice.

``GOALGRAPH_FAULTS`` says how many.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.runtime import RunControl
from tests.faults.ledger import Ledger, read_ledger
from tests.faults.mended import Mended, Notes, agent_for, live, mended
from tests.faults.mended_checks import broken
from tests.faults.stores import sqlite_store

FAULTS = 2 * int(os.environ.get("GOALGRAPH_FAULTS", "16"))
ROOT = Path(__file__).parents[2]


async def stopped(case: Mended, folder: Path, chance: random.Random) -> Notes:
    """Run a plan that is cancelled, or asked to end, several times, each time going on in an agent of its own."""
    notes = Notes(folder)
    opened = sqlite_store(folder / "run.sqlite", SqliteSaver, AsyncSqliteSaver)
    for times in range(chance.randint(1, 5), -1, -1):
        ledger = Ledger(notes.ledger)
        async with opened(chance) as saver:
            control = RunControl() if times and chance.random() < 0.25 else None
            agent = agent_for(case, saver, ledger)
            life = asyncio.create_task(live(case, agent, ledger, notes, chance, control))
            if times:
                wanted = chance.choice([0, 1, 2, 4, 8, 12, 16])
                while ledger.written < wanted and not life.done():
                    await asyncio.sleep(0.001)
                await asyncio.sleep(chance.random() * chance.choice([0.0, 0.003, 0.015]))
                if control is not None:
                    control.request_drain("the machine goes down")
                else:
                    life.cancel()
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(30):
                    await life
            await agent.aget_state({"configurable": {"thread_id": "another"}})  # what was on its way is there
        ledger.close()
        if notes.is_over:
            break
    return notes


@pytest.mark.parametrize("seed", range(FAULTS))
async def test_a_run_that_is_mended_and_stopped_keeps_every_promise(seed: int, tmp_path: Path) -> None:
    case = mended(seed)
    notes = await stopped(case, tmp_path, random.Random(f"{seed} stops"))
    assert broken(case, notes) == []


@pytest.mark.parametrize("seed", range(1_000, 1_000 + max(FAULTS // 10, 1)))
def test_a_run_that_is_mended_and_killed_keeps_every_promise(seed: int, tmp_path: Path) -> None:
    chance, notes = random.Random(f"{seed} kills"), Notes(tmp_path)
    command = [sys.executable, "-m", "tests.faults.mended", str(tmp_path), str(seed)]
    for kill in range(chance.randint(1, 3)):
        with subprocess.Popen([*command, f"{seed} {kill}"], cwd=ROOT) as process:
            wanted = len(read_ledger(notes.ledger)) + chance.choice([1, 2, 4, 8, 16])
            while process.poll() is None and len(read_ledger(notes.ledger)) < wanted:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.01)
            process.send_signal(signal.SIGKILL)
        assert process.returncode in (0, -signal.SIGKILL)
    if not notes.is_over:
        subprocess.run([*command, f"{seed} last"], cwd=ROOT, timeout=60, check=True)
    assert broken(mended(seed), notes) == []


@pytest.mark.timeout(300)
def test_a_mended_run_killed_at_any_of_its_writes_keeps_every_promise(tmp_path: Path) -> None:
    step = "1" if "GOALGRAPH_FAULTS" in os.environ else "10"
    command = [sys.executable, "-m", "tests.faults.kill_mended", str(tmp_path), "1", step]
    first, *kills = map(
        json.loads, subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.splitlines()
    )
    assert first["count"] > 30
    assert first["found"] == []
    assert [one for one in kills if one["found"]] == []
    assert sum(one["killed"] for one in kills) >= 0.9 * len(kills)


def test_the_made_up_plans_are_mended_in_every_way() -> None:
    cases = [mended(seed) for seed in range(100)]
    assert {mend for case in cases for mend in case.failing.values()} == {
        "other",
        "first",
        "nothing",
        "same",
        "refused",
    }
    assert {step.type for case in cases for step in case.plan.steps} == {"agent", "human_approval", "map"}
    assert sum(1 for case in cases if case.failing) > 80
