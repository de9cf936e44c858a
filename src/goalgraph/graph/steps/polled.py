"""Hooks that rule on several results for the same work: told of each further one, before it is recorded.

A ruling is on record once the end of the group is. Where the process ends before that, hooks are asked again, over the
results that are recorded.
"""

from goalgraph.graph.board.polls import dispensable, heads_of, standing
from goalgraph.graph.board.unrun import DECIDED
from goalgraph.graph.coordination.hooks import Hooks, Quorum, Ruling
from goalgraph.graph.coordination.polling import Poll, is_poll
from goalgraph.graph.run import Run
from goalgraph.graph.work import Work
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import ParallelStep

__all__ = ["polled", "reminded", "ruled"]


async def polled(outcome: Outcome, work: Work, run: Run) -> None:
    """Tell hooks of a voter that is done, and stop the others where one of them rules.

    Raises:
        HookFailed: A hook raised; the voter's outcome is not recorded then.
    """
    if run.hooks is None or outcome.status != "succeeded" or outcome.output is None:
        return
    for step in _groups_of(outcome.step, work):
        poll = work.polls.setdefault(step.id, Poll())
        poll.done[outcome.step] = outcome
        try:
            await _told(step, poll, work, run, run.hooks)
        except BaseException:
            del poll.done[outcome.step]
            raise


async def reminded(step_id: str, work: Work, run: Run) -> None:
    """Tell hooks of the results that are recorded, where a voter of the same group is still to come."""
    if run.hooks is None or step_id in work.board.outcomes:
        return
    for step in _groups_of(step_id, work):
        await _told(step, work.polls.setdefault(step.id, Poll()), work, run, run.hooks)


async def ruled(step: ParallelStep, work: Work, run: Run) -> tuple[Ruling, str] | None:
    """Return what a hook has decided of a group that is over, and its name; those that have not are asked once more."""
    if run.hooks is None or not run.hooks.has("quorum") or not is_poll(step, work.board.index):
        return None
    poll = work.polls.setdefault(step.id, Poll())
    if poll.ruling is None:
        poll.done.clear()  # what counts now is on record
        poll.told = 0
        await _told(step, poll, work, run, run.hooks)
    return poll.ruling


def _groups_of(step_id: str, work: Work) -> list[ParallelStep]:
    index = work.board.index
    found = [index.steps[after] for after in index.dependents[step_id]]
    return [one for one in found if one.type == "parallel" and step_id in heads_of(one) and is_poll(one, index)]


async def _told(step: ParallelStep, poll: Poll, work: Work, run: Run, hooks: Hooks) -> None:
    board = work.board
    async with poll.lock:
        stand = standing(step, {**poll.done, **board.outcomes}, board.index)
        number = len(stand.ballots)
        if poll.ruling is not None or number <= poll.told:
            return
        poll.told = number
        told = Quorum(run=run.id, step=step.id, ballots=stand.ballots, waiting=stand.waiting)
        poll.ruling = await hooks.ruling("quorum", told, number=number)
        if poll.ruling is not None and stand.waiting:
            left = dispensable(board.index.group(step), board.index)
            board.stop(DECIDED, [one for one in left if one not in poll.done])
