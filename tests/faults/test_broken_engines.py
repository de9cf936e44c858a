"""Engines that are broken on purpose: the checker finds what is wrong with each of them."""

import random
import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.faults.checker import told, violations
from tests.faults.disturbing import Moment, disturbed
from tests.faults.kill_everywhere import CASE
from tests.faults.life import expected_of
from tests.faults.people import verdict
from tests.faults.plans import Case, rules_of
from tests.faults.stores import Saver, connected

from goalgraph import Outcome

Write = tuple[str, Any]
ANSWER = "goalgraph_answer"
REFUSING = next(
    case
    for case in (Case(seed=seed, plan=CASE.plan, gates=CASE.gates) for seed in range(1_000))
    if verdict(case, "publish") == "no" and verdict(case, "okay") == "yes"
)


def outcomes_in(write: Write, *steps: str) -> Mapping[str, Outcome]:
    """Outcomes of certain steps, or of all, that are written."""
    if write[0] != "outcomes" or not isinstance(write[1], dict):
        return {}
    found = cast("Mapping[str, Outcome]", write[1])
    return {step: one for step, one in found.items() if not steps or step in steps}


class BrokenSaver(SqliteSaver):
    """Changes what is written, and what is read; the subclasses say how."""

    process = 0
    """Which process of the run opened it."""

    def put_writes(self, config: RunnableConfig, writes: Sequence[Write], task_id: str, task_path: str = "") -> None:
        super().put_writes(config, [kept for one in writes for kept in self.written(one)], task_id, task_path)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = super().get_tuple(config)
        if found is None:
            return None
        read = [(task, *kept) for task, *one in found.pending_writes or () for kept in self.read((one[0], one[1]))]
        return found._replace(pending_writes=read)

    def written(self, write: Write) -> list[Write]:
        return [write]

    def read(self, write: Write) -> list[Write]:
        return [write]


class DropsOutcomes(BrokenSaver):
    """Says that it has stored outcomes, and has not."""

    def written(self, write: Write) -> list[Write]:
        return [] if outcomes_in(write, "read") else [write]


class LosesOutcomes(BrokenSaver):
    """Has them for a while."""

    def read(self, write: Write) -> list[Write]:
        return [] if self.process and outcomes_in(write, "read") else [write]


class ChangesOutcomes(BrokenSaver):
    """Has others in later processes."""

    def read(self, write: Write) -> list[Write]:
        outcomes = outcomes_in(write)
        changed = {step: one.model_copy(update={"seconds": float(self.process)}) for step, one in outcomes.items()}
        return [("outcomes", changed)] if outcomes else [write]


class ForgetsAnswers(BrokenSaver):
    """Has those of its own process alone, and what was made of them neither."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.known: list[str] = []

    def written(self, write: Write) -> list[Write]:
        if write[0] == ANSWER:
            self.known.append(write[1]["envelope"]["request"])
            self.conn.execute("DELETE FROM writes WHERE task_id LIKE ?", (f"%{self.known[-1]}",))
        return [] if not self.process and outcomes_in(write, "raw", "okay", "publish") else [write]

    def read(self, write: Write) -> list[Write]:
        if write[0] == ANSWER and write[1]["envelope"]["request"] not in self.known:
            return []
        return [] if write[0] == "__resume__" and not self.known else [write]


class SwapsAnswers(BrokenSaver):
    """Gives each question the answer to the one before."""

    before: dict[str, Any] | None = None

    def written(self, write: Write) -> list[Write]:
        if write[0] != ANSWER:
            return [write]
        envelope = write[1]["envelope"]
        last, self.before = self.before, envelope["goalgraph_reply"]
        return [(ANSWER, {**write[1], "envelope": {**envelope, "goalgraph_reply": last or self.before}})]


class ApprovesAll(BrokenSaver):
    """Makes every no a yes."""

    def written(self, write: Write) -> list[Write]:
        if write[0] != ANSWER or write[1]["envelope"]["goalgraph_reply"]["chosen"] != "reject":
            return [write]
        envelope = write[1]["envelope"]
        reply = {**envelope["goalgraph_reply"], "chosen": "approve"}
        return [(ANSWER, {**write[1], "envelope": {**envelope, "goalgraph_reply": reply}})]


class LosesQuestions(BrokenSaver):
    """Nobody is ever asked."""

    def written(self, write: Write) -> list[Write]:
        return [] if write[0] == "__interrupt__" else [write]


async def found_in(
    saver: type[BrokenSaver], folder: Path, *, case: Case = CASE, gated: bool = True
) -> tuple[set[str], str]:
    """Run with a broken engine, and stop it in the middle; what the checker finds."""
    opened: list[BrokenSaver] = []

    @asynccontextmanager
    async def opens(_chance: random.Random) -> AsyncGenerator[Saver]:
        connection = connected(folder / "run.sqlite")
        opened.append(saver(connection))
        opened[-1].process = len(opened) - 1
        yield opened[-1]
        connection.close()

    witness = await disturbed(case, folder, opens, random.Random(1), [Moment(30)], gated=gated)
    found = violations(witness.history(rules_of(case), await expected_of(case)))
    return {one.code for one in found}, told(found)


@pytest.mark.parametrize("case", [CASE, REFUSING], ids=["approved", "refused"])
async def test_nothing_is_found_where_nothing_is_broken(case: Case, tmp_path: Path) -> None:
    assert (await found_in(BrokenSaver, tmp_path, case=case))[1] == ""


@pytest.mark.parametrize(
    ("saver", "code"),
    [
        (DropsOutcomes, "unrecorded"),
        (LosesOutcomes, "lost"),
        (LosesOutcomes, "again"),
        (ChangesOutcomes, "lost"),
        (ForgetsAnswers, "forgotten"),
        (ForgetsAnswers, "asked_again"),
        (SwapsAnswers, "misheard"),
        (LosesQuestions, "unended"),
    ],
)
async def test_what_a_broken_store_does_is_found(saver: type[BrokenSaver], code: str, tmp_path: Path) -> None:
    codes, said = await found_in(saver, tmp_path)
    assert code in codes, said


async def test_a_no_that_becomes_a_yes_is_found(tmp_path: Path) -> None:
    codes, said = await found_in(ApprovesAll, tmp_path, case=REFUSING)
    assert {"rejected", "ungated", "differs"} <= codes, said


async def test_an_engine_that_goes_past_the_gates_is_found(tmp_path: Path) -> None:
    codes, said = await found_in(BrokenSaver, tmp_path, gated=False)
    assert "ungated" in codes, said
