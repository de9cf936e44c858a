"""Sees what a report that stands alone in a goal is to be made from: "write a summary of the trends in sales.csv"."""

from collections.abc import Sequence
from dataclasses import dataclass

from goalgraph.planner.offline.clauses import Clause
from goalgraph.planner.offline.matching import CardIndex
from goalgraph.planner.offline.phrases import is_report

__all__ = ["Groundwork", "groundwork"]


_MOST_FINDERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Groundwork:
    """Work that a report builds on although the goal does not ask for it in words of its own."""

    card: int
    """Position of the card of who does it."""
    task: str
    needs: tuple[int, ...] = ()
    """Positions, in the same result, of what it builds on itself."""


def groundwork(clause: Clause, writer: int, index: CardIndex) -> Sequence[Groundwork]:
    """Return what has to be done before a report, in order; nothing for other clauses, or where nobody else could.

    Those whose cards share words with what the report is about do it; where there are none, those who find things do.
    Charts come last, because they show what the others found.
    """
    if not is_report(clause) or writer == index.generalist:
        return ()
    scores = index.scores(clause.body)
    able = [number for number, score in enumerate(scores) if score > 0 and number != writer]
    drawer = index.best("charts", "visualize")
    finders = [number for number in able if number != drawer]
    if not finders:
        searching = index.scores("find answers", "find")
        others = [number for number, score in enumerate(searching) if score > 0 and number not in (writer, drawer)]
        best = max((searching[number] for number in others), default=0.0)
        finders = [number for number in others if searching[number] >= best / 2][:_MOST_FINDERS]
    found = [Groundwork(card=number, task=f"Gather what is needed to: {clause.text}") for number in finders]
    if drawer in able:
        needs = tuple(range(len(found)))
        found.append(Groundwork(card=drawer, task=f"Draw the charts needed to: {clause.text}", needs=needs))
    return found
