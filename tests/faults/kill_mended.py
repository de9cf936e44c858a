"""Kills a run whose plan is changed, and that asks, at every one of its writes, and goes on with it in another process.

    python -m tests.faults.kill_mended FOLDER [FIRST STEP]

Prints a line of JSON for each kill, with the promises that were not kept.
"""

import asyncio
import gc
import json
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.faults.bombs import Bomb, MinedSaver
from tests.faults.kill_everywhere import WHEN
from tests.faults.ledger import Ledger
from tests.faults.mended import Mended, Notes, agent_for, live
from tests.faults.mended_checks import broken
from tests.faults.stores import connected

from goalgraph import AgentStep, HumanApprovalStep, MapStep, Plan

__all__ = ["CASE"]

PLAN = Plan(
    steps=(
        AgentStep(id="read", agent="worker", task="read"),
        AgentStep(id="fetch", agent="worker", task="fetch", depends_on=("read",)),
        MapStep(id="each", over=[1, 2], step=AgentStep(id="one", agent="worker", task="one", input={"ms": 6})),
        HumanApprovalStep(id="okay", prompt="Go on?"),
        AgentStep(id="publish", agent="careful", task="publish", depends_on=("okay",)),
        AgentStep(id="slow", agent="worker", task="slow", input={"ms": 12}),
        AgentStep(id="use", agent="worker", task="use", depends_on=("fetch", "each", "slow")),
    )
)
CASE = Mended(plan=PLAN, failing={"fetch": "first", "use": "other"}, max_revisions=1)


async def _run(folder: Path, bomb: Bomb) -> None:
    notes = Notes(folder)
    ledger = Ledger(notes.ledger)
    agent = agent_for(CASE, MinedSaver(connected(folder / "run.sqlite"), bomb), ledger)
    async with asyncio.timeout(30):
        await live(CASE, agent, ledger, notes, random.Random(1))
    (folder / "count").write_text(str(bomb.count))


def _forked(work: Callable[[], Awaitable[None]]) -> int:
    child = os.fork()
    if not child:
        status = 1
        try:
            asyncio.run(work())  # type: ignore[arg-type]
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """See the module."""
    folder = Path(sys.argv[1])
    first, step = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 2 else (1, 1)
    gc.freeze()
    whole = folder / "whole"
    whole.mkdir()
    _must(_forked(partial(_run, whole, Bomb())), 0)
    count = int((whole / "count").read_text())
    print(json.dumps({"count": count, "found": broken(CASE, Notes(whole))}), flush=True)  # noqa: T201
    for number in range(first, count + 1, step):
        for when in WHEN:
            place = folder / f"{number}-{when}"
            place.mkdir()
            status = _forked(partial(_run, place, Bomb(number, when)))
            if status != 0:
                _must(status, -signal.SIGKILL)
                _must(_forked(partial(_run, place, Bomb())), 0)
            said = {"at": number, "when": when, "killed": status != 0, "found": broken(CASE, Notes(place))}
            print(json.dumps(said), flush=True)  # noqa: T201


def _must(status: int, wanted: int) -> None:
    if status != wanted:
        raise SystemExit(f"a process ended with {status}, expected {wanted}")


if __name__ == "__main__":
    main()
