"""Groups whose branches vote: who has voted, when the rest is of no more use, and whom that lets stop; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from goalgraph.graph.board.index import Group, PlanIndex
from goalgraph.graph.coordination.ballots import Ballot
from goalgraph.graph.coordination.voting import Tally, counted, decided
from goalgraph.planner.outcome import Outcome, was_decided
from goalgraph.planner.plan import ParallelStep
from goalgraph.planner.votes import Vote

__all__ = ["Standing", "closes", "dispensable", "heads_of", "standing", "tallied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A vote, as far as it has come."""

    ballots: tuple[Ballot, ...]
    """In plan order."""
    without: tuple[str, ...]
    """Voters who are done, cast no ballot, and could have; not those whose condition left them out, and not optional
    ones."""
    waiting: tuple[str, ...]
    """Voters who are not done."""
    is_cut: bool
    """Whether voters were stopped because the vote was decided."""


def heads_of(step: ParallelStep) -> tuple[str, ...]:
    """Ids of the last steps of a group's branches, in plan order."""
    return tuple(str(branch[-1] if isinstance(branch, tuple) else branch) for branch in step.branches)


def standing(step: ParallelStep, outcomes: Mapping[str, Outcome], index: PlanIndex) -> Standing:
    """Say who of a group has voted how.

    Args:
        step: The group; of a flat plan.
        outcomes: Known so far.
        index: The plan.
    """
    ballots: list[Ballot] = []
    without: list[str] = []
    waiting: list[str] = []
    is_cut = False
    for head in heads_of(step):
        voter, outcome = head.removeprefix(f"{step.id}."), outcomes.get(head)
        if outcome is None:
            waiting.append(voter)
        elif outcome.status == "succeeded" and outcome.output is not None:
            ballots.append(Ballot(voter=voter, output=outcome.output, confidence=outcome.confidence))
        elif outcome.status != "skipped" and head not in index.optional:
            without.append(voter)
            is_cut = is_cut or was_decided(outcome)
    return Standing(ballots=tuple(ballots), without=tuple(without), waiting=tuple(waiting), is_cut=is_cut)


def tallied(step: ParallelStep, stand: Standing) -> Tally:
    """Count a vote that is over."""
    vote = step.vote or Vote()
    return counted(vote, step.quorum, stand.ballots, len(stand.without), is_cut=stand.is_cut)


def closes(group: Group, outcomes: Mapping[str, Outcome], index: PlanIndex) -> bool:
    """Whether voters are at work who can change nothing any more."""
    if (step := group.poll) is None:
        return False
    stand = standing(step, outcomes, index)
    if not stand.waiting:
        return False
    vote = step.vote or Vote()
    return decided(vote, step.quorum, stand.ballots, len(stand.without), len(stand.waiting)) is not None


def dispensable(group: Group, index: PlanIndex) -> list[str]:
    """Steps of a group that nobody else waits for, in topological order."""
    left = set(group.members)
    kept = [one for one in left if not left.issuperset({*index.dependents[one]} - {group.id})]
    while kept:
        one = kept.pop()
        if one in left:
            left.remove(one)
            kept += index.awaited(one)
    return sorted(left, key=index.positions.__getitem__)
