"""What a run says of its limits: which one was met, what is left, and what could not be counted."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from goalgraph.graph.ledger.ledger import Ledger
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Usage
from goalgraph.specialists.remaining import Remaining

__all__ = ["limits_met", "new_decisions", "remaining", "uncounted"]


def new_decisions(ledgers: Iterable[Ledger], known: Iterable[Decision], now: datetime) -> list[Decision]:
    """Put on record the limits that were met, of a run and of those around it, and that are not on record yet.

    Args:
        ledgers: Of the run.
        known: What is on record.
        now: With a time zone.
    """
    told = {one.chosen for one in known if one.kind == "limit"}
    found: dict[str, Decision] = {}
    for ledger in ledgers:
        if (met := ledger.met) is not None and met.limit not in told:
            found[met.limit] = Decision(
                kind="limit",
                subject="",
                chosen=met.limit,
                rationale=met.said,
                by="limits",
                at=now.isoformat(),
            )
    return list(found.values())


def limits_met(decisions: Iterable[Decision]) -> tuple[str, ...]:
    """Say which limits were met, each once."""
    return tuple(dict.fromkeys(one.rationale for one in decisions if one.kind == "limit"))


def uncounted(ledger: Ledger | None, used: Usage) -> tuple[str, ...]:
    """Say of how many calls price or tokens are not known, where a limit should have counted them."""
    if ledger is None:
        return ()
    reasons: list[str] = []
    caps = ledger.caps
    if used.unpriced_calls and ledger.max_cost_usd is not None:
        counted = (
            "the budget does not count them"
            if isinstance(caps.unpriced, str)
            else f"each counts as {caps.unpriced:g} USD"
        )
        reasons.append(f"the price of {used.unpriced_calls} model calls is not known; {counted}")
    if used.estimated_calls and (ledger.max_cost_usd is not None or caps.max_tokens is not None):
        reasons.append(f"{used.estimated_calls} model calls did not say what they used; what was reserved counts")
    return tuple(reasons)


def remaining(ledgers: Sequence[Ledger], until: datetime | None, now: datetime) -> Remaining:
    """Return what is left of the strictest limits, those of runs around included.

    Args:
        ledgers: Of the run.
        until: When its time is over.
        now: On the same clock.
    """
    usd = [left for one in ledgers if (left := one.left("max_cost_usd")) is not None]
    tokens = [left for one in ledgers if (left := one.left("max_tokens")) is not None]
    calls = [left for one in ledgers if (left := one.left("max_calls")) is not None]
    return Remaining(
        usd=min(usd, default=None),
        tokens=int(min(tokens)) if tokens else None,
        calls=int(min(calls)) if calls else None,
        seconds=max((until - now).total_seconds(), 0.0) if until is not None else None,
    )
