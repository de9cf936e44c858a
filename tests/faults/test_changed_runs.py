"""Runs that are cut off, and changed from outside, lose nothing recorded, do nothing recorded again, and end."""

import asyncio
import os
import random
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.changed import CONFIG, SCENARIOS, Life
from tests.faults.stores import Wire

EVERY = 1 if "GOALGRAPH_FAULTS" in os.environ else 2
LIVES = max(2, int(os.environ.get("GOALGRAPH_FAULTS", "0")) // 5)
ENDS = {"escalated": "degraded", "halted": "halted"}
names = pytest.mark.parametrize("name", SCENARIOS)


async def _ends(life: Life, name: str) -> None:
    await life.process(life.to_its_end(), None)
    assert life.status == ENDS.get(name, "complete")
    done = len(life.begun)
    await life.process(life.to_its_end(), None)
    assert len(life.begun) == done, "a run that is over goes on"
    life.saver.conn.close()


@names
async def test_a_run_that_was_cut_off_at_any_of_its_writes_can_be_changed(name: str, tmp_path: Path) -> None:
    seen: set[str] = set()
    writes = 1  # before, nothing is known of the run
    while True:
        life = Life(SCENARIOS[name], tmp_path / f"{writes}.sqlite")
        await life.process(_begun_and_ended(life), writes)
        if life.status is not None:
            break
        if await life.is_begun():
            seen |= {task.name for task in (await life.agent.aget_state(CONFIG)).tasks}
            for number in range(2):
                await life.process(life.change(inputs={"new": number}), None)
            async with asyncio.timeout(20):
                await _ends(life, name)
        writes += EVERY
    assert writes > 12
    assert seen >= {"worker", "gather", "synthesize"}, seen


@names
def test_a_run_that_is_cut_off_and_changed_again_and_again_ends_as_if_it_had_not_been(
    name: str, tmp_path: Path
) -> None:
    async def lived(seed: int) -> None:
        chance = random.Random(f"{name} {seed}")
        life = Life(SCENARIOS[name], tmp_path / f"{seed}.sqlite")
        async with asyncio.timeout(60):
            for _ in range(chance.randint(2, 25)):
                if life.status is None:
                    await life.anything(chance)
            while not await life.is_begun():
                await life.process(life.begin(), None)
            await _ends(life, name)

    for seed in range(LIVES):
        asyncio.run(lived(seed))


@pytest.mark.parametrize("name", ["gates", "maps", "nested"])
async def test_a_database_that_refuses_a_single_write_makes_no_step_fail(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 1
    while True:
        flaw = _Flaw(refused)
        monkeypatch.setattr(Wire, "pass_on", flaw.pass_on)
        life = Life(SCENARIOS[name], tmp_path / f"{refused}.sqlite")
        for _ in range(2):
            with suppress(sqlite3.OperationalError):
                await (life.to_its_end() if await life.is_begun() else life.begin())
        if life.status is None:
            await life.to_its_end()
        assert {one.status for one in life.result["outcomes"].values()} == {"succeeded"}, refused
        life.saver.conn.close()
        if flaw.left >= 0:
            break
        refused += EVERY
    assert refused > 15


@dataclass(slots=True)
class _Flaw:
    left: int
    """Writes until the one that is refused."""

    def pass_on(self, writes: int) -> None:
        self.left -= writes
        if writes and self.left == 0:
            self.left = -1
            raise sqlite3.OperationalError("database is locked")


async def _begun_and_ended(life: Life) -> None:
    await life.begin()
    if life.status is None:
        await life.to_its_end()
