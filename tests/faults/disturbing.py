"""Disturbing a run inside of the test's process: cancelled, or cut off from its database, and begun anew from there."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from langgraph.runtime import RunControl
from tests.faults.crew import agent_for
from tests.faults.ledger import Ledger
from tests.faults.life import Caller, live
from tests.faults.plans import Case
from tests.faults.stores import CutSaver, Opened, Saver
from tests.faults.witness import Witness

__all__ = ["Moment", "Outage", "disturbed"]

_SECONDS = 40.0
"""In which a run that nobody disturbs any more must have ended."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a process is stopped."""

    lines: int
    """After so many lines of its ledger."""
    pause: float = 0.0
    """And so many seconds."""
    writes: int | None = None
    """Or, with a `CutSaver`, after so many writes."""
    is_asked: bool = False
    """Whether it is asked to end, and finishes what is at work."""

    @staticmethod
    def several(chance: random.Random) -> "tuple[Moment, ...]":
        """Make some up."""
        lines = [0, 1, 2, 5, 10, 20, 30]
        pauses = [0.0, 0.002, 0.01]
        return tuple(
            Moment(chance.choice(lines), chance.random() * chance.choice(pauses), is_asked=chance.random() < 0.2)
            for _ in range(chance.randint(1, 5))
        )


@dataclass(frozen=True, slots=True)
class Outage:
    """Something that happens to a database."""

    begins: Callable[[], None]
    """Blocks until it is over."""
    error: type[Exception]
    """What drivers raise then."""


async def disturbed(
    case: Case,
    folder: Path,
    opened: Opened,
    chance: random.Random,
    moments: Sequence[Moment],
    *,
    gated: bool = True,
    outage: Outage | None = None,
) -> Witness:
    """Run a plan that is stopped several times, until it has ended.

    Args:
        case: The plan.
        folder: For its notes.
        opened: Opens its database.
        chance: Of the answers.
        moments: When it is stopped.
        gated: Whether its policy is heeded.
        outage: What stops it; absent: it is cancelled, or cut off where its saver is a `CutSaver`.

    Returns:
        Who has seen it all.
    """
    witness = Witness(folder)
    for moment in (*moments, None):
        ledger = witness.open_ledger()
        try:
            async with opened(chance) as saver:
                agent = agent_for(case, saver, ledger, gated=gated)
                control = RunControl() if moment is not None and moment.is_asked else None
                life = asyncio.create_task(live(Caller(agent, control=control), case, ledger, witness, chance))
                if moment is None:
                    await _undisturbed(life)
                elif outage is not None:
                    ledger.at = (moment.lines, outage.begins)
                    with suppress(outage.error):
                        await _undisturbed(life)
                else:
                    await _stopped(life, saver, ledger, moment, control)
                    await agent.aget_state({"configurable": {"thread_id": "another"}})  # what was on its way is there
        finally:
            ledger.close()
        if witness.is_over:
            break
    return witness


async def _stopped(
    life: "asyncio.Task[None]", saver: Saver, ledger: Ledger, moment: Moment, control: RunControl | None
) -> None:
    """Stop it soon, in one way or another."""
    if isinstance(saver, CutSaver):
        saver.wire.left = moment.writes
    while moment.writes is None and ledger.written < moment.lines and not life.done():
        await asyncio.sleep(0.001)
    await asyncio.sleep(moment.pause)
    if control is not None:
        control.request_drain("the machine goes down")
        await _undisturbed(life)
    elif isinstance(saver, CutSaver):
        saver.wire.is_cut = moment.writes is None
        with suppress(sqlite3.OperationalError):
            await _undisturbed(life)
    else:
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life


async def _undisturbed(life: "asyncio.Task[None]") -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await life
