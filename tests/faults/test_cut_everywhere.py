"""A run that is cut off from its database at any one of its writes goes on as if it had not been."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from tests.faults.bombs import UNFLUSHED
from tests.faults.checker import told, violations
from tests.faults.disturbing import CutSaver, Moment, Opened, disturbed
from tests.faults.plans import Case

QUESTIONS = Case(
    seed=1,
    plan={
        "inputs": {},
        "steps": [
            {"id": "raw", "agent": "asker", "input": {"questions": 2}},
            {
                "id": "each",
                "type": "map",
                "over": [1, 2],
                "step": {"id": "one", "agent": "inquirer", "input": {"questions": 2}},
            },
            {"id": "alone", "type": "map", "over": [1], "step": {"id": "one", "agent": "asker"}},
            {"id": "okay", "type": "human_approval", "prompt": "Go on?", "depends_on": ["raw"]},
            {"id": "last", "agent": "careful", "depends_on": ["okay", "each"]},
        ],
    },
    gates=("careful",),
)


def cut_savers(database: Path, opened: list[CutSaver]) -> Opened:
    @asynccontextmanager
    async def opens(_chance: random.Random) -> AsyncIterator[BaseCheckpointSaver[Any]]:
        connection = sqlite3.connect(database, check_same_thread=False)
        connection.execute(UNFLUSHED)
        opened.append(CutSaver(connection))
        yield opened[-1]
        connection.close()

    return opens


def test_a_run_cut_off_at_any_of_its_writes_keeps_every_promise(tmp_path: Path) -> None:
    for writes in count():
        folder = tmp_path / str(writes)
        folder.mkdir()
        opened: list[CutSaver] = []
        savers = cut_savers(folder / "run.sqlite", opened)
        history = asyncio.run(disturbed(QUESTIONS, folder, savers, random.Random(1), [Moment(0, writes=writes)]))
        assert told(violations(history)) == "", f"cut off after {writes} writes"
        if len(opened) == 1:
            break
    assert writes > 30
