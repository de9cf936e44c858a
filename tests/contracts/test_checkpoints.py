"""What is stored stays readable: runs of earlier versions, begun, killed and paused, can be gone on with."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import ormsgpack
import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.contracts.make_checkpoints import CONFIG, FOLDER, GOLDEN, agent_of

from goalgraph import PlanAgent, answer, pending
from goalgraph.graph.state import PlanState
from goalgraph.graph.storage.savers import STORED_TYPES

STORED = {
    "goalgraph.planner.decision.Decision",
    "goalgraph.planner.outcome.Outcome",
    "goalgraph.planner.outcome.Usage",
    "goalgraph.planner.plan.Plan",
    "goalgraph.planner.reviewed.PlanInReview",
    "goalgraph.planner.run_metrics.RunMetrics",
    "goalgraph.planner.source.Source",
    "goalgraph.planner.signalled.Signal",
}
"""A class that is moved, or renamed, comes back from old databases as plain data: its old place must go on to work."""
CHANNELS = {
    "answer",
    "assigned",
    "carried",
    "decisions",
    "degraded",
    "goal",
    "inputs",
    "messages",
    "metrics",
    "outcomes",
    "plan",
    "review",
    "sources",
    "signals",
    "spent",
    "started_at",
    "status",
    "structured_response",
    "usage",
}
"""A channel that is renamed is empty in runs of before."""
ANSWER = (
    "read succeeded, count succeeded, weak succeeded, broken failed, fork succeeded, yes succeeded, no skipped, "
    "both.when succeeded, both.left succeeded, both.right succeeded, both.more succeeded, both succeeded, "
    "each succeeded, {}last succeeded"
)

Open = Callable[[str], PlanAgent]


@pytest.fixture
def ledger() -> list[str]:
    return []


@pytest.fixture
def opened(tmp_path: Path, ledger: list[str]) -> Iterator[Open]:
    """Opens a copy of one of the databases."""
    savers: list[SqliteSaver] = []

    def agent(name: str) -> PlanAgent:
        shutil.copy(FOLDER / f"{name}.sqlite", tmp_path)
        connection = sqlite3.connect(tmp_path / f"{name}.sqlite", check_same_thread=False)
        savers.append(SqliteSaver(connection))
        return agent_of(savers[-1], ledger.append, is_reviewed=name == "in-review")

    yield agent
    for saver in savers:
        saver.conn.close()


def test_a_finished_run_stays_finished_and_its_thread_takes_another_goal(opened: Open, ledger: list[str]) -> None:
    agent = opened("finished")
    done = agent.invoke(None, CONFIG)
    assert done["answer"] == ANSWER.format("")
    assert done["degraded"] == ["step 'broken' failed: ValueError: it is broken"]
    assert done["outcomes"]["each"].output == [{"after": [], "text": "item 1"}, {"after": [], "text": "item 2"}]
    assert ledger == []
    plan = {"steps": [{"id": "new", "task": "t", "agent": "worker"}]}
    assert agent.invoke({"goal": "another", "plan": plan}, CONFIG)["answer"] == "new succeeded"
    assert ledger == ["new"]


def test_a_run_that_was_killed_goes_on_where_it_was(opened: Open, ledger: list[str]) -> None:
    done = opened("killed").invoke(None, CONFIG)
    assert done["answer"] == ANSWER.format("")
    assert {"each[1]", "last"} <= set(ledger)
    assert not {"read", "weak", "broken", "yes", "each[0]"} & set(ledger)


def test_a_run_that_waits_for_humans_takes_their_answers(opened: Open, ledger: list[str]) -> None:
    agent = opened("paused")
    asked = {request.step: request for request in pending(agent, CONFIG)}
    assert [(one.kind, one.prompt, one.assignee) for one in asked.values()] == [
        ("approval", 'Go on after {"text": "read the book", "after": []}?', "ann"),
        ("input", "Who for 1?", None),
        ("input", "Who for 2?", None),
    ]
    waits = answer(agent, CONFIG, {asked["gates[1]"].id: {"name": "eve"}})
    assert len(waits["__interrupt__"]) == 2
    done = answer(agent, CONFIG, {asked["ask"].id: True, asked["gates[0]"].id: {"name": "bob"}}, by="ann")
    assert done["answer"] == ANSWER.format("ask succeeded, gates succeeded, ")
    assert done["outcomes"]["gates"].output == [{"name": "bob"}, {"name": "eve"}]
    assert ledger == ["last"]


def test_a_run_whose_plan_waits_for_its_review_takes_the_decision(opened: Open, ledger: list[str]) -> None:
    agent = opened("in-review")
    (request,) = pending(agent, CONFIG)
    assert request.kind == "plan"
    assert ledger == []
    assert answer(agent, CONFIG, {request.id: True})["answer"] == ANSWER.format("")


def test_the_types_that_are_stored_are_these() -> None:
    assert {f"{one.__module__}.{one.__name__}" for one in STORED_TYPES} == STORED


def test_the_channels_are_these() -> None:
    assert set(PlanState.__annotations__) == CHANNELS


@pytest.mark.parametrize("name", GOLDEN)
def test_nothing_else_of_ours_is_in_the_databases(name: str) -> None:
    found: set[str] = set()

    def noted(code: int, data: bytes) -> None:
        match ormsgpack.unpackb(data, ext_hook=noted, option=ormsgpack.OPT_NON_STR_KEYS):
            case [str(module), str(name), *_]:
                found.add(f"{module}.{name}")
            case _:
                pass

    connection = sqlite3.connect(FOLDER / f"{name}.sqlite")
    for table, column in (("checkpoints", "checkpoint"), ("writes", "value")):
        for (data,) in connection.execute(f"SELECT {column} FROM {table} WHERE type = 'msgpack'"):
            ormsgpack.unpackb(data, ext_hook=noted, option=ormsgpack.OPT_NON_STR_KEYS)
    connection.close()
    ours = {one for one in found if one.startswith("goalgraph.")}
    assert {"goalgraph.planner.plan.Plan", "goalgraph.planner.outcome.Usage"} <= ours <= STORED
