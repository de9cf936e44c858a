"""The end of a group: what its branches come to together, by a hook's ruling, by their vote, or as they are."""

from functools import partial

from pydantic import JsonValue

from goalgraph.graph.board.polls import Standing, standing, tallied
from goalgraph.graph.coordination.hooks import Ruling
from goalgraph.graph.coordination.voting import Tally, shown, value_of
from goalgraph.graph.humans.asking import asked
from goalgraph.graph.humans.markdown import code
from goalgraph.graph.steps.gathering import gathered
from goalgraph.graph.steps.polled import ruled
from goalgraph.graph.steps.turn import Turn
from goalgraph.planner.decision import Decision
from goalgraph.planner.naming import free_id
from goalgraph.planner.outcome import Outcome, StepError, text_of
from goalgraph.planner.plan import ParallelStep
from goalgraph.planner.votes import Vote
from goalgraph.specialists.results import as_json

__all__ = ["concluded"]

_MOST_TOLD = 50
_MOST_ASKED = 600
"""Characters of a ballot that a human is shown."""


async def concluded(turn: Turn, step: ParallelStep) -> Outcome:
    """Judge a group whose branches are all over.

    Raises:
        GraphInterrupt: A human is to choose among the ballots, and has not yet.
        HookFailed: A hook raised.
        InvalidOutput: What a hook decided cannot be kept.
    """
    board = turn.board
    whole = gathered(step, board.outcomes, board.index.optional, board.expired.get(step.id))
    if step.on_failure == "fail_fast" and whole.status != "succeeded":
        return turn.timed(whole)
    if turn.run.hooks is not None and (ruling := await ruled(step, turn.work, turn.run)) is not None:
        return _by_ruling(turn, step, *ruling)
    if step.is_voted:
        return _by_vote(turn, step, whole)
    if step.output is not None and whole.status == "succeeded":
        whole = whole.model_copy(update={"output": as_json(turn.resolve(step.output))})
    return turn.timed(whole)


def _by_ruling(turn: Turn, step: ParallelStep, ruling: Ruling, hook: str) -> Outcome:
    stand = standing(step, turn.board.outcomes, turn.board.index)
    output = as_json(ruling.chosen)
    given = [one for one in stand.ballots if one.output == output]
    others = {shown(one.output): None for one in stand.ballots if one.output != output}
    _decide(
        turn,
        chosen=shown(output),
        alternatives=tuple(others)[:_MOST_TOLD],
        rationale=ruling.why,
        answer=_told(stand, None),
        by=hook,
    )
    known = [one.confidence for one in given if one.confidence is not None]
    return turn.timed(Outcome(step=step.id, status="succeeded", output=output, confidence=max(known, default=None)))


def _by_vote(turn: Turn, step: ParallelStep, whole: Outcome) -> Outcome:
    stand = standing(step, turn.board.outcomes, turn.board.index)
    if not stand.ballots and whole.status in ("skipped", "blocked", "cancelled"):
        return turn.timed(whole)
    vote, tally = step.vote or Vote(), tallied(step, stand)
    values = {key: shown(value_of(own[0].output, vote.field)) for key, own in tally.ballots.items()}
    why = _why(tally, stand, turn.board.expired.get(step.id))
    record = partial(_decide, turn, answer={"result": tally.result, **_told(stand, tally, vote)})
    others = tuple(shown_as for key, shown_as in values.items() if key != tally.value)[:_MOST_TOLD]
    if tally.chosen is not None and tally.value is not None:
        record(chosen=values[tally.value], alternatives=others, rationale=why, by="quorum")
        found = Outcome(step=step.id, status="succeeded", output=tally.chosen.output, confidence=tally.share)
        return turn.timed(found)
    if vote.otherwise == "ask" and stand.ballots:
        return _by_human(turn, step, stand, why, record)
    record(chosen=tally.result, alternatives=others, rationale=why, by="quorum")
    error = StepError(code="tie" if tally.result == "tie" else "no_quorum", message=why)
    return turn.timed(Outcome(step=step.id, status="failed", error=error))


def _by_human(turn: Turn, step: ParallelStep, stand: Standing, why: str, record: "partial[None]") -> Outcome:
    """Let a human choose a ballot, or none of them; what ballots say stays text."""
    voters = [one.voter for one in stand.ballots]
    none = free_id("none", voters)
    lines = [
        f"- {code(one.voter)} ({_sure(one.confidence)}): {code(text_of(one.output), _MOST_ASKED)}"
        for one in stand.ballots
    ]
    prompt = "\n".join(
        (f"The vote has no winner: {why}. Which ballot holds? Answer {code(none)} for none.", "", *lines)
    )
    answer = asked(turn, prompt, {"type": "string", "enum": [*voters, none]}, 0)
    last = turn.decisions[-1]
    others = tuple(one for one in voters if one != answer)
    record(chosen=str(answer), alternatives=others, rationale=last.rationale or why, by=last.by or "human")
    for one in stand.ballots:
        if one.voter == answer:
            found = Outcome(step=step.id, status="succeeded", output=one.output, confidence=one.confidence)
            return turn.timed(found)
    error = StepError(code="no_quorum", message=f"{why}; a human chose none of the ballots")
    return turn.timed(Outcome(step=step.id, status="failed", error=error))


def _decide(
    turn: Turn, *, chosen: str, alternatives: tuple[str, ...], rationale: str, answer: JsonValue, by: str
) -> None:
    turn.decided(
        Decision(
            kind="vote",
            subject=turn.step.id,
            chosen=chosen,
            alternatives=alternatives,
            rationale=rationale,
            answer=answer,
            by=by,
            at=turn.board.now().isoformat(),
        )
    )


def _told(stand: Standing, tally: Tally | None, vote: Vote | None = None) -> dict[str, JsonValue]:
    """Put a vote on record: who gave what, how sure, and who gave nothing."""
    field = vote.field if vote is not None else None
    ballots: dict[str, JsonValue] = {
        one.voter: {"value": shown(value_of(one.output, field)), "confidence": one.confidence}
        for one in stand.ballots[:_MOST_TOLD]
    }
    told: dict[str, JsonValue] = {"ballots": ballots, "without": [*stand.without[:_MOST_TOLD]]}
    if len(stand.ballots) > _MOST_TOLD:
        told["more"] = len(stand.ballots) - _MOST_TOLD
    if tally is not None:
        told["weights"] = {
            shown(value_of(own[0].output, field)): float(tally.weights[key])
            for key, own in list(tally.ballots.items())[:_MOST_TOLD]
        }
        told["total"] = float(tally.total)
    return told


def _why(tally: Tally, stand: Standing, expired: str | None) -> str:
    voters = len(stand.ballots) + len(stand.without)
    most = max(tally.weights.values(), default=None)
    if most is None:
        said = f"0 of {voters} voters gave a value"
    else:
        first = [key for key, weight in tally.weights.items() if weight == most]
        count = len(tally.ballots[tally.value if tally.value is not None else first[0]])
        many = f"{len(first)} values have" if len(first) > 1 else "the first value has"
        of = f"{float(most):g} of the weight of {float(tally.total):g}"
        said = (
            f"{count} of {voters} voters, {of}"
            if tally.value is not None
            else f"{many} {count} of {voters} voters, {of}{' each' if len(first) > 1 else ', below the quorum'}"
        )
    return f"{said} ({expired})" if expired is not None else said


def _sure(confidence: float | None) -> str:
    return "confidence unknown" if confidence is None else f"confidence {confidence:g}"
