"""Rows that are damaged, poisoned, or of another version: found out before anything is executed, and left alone."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import ormsgpack
import psycopg
import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt
from tests.checkpointers import opened

from goalgraph import Outcome, Plan, PlanAgent, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.errors import CorruptRun
from goalgraph.graph.storage.stored import check_outcomes

CONFIG: Any = {"configurable": {"thread_id": "t-1"}}
PLAN = {
    "steps": [
        {"id": "first", "task": "t", "agent": "worker"},
        {"id": "ask", "task": "t", "agent": "asks", "depends_on": ["first"]},
        {
            "id": "each",
            "type": "map",
            "over": [1, 2],
            "depends_on": ["first"],
            "step": {"id": "item", "task": "t", "agent": "asks_second"},
        },
        {"id": "last", "task": "t", "agent": "worker", "depends_on": ["ask", "each"]},
    ]
}
SERDE = JsonPlusSerializer(allowed_msgpack_modules=True)


def agent_of(saver: BaseCheckpointSaver[Any], ledger: list[str]) -> PlanAgent:
    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        ledger.append(task.step)
        return task.step

    @specialist
    async def asks(task: StepTask, context: StepContext) -> str:
        ledger.append(task.step)
        return str(interrupt("go on?"))

    @specialist
    async def asks_second(task: StepTask, context: StepContext) -> str:
        ledger.append(task.step)
        return "" if "[0]" in task.step else str(interrupt("and this?"))

    return create_plan_agent(None, [worker, asks, asks_second], checkpointer=saver)


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """The file of a run that waits twice, once in a map; and the id of one of its interrupts."""
    file = tmp_path_factory.mktemp("paused") / "run.sqlite"
    with SqliteSaver.from_conn_string(str(file)) as saver:
        asked = agent_of(saver, []).invoke({"goal": "g", "plan": PLAN, "inputs": {"x": 1}}, CONFIG)["__interrupt__"]
        assert sorted(one.value for one in asked) == ["and this?", "go on?"]
    return file.read_bytes(), asked[0].id


Damage = Callable[[sqlite3.Connection], object]
LATEST = "rowid = (SELECT rowid FROM checkpoints ORDER BY checkpoint_id DESC LIMIT 1)"


def packed(*parts: object, code: int = 5) -> ormsgpack.Ext:
    return ormsgpack.Ext(code, ormsgpack.packb(parts))


def blob(text: bytes) -> Damage:
    return lambda run: run.execute(f"UPDATE checkpoints SET checkpoint = ? WHERE {LATEST}", (text,))


def cut(share: float) -> Damage:
    def damage(run: sqlite3.Connection) -> None:
        (whole,) = run.execute(f"SELECT checkpoint FROM checkpoints WHERE {LATEST}").fetchone()
        blob(whole[: int(len(whole) * share)])(run)

    return damage


def column(name: str, value: object) -> Damage:
    return lambda run: run.execute(f"UPDATE checkpoints SET {name} = ? WHERE {LATEST}", (value,))


def checkpoint(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change what the latest checkpoint says."""

    def damage(run: sqlite3.Connection) -> None:
        (whole,) = run.execute(f"SELECT checkpoint FROM checkpoints WHERE {LATEST}").fetchone()
        said = ormsgpack.unpackb(whole, ext_hook=lambda code, data: ormsgpack.Ext(code, data))
        change(said)
        blob(ormsgpack.packb(said))(run)

    return damage


def channel(name: str, value: object) -> Damage:
    return checkpoint(lambda said: said["channel_values"].__setitem__(name, value))


def plan(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change the plan's own fields."""

    def damage(run: sqlite3.Connection) -> None:
        (whole,) = run.execute(f"SELECT checkpoint FROM checkpoints WHERE {LATEST}").fetchone()
        said = cast("Plan", SERDE.loads_typed(("msgpack", whole))["channel_values"]["plan"]).model_dump()
        change(said)
        channel("plan", packed("goalgraph.planner.plan", "Plan", said, "model_validate_json"))(run)

    return damage


def write(name: str, value: object, *, containing: str = "") -> Damage:
    """Replace what a task has written: a value, or bytes as they are."""

    def damage(run: sqlite3.Connection) -> None:
        rows = run.execute("SELECT rowid, value FROM writes WHERE channel = ? ORDER BY rowid DESC", (name,))
        row = next(row for row, stored in rows if containing.encode() in stored)
        said = value if isinstance(value, bytes) else ormsgpack.packb(value)
        run.execute("UPDATE writes SET value = ? WHERE rowid = ?", (said, row))

    return damage


def outcome(**fields: object) -> ormsgpack.Ext:
    said = {**Outcome(step="first", status="succeeded", output="forged").model_dump(), **fields}
    return packed("goalgraph.planner.outcome", "Outcome", said, "model_validate_json")


def harm(folder: Path) -> ormsgpack.Ext:
    return packed("os", "system", f"touch {folder}/harm", code=0)


DAMAGES: Mapping[str, tuple[Damage, str]] = {
    "cut to a half": (cut(0.5), "reading it raised"),
    "cut to nothing": (cut(0), "reading it raised"),
    "random bytes": (blob(bytes(range(255, 0, -1))), "not have the form of a checkpoint"),
    "no blob": (column("checkpoint", None), "reading it raised ValueError"),
    "unknown serializer": (column("type", "nonsense"), "Unknown serialization type: nonsense"),
    "pickle": (column("type", "pickle"), "Unknown serialization type: pickle"),
    "a list": (blob(ormsgpack.packb([1])), "not have the form of a checkpoint"),
    "an empty object": (blob(ormsgpack.packb({})), "not have the form of a checkpoint"),
    "another id": (checkpoint(lambda said: said.update(id="x")), "it is checkpoint 'x'"),
    "metadata that is no JSON": (column("metadata", b"{"), "reading it raised JSONDecodeError"),
    "metadata without a step": (column("metadata", b"{}"), "its metadata names no step"),
    "a poisoned plan": (lambda run: channel("plan", harm(folder_of(run)))(run), "'plan' cannot be used"),
    "a poisoned goal": (lambda run: channel("goal", {"x": harm(folder_of(run))})(run), "'goal' cannot be used"),
    "a poisoned outcome": (lambda run: write("outcomes", {"first": harm(folder_of(run))})(run), "'outcomes'"),
    "a plan that is plain data": (channel("plan", {"steps": []}), "'plan' cannot be used"),
    "a plan without validation": (plan(lambda said: said["steps"][0].update(id="no id")), "'plan'.*steps.0.*id"),
    "an unknown type of step": (plan(lambda said: said["steps"][0].update(type="shell")), "'plan'.*steps.0"),
    "an unknown field of a step": (plan(lambda said: said["steps"][0].update(command="x")), "'plan'.*command"),
    "a plan without the field": (plan(lambda said: said["steps"][0].pop("id")), "'plan'.*steps.0"),
    "an outcome cut": (write("outcomes", b"\x81\xa5firs"), "reading it raised ValueError"),
    "an outcome of another step": (write("outcomes", {"ask": outcome()}), "'outcomes'.*under step 'ask'.*'first'"),
    "an outcome that is plain data": (
        write("outcomes", {"first": {"step": "first", "status": "succeeded"}}),
        "'outcomes'",
    ),
    "an unknown status": (write("outcomes", {"first": outcome(status="great")}), "'outcomes'.*status"),
    "an unknown field of an outcome": (
        write("outcomes", {"first": outcome(mood=1)}),
        "'outcomes'.*not what its own",
    ),
    "outcomes in a list": (write("outcomes", [outcome()]), "reading it raised ValueError"),
    "inputs in a list": (channel("inputs", [1]), "'inputs'.*dict"),
    "a goal that is a number": (channel("goal", 1), "'goal'.*str"),
    "a start at no time": (channel("started_at", "yesterday"), "'started_at'.*yesterday"),
    "usage of no kind": (channel("usage", {"calls": 1}), "'usage'"),
    "a message that is plain data": (channel("messages", [{"content": "x"}]), "'messages'"),
    "a start of no task": (channel("__pregel_tasks", [{"node": "worker"}]), "expected the start of a task"),
    "a start of an unknown step": (
        channel("__pregel_tasks", [packed("langgraph.types", "Send", ("worker", {"step": "no"}), code=1)]),
        "the start of a step of the plan, found str 'no'",
    ),
    "a question of no kind": (write("__interrupt__", [{"value": "go on?"}]), "expected an interrupt, found dict"),
    "an item that is plain data": (
        write("__return__", [{"step": "each[0]", "status": "succeeded"}]),
        "'__return__' cannot be used",
    ),
    "an item without validation": (write("__return__", [outcome(status="great")]), "'__return__'.*status"),
}


def folder_of(run: sqlite3.Connection) -> Path:
    return Path(run.execute("PRAGMA database_list").fetchone()[2]).parent


@pytest.fixture(params=["sqlite", "async sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def content(file: Path) -> Iterator[str]:
    run = sqlite3.connect(file)
    yield from run.iterdump()
    run.close()


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_is_damaged_is_a_corrupt_run_and_nothing_is_executed(
    damage: str, kind: str, paused: tuple[bytes, str], tmp_path: Path
) -> None:
    file = tmp_path / "run.sqlite"
    file.write_bytes(paused[0])
    run = sqlite3.connect(file)
    do, said = DAMAGES[damage]
    do(run)
    run.commit()
    run.close()
    before, ledger = [*content(file)], list[str]()
    async with opened(kind, tmp_path, str) as saver:
        agent = agent_of(saver, ledger)
        answered: Any = Command(resume={paused[1]: "yes"})
        for given in (None, answered, {"goal": "another", "plan": PLAN}):
            with pytest.raises(CorruptRun, match=f"(?s)thread 't-1'.*{said}.*; restore the checkpoints from"):
                await agent.ainvoke(given, CONFIG)
    assert ledger == []
    assert not (tmp_path / "harm").exists()
    assert [*content(file)] == before


@pytest.mark.parametrize("given", [None, {"goal": "g", "plan": PLAN}], ids=["resumed", "begun"])
@pytest.mark.parametrize("harmed", ["not a database", "overwritten"])
async def test_a_file_that_is_no_database_is_a_corrupt_run_and_stays_as_it_is(
    harmed: str, given: object, kind: str, paused: tuple[bytes, str], tmp_path: Path
) -> None:
    file = tmp_path / "run.sqlite"
    whole = paused[0]
    file.write_bytes(
        b"not a database, but text " * 400 if harmed == "not a database" else whole[:4096] + b"\xff" * 40_000
    )
    before, ledger = file.read_bytes(), list[str]()
    async with opened(kind, tmp_path, str) as saver:
        with pytest.raises(CorruptRun, match=r"file is not a database|database disk image is malformed"):
            await agent_of(saver, ledger).ainvoke(given, CONFIG)
    assert ledger == []
    assert file.read_bytes() == before


async def test_what_is_whole_goes_on(kind: str, paused: tuple[bytes, str], tmp_path: Path) -> None:
    (tmp_path / "run.sqlite").write_bytes(paused[0])
    ledger = list[str]()
    async with opened(kind, tmp_path, str) as saver:
        agent = agent_of(saver, ledger)
        asked = (await agent.aget_state(CONFIG)).interrupts
        done = await agent.ainvoke(Command(resume={one.id: "yes" for one in asked}), CONFIG)
    assert done["status"] == "complete"
    assert sorted(set(ledger)) == ["ask", "each[1]", "last"]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("checkpoint_blobs", "blob = substr(blob, 1, 9) WHERE channel = 'plan'"),
        ("checkpoint_blobs", "blob = '\\x80', type = 'msgpack' WHERE channel = 'plan'"),
        ("checkpoint_blobs", "type = 'nonsense' WHERE channel = 'plan'"),
        ("checkpoint_writes", "blob = substr(blob, 1, 9) WHERE channel = 'outcomes'"),
        ("checkpoints", "checkpoint = '[]'"),
        ("checkpoints", "checkpoint = checkpoint - 'channel_versions'"),
        ("checkpoints", "metadata = '{}'"),
    ],
)
async def test_damage_on_postgresql_is_found_too(table: str, change: str, tmp_path: Path, postgres: str) -> None:
    ledger: list[str] = []
    async with opened("async postgres", tmp_path, lambda: postgres) as saver:
        agent = agent_of(saver, ledger)
        await agent.ainvoke({"goal": "g", "plan": PLAN}, CONFIG)
        ledger.clear()
        with psycopg.connect(postgres) as run:
            assert run.execute(f"UPDATE {table} SET {change}".encode()).rowcount
        with pytest.raises(CorruptRun, match="thread 't-1'"):
            await agent.ainvoke(None, CONFIG)
    assert ledger == []


def test_the_outcomes_of_a_call_are_those_of_its_step() -> None:
    good = Outcome(step="a", status="succeeded")
    item = Outcome(step="b", status="failed")
    assert check_outcomes([good, item], "a", thread="t") == (good, item)
    for bad in ([item, good], [], None, [{"step": "a"}], [Outcome.model_construct(step="a", status="great")]):  # type: ignore[arg-type]
        with pytest.raises(CorruptRun, match="__return__"):
            check_outcomes(bad, "a", thread="t")
