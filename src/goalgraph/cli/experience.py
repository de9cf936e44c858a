"""What the runs that are kept in folders tell of specialists, for estimates of the next one."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from goalgraph.cli.endings import BadInput
from goalgraph.cli.folders import RUNS
from goalgraph.cli.records import RunRecord, read_record
from goalgraph.planner.history import History
from goalgraph.planner.outcome import Outcome

__all__ = ["history_of_runs"]

_MOST_RUNS = 50
_OF_PLANS = ("planning", "revision", "escalation")
"""Decisions that no step has waited for while it was at work."""


def history_of_runs(folder: Path = RUNS) -> History:
    """Take what the newest runs in a folder tell; a run that cannot be read tells nothing.

    Args:
        folder: Of folders with a ``run.json`` each; it need not be there.
    """
    history = History()
    for record in reversed(list(_newest(folder))):
        history += History.of(_outcomes(record))
    return history


def _newest(folder: Path) -> Iterator[RunRecord]:
    """Read the last runs, the newest first; their folders are named after the time."""
    found: list[Path] = []
    with suppress(OSError):
        found = sorted(folder.glob("*/run.json"), reverse=True)
    for path in found[:_MOST_RUNS]:
        with suppress(BadInput):
            yield read_record(path)


def _outcomes(record: RunRecord) -> Iterator[Outcome]:
    """Return what is kept of the outcomes; runs of an earlier version, which do not tell tokens, tell nothing."""
    decided = {one.subject: one for one in record.decisions if one.subject and one.kind not in _OF_PLANS}
    for step in record.steps:
        if step.status != "waiting" and step.usage is not None:
            yield Outcome(
                step=step.id,
                status=step.status,
                specialist=step.specialist,
                attempts=step.attempts,
                usage=step.usage,
                seconds=step.seconds,
                decisions=(decided[step.id],) if step.id in decided else (),
            )
