"""A run that is cut off from its database at any one of its writes goes on as if it had not been."""

import asyncio
import random
from pathlib import Path

import pytest
from tests.faults.checker import told, violations
from tests.faults.disturbing import Moment, disturbed
from tests.faults.life import expected_of
from tests.faults.plans import Case, rules_of
from tests.faults.stores import CutSaver, sqlite_store

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


GRAPHS = Case(
    seed=2,
    plan={
        "inputs": {},
        "steps": [
            {
                "id": "boards",
                "type": "map",
                "over": [1],
                "step": {"id": "one", "agent": "panel", "task": "boards[{{ index }}]"},
            },
            {"id": "team", "agent": "team", "task": "team"},
        ],
    },
)


@pytest.mark.parametrize("case", [QUESTIONS, GRAPHS], ids=["functions", "graphs"])
def test_a_run_cut_off_at_any_of_its_writes_keeps_every_promise(case: Case, tmp_path: Path) -> None:
    expected = asyncio.run(expected_of(case))
    writes, was_cut = 1, True  # before the first one, nothing is known of the run
    while was_cut:
        folder = tmp_path / str(writes)
        folder.mkdir()
        opened = sqlite_store(folder / "run.sqlite", CutSaver)
        witness = asyncio.run(disturbed(case, folder, opened, random.Random(1), [Moment(0, writes=writes)]))
        history = witness.history(rules_of(case), expected)
        assert told(violations(history)) == "", f"cut off after {writes} writes"
        was_cut = any(stretch.killed for stretch in history.stretches)
        writes += 1
    assert writes > 30
