"""Kills a run at every one of its writes, each time in a process of its own, and goes on with it in another.

    python -m tests.faults.kill_everywhere FOLDER (connection|saver|async) [FIRST STEP]

The processes are forked from this one, which has loaded everything and started no thread: so hundreds are cheap. Prints
a line of JSON for each kill, with the promises that were not kept.
"""

import asyncio
import gc
import json
import os
import random
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, cast

from langgraph.checkpoint.sqlite import SqliteSaver
from tests.faults.bombs import Bomb, MinedAsyncSaver, MinedSaver, mined_connection
from tests.faults.checker import violations
from tests.faults.life import expected_of
from tests.faults.plans import Case, Document, flat_steps, rules_of
from tests.faults.stores import UNFLUSHED, Saver, connected
from tests.faults.witness import Witness
from tests.faults.worker import process

__all__ = ["CASE"]

STEPS: list[Document] = [
    {"id": "read", "agent": "worker"},
    {"id": "publish", "agent": "worker", "depends_on": ["read"]},
    {"id": "each", "type": "map", "over": [1, 2], "step": {"id": "one", "agent": "careful"}, "depends_on": ["read"]},
    {"id": "okay", "type": "human_approval", "prompt": "Go on?"},
    {"id": "after", "agent": "worker", "input": {"of": "{{ steps.okay.output }}"}},
    {"id": "raw", "agent": "asker"},
    {"id": "twice", "agent": "inquirer", "input": {"questions": 2}, "depends_on": ["read"]},
    {"id": "sum", "type": "transform", "output": "{{ steps.each.output | length }}"},
    {"id": "pause", "type": "wait", "duration": "3ms", "depends_on": ["read"]},
    {"id": "last", "agent": "worker", "depends_on": ["publish", "after", "raw", "twice", "sum", "pause"]},
]
CASE = Case(seed=4, plan={"inputs": {}, "steps": STEPS}, gates=("publish", "careful"))
Way = Literal["connection", "saver", "async"]
WHEN: tuple[Literal["before", "after"], ...] = ("before", "after")


@asynccontextmanager
async def mined(way: Way, database: Path, bomb: Bomb) -> AsyncGenerator[Saver]:
    """Open a database whose writes count."""
    if way == "async":
        async with MinedAsyncSaver.from_conn_string(str(database)) as saver:
            await saver.conn.execute(UNFLUSHED)
            saver.bomb = bomb  # type: ignore[attr-defined]
            yield saver
    elif way == "saver":
        yield MinedSaver(connected(database), bomb)
    else:
        yield SqliteSaver(mined_connection(database, bomb))


async def _run(way: Way, folder: Path, bomb: Bomb) -> None:
    async with mined(way, folder / "run.sqlite", bomb) as saver:
        await process(CASE, saver, folder, random.Random(1), is_sync=way == "saver")
    (folder / "count").write_text(str(bomb.count))


def _forked(work: Callable[[], Awaitable[None]]) -> int:
    """Do something in a process of its own; what it ended with, negative for a signal."""
    if threading.active_count() > 1:
        raise AssertionError("a process with threads cannot be forked")
    child = os.fork()
    if not child:
        status = 1
        try:
            asyncio.run(_in_time(work()))
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


async def _in_time(work: Awaitable[None]) -> None:
    async with asyncio.timeout(30):
        await work


def main() -> None:
    """See the module."""
    folder, way = Path(sys.argv[1]), cast("Way", sys.argv[2])
    first, step = (int(sys.argv[3]), int(sys.argv[4])) if len(sys.argv) > 3 else (1, 1)
    if way not in ("connection", "saver", "async"):
        raise SystemExit(__doc__)
    expected = asyncio.run(expected_of(CASE))  # also loads what is loaded late
    gc.freeze()
    whole = folder / "whole"
    whole.mkdir()
    _must(_forked(partial(_run, way, whole, Bomb())), 0)
    count = int((whole / "count").read_text())
    rules = rules_of(CASE)
    print(json.dumps({"count": count, "steps": len(flat_steps(CASE))}), flush=True)  # noqa: T201
    for number in range(first, count + 1, step):
        for when in WHEN:
            place = folder / f"{number}-{when}"
            place.mkdir()
            status = _forked(partial(_run, way, place, Bomb(number, when)))
            if status != 0:  # the order of the writes is not quite the same each time, and there may be fewer
                _must(status, -signal.SIGKILL)
                _must(_forked(partial(_run, way, place, Bomb())), 0)
            found = violations(Witness(place).history(rules, expected))
            said = {"at": number, "when": when, "killed": status != 0, "found": list(map(str, found))}
            print(json.dumps(said), flush=True)  # noqa: T201


def _must(status: int, wanted: int) -> None:
    if status != wanted:
        raise SystemExit(f"a process ended with {status}, expected {wanted}")


if __name__ == "__main__":
    main()
