"""What signals of specialists mean for a run, and which of them somebody has settled; pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from pydantic import JsonValue

from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.signalled import Signal, signals_of
from goalgraph.planner.signals import CONFLICT, ESCALATION, HANDOFF

__all__ = [
    "all_signals",
    "capped",
    "conflicts",
    "evidence_of",
    "halting_reason",
    "is_ruling",
    "resolved",
    "unanswered",
]

_MOST_KEPT = 2_000
_MAX_WHY = 300
_RULING = "instead_of"


def resolved(
    outcome: Outcome, *, decisions: Iterable[Decision] = (), followers: Iterable[Outcome] = ()
) -> frozenset[str]:
    """Return the names of the signals of an outcome that somebody has settled or taken up.

    They are conflicts that a hook has ruled about, escalations after which a hook has had the step done again, or a
    human has decided, and handoffs that somebody has taken over. An escalation that was ruled about is among them
    though the outcome, which is that of whoever did the step again, no longer has it.

    Args:
        outcome: Of a step.
        decisions: Of the run: those of humans are not in the outcome.
        followers: Outcomes of the steps that depend on it.
    """
    found: set[str] = set()
    if CONFLICT in outcome.signals and any(one.kind == "conflict" for one in outcome.decisions):
        found.add(CONFLICT)
    if ESCALATION not in outcome.signals:
        if any(is_ruling(one) for one in outcome.decisions):
            found.add(ESCALATION)
    elif any(_by_human(one) and one.subject == outcome.step for one in decisions):
        found.add(ESCALATION)
    if HANDOFF in outcome.signals and any(one.status in ("succeeded", "failed") for one in followers):
        found.add(HANDOFF)
    return frozenset(found)


def all_signals(
    outcomes: Mapping[str, Outcome], decisions: Sequence[Decision], needs: Mapping[str, Collection[str]]
) -> tuple[Signal, ...]:
    """Return what was signalled in a run that is over, and whether it was settled, in the order of the outcomes.

    Args:
        outcomes: Of all steps, by id.
        decisions: Of the run, beside those of the outcomes.
        needs: What each step waits for, by id.
    """
    followers: dict[str, list[Outcome]] = {}
    if any(HANDOFF in one.signals for one in outcomes.values()):
        for step_id in outcomes.keys() & needs.keys():
            for need in needs[step_id]:
                followers.setdefault(need, []).append(outcomes[step_id])
    found: list[Signal] = []
    for outcome in outcomes.values():
        if not (outcome.signals or outcome.decisions):
            continue
        done = resolved(outcome, decisions=decisions, followers=followers.get(outcome.step, ()))
        found += (one.model_copy(update={"resolved": one.name in done}) for one in signals_of((outcome,)))
        again = sorted(done.difference(outcome.signals))  # of those in whose place this outcome is
        found += (Signal(name=name, step=outcome.step, resolved=True) for name in again)
    return tuple(found)


def is_ruling(decision: Decision) -> bool:
    """Whether a hook has named who does an escalated step again; all other escalations are about revisions."""
    return decision.kind == "escalation" and isinstance(decision.answer, dict) and _RULING in decision.answer


def evidence_of(outcome: Outcome) -> dict[str, JsonValue]:
    """Return what is kept of an outcome that another one takes the place of."""
    return {
        _RULING: outcome.specialist,
        "status": outcome.status,
        "output": capped(outcome.output),
        "confidence": outcome.confidence,
        "signals": list[JsonValue](outcome.signals),
    }


def capped(output: JsonValue) -> JsonValue:
    """Return an output that can be kept in a record of a decision; the beginning of one that is large, as text."""
    text = output if isinstance(output, str) else str(output)
    return output if len(text) <= _MOST_KEPT else f"{text[:_MOST_KEPT]}..."


def conflicts(outcome: Outcome) -> tuple[str, ...]:
    """Say where an outcome reports a conflict that nobody has resolved."""
    if CONFLICT not in outcome.signals or CONFLICT in resolved(outcome):
        return ()
    return (f"step {outcome.step!r} reports a conflict that nobody has resolved{_why(outcome)}",)


def unanswered(outcomes: Iterable[Outcome], *, is_asked: bool) -> tuple[str, ...]:
    """Say which steps ask for a human whom there was no way to ask.

    Args:
        outcomes: Those of maps' items too, of which no human is asked in any case.
        is_asked: Whether one is asked about the others.
    """
    hint = "" if is_asked else " (hint: revision=RevisionPolicy())"
    return tuple(
        f"step {one.step!r} asks for a human, and there was no way to ask one{hint}{_why(one)}"
        for one in outcomes
        if ESCALATION in one.signals and (not is_asked or "[" in one.step)
    )


def halting_reason(outcomes: Mapping[str, Outcome], halting: Sequence[str]) -> str:
    """Say who has halted a run, and why.

    Args:
        outcomes: By step.
        halting: Ids of the steps that have, in order; at least one.
    """
    told = [f"step {one!r}{_why(outcomes[one])}" for one in halting]
    return f"it makes no sense to go on, says {'; and '.join(told)}"


def _why(outcome: Outcome) -> str:
    why = " ".join(outcome.confidence_reason.split())
    if not why and outcome.error is not None:
        why = " ".join(outcome.error.message.split())
    return f": {why[:_MAX_WHY]}" if why else ""


def _by_human(decision: Decision) -> bool:
    """Whether a human has said what is to become of an escalated step."""
    if decision.kind != "escalation" or is_ruling(decision):
        return False
    about = decision.answer if isinstance(decision.answer, dict) else {}
    return decision.chosen == "guide" or about.get("human") is True
