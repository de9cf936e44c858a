"""How a run is halted by a step that says that it makes no sense to go on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from goalgraph.graph.coordination.consequences import halting_reason
from goalgraph.graph.revision.triggers import halting
from goalgraph.planner.outcome import Outcome

if TYPE_CHECKING:
    from goalgraph.graph.run import Run
    from goalgraph.graph.work import Work

__all__ = ["begin_halted", "halt"]


def begin_halted(run: "Run", work: "Work", outcomes: Mapping[str, Outcome]) -> None:
    """Let nothing begin where something recorded halts the run; what goes on from a superstep before does go on.

    Args:
        run: About to begin, or to go on.
        work: What it is about to do.
        outcomes: Recorded so far.
    """
    if blockers := _halting(run, work, outcomes):
        run.is_halted = True
        ids = [one for one in work.board.index.steps if one not in run.ongoing]
        work.board.stop(halting_reason(outcomes, blockers), ids)


def halt(outcome: Outcome, work: "Work", run: "Run") -> None:
    """Let nothing new begin, if an outcome halts the run; what is at work goes on to its end."""
    known = {**work.board.outcomes, outcome.step: outcome}
    if outcome.step in _halting(run, work, known):
        run.is_halted = True
        work.board.halt(halting_reason(known, [outcome.step]))


def _halting(run: "Run", work: "Work", outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    policy, least = (run.rules.policy, run.rules.min_confidence) if run.rules is not None else (None, None)
    return halting(work.board.index.steps, outcomes, policy, inputs=work.inputs, min_confidence=least)
