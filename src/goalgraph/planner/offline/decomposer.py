"""Plans a goal from its words alone: no model, no network, the same plan every time."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from goalgraph.errors import InvalidGoal
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.offline.clauses import Clause, split_clauses
from goalgraph.planner.offline.groundwork import groundwork
from goalgraph.planner.offline.linking import Needs, link_clauses
from goalgraph.planner.offline.matching import CardIndex
from goalgraph.planner.offline.phrases import PREPOSITION
from goalgraph.planner.offline.protected import cleaned
from goalgraph.planner.offline.questions import lookups
from goalgraph.planner.offline.vocabulary import SYNONYMS, content, stem, stemmed
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.planner.templates import literal
from goalgraph.planner.validation import checked

__all__ = ["OfflineDecomposer", "plan_offline"]

_TASK_LENGTH = 19_000
"""The longest text that one field of a step is given, in characters; the schema allows 20,000."""
_BRACED_LENGTH = 1_900
"""The same for a task with many braces, which grow when they are written as text."""
_MANY_BRACES = 100
_ID_LENGTH = 48
_ID_WORDS = 4
_REFINES = stemmed("identify find determine detect highlight spot list extract show")
"""Verbs that, after an analysis, say what it is to bring to light."""
_OPENS = re.compile(r"(?:import|load|open|read|take|look\s+(?:at|into|through)|go\s+(?:over|through))\b", re.IGNORECASE)
"""Openings that say what whoever does the next piece of work does anyway."""
_NOT_IN_ID = re.compile(r"[^a-z0-9]+")


class OfflineDecomposer:
    """Splits a goal into clauses, gives each to the specialist whose card fits it best, and derives what needs what.

    It reads English. A goal that it cannot take apart becomes one step, which is a valid plan too.
    """

    async def decompose(self, request: PlanRequest) -> Plan:
        """Return a plan of the goal's own words.

        Raises:
            InvalidGoal: The goal is blank, there are no specialists, or several and none of them fits any of it.
        """
        return plan_offline(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """What becomes one step: clauses that stand side by side in the goal."""

    first: int
    last: int
    card: int | None


def plan_offline(request: PlanRequest) -> Plan:
    """Do the work of `OfflineDecomposer.decompose`, which needs no event loop."""
    goal = cleaned(request.goal)
    if not goal.strip():
        raise InvalidGoal(f"expected a goal in words, found {request.goal[:40]!r}", hint="say what is to be done")
    if not request.cards:
        raise InvalidGoal("there are no specialists to plan for", hint="register at least one specialist")
    clauses = split_clauses(goal) or (Clause(text=goal.strip(), start=0, end=len(goal), body=goal),)
    index = CardIndex(tuple(card for card in request.cards if card.replica_of is None))
    units = _units(clauses, index, goal, max_steps=max(1, request.policy.max_steps))
    needs = _unit_needs(units, link_clauses(clauses))
    steps = _steps(units, needs, clauses, index, goal, max_steps=request.policy.max_steps)
    plan = Plan(
        name=" ".join(goal.split())[:80],
        description=goal.strip()[:_TASK_LENGTH],
        inputs=dict(request.inputs),
        steps=steps,
    )
    return checked(plan, request.policy, request.cards, source="the offline planner's plan")


def _units(clauses: Sequence[Clause], index: CardIndex, goal: str, *, max_steps: int) -> list[_Unit]:
    fitting = [_fit(clause, index) for clause in clauses]
    if all(card is None for card in fitting):
        if index.generalist is None:
            raise _nobody(index.cards)
        fitting = [index.generalist] * len(clauses)
    units: list[_Unit] = []
    for number, card in enumerate(fitting):
        taker = index.generalist if card is None else card
        previous = units[-1] if units else None
        if previous is not None and _belongs(previous, clauses, number, taker):
            units[-1] = _Unit(first=previous.first, last=number, card=taker if previous.card is None else previous.card)
        else:
            units.append(_Unit(first=number, last=number, card=taker))
    while len(units) > max_steps:
        last = units.pop()
        first = units.pop().first
        units.append(_Unit(first=first, last=last.last, card=None))
    return [_settled(unit, clauses, index, goal) for unit in units]


def _fit(clause: Clause, index: CardIndex) -> int | None:
    """Find who fits a clause; a question in words that are on no card is for whoever searches."""
    card = index.best(clause.text, clause.verb)
    return index.best("find answers", "find") if card is None and clause.question else card


def _belongs(unit: _Unit, clauses: Sequence[Clause], number: int, taker: int | None) -> bool:
    """Whether a clause goes into the step before it: nobody takes it, or it refines what that step does."""
    if unit.card is None or taker is None:
        return True
    before, clause = clauses[number - 1], clauses[number]
    return (
        taker == unit.card
        and before.sentence == clause.sentence
        and clause.link == "none"
        and (
            _OPENS.match(before.text) is not None
            or (SYNONYMS.get(stem(before.verb)) == "~analyze" and stem(clause.verb) in _REFINES)
        )
    )


def _settled(unit: _Unit, clauses: Sequence[Clause], index: CardIndex, goal: str) -> _Unit:
    if unit.card is not None:
        return unit
    verb = clauses[unit.first].verb
    card = index.best(_text(unit, clauses, goal), verb)
    return _Unit(first=unit.first, last=unit.last, card=(index.generalist or 0) if card is None else card)


def _nobody(cards: Sequence[SpecialistCard]) -> InvalidGoal:
    names = ", ".join(repr(card.name) for card in cards[:20]) + (", ..." if len(cards) > 20 else "")
    return InvalidGoal(
        f"expected work for one of the specialists {names}, found nothing in the goal that fits any of them",
        hint="say it in words from their descriptions, add a general specialist, or plan with a model (--model)",
    )


def _text(unit: _Unit, clauses: Sequence[Clause], goal: str) -> str:
    first = clauses[unit.first]
    last = clauses[unit.last]
    return goal[first.start : last.end] + last.shared


def _unit_needs(units: Sequence[_Unit], found: Sequence[Needs]) -> list[list[int]]:
    """Carry the clauses' needs over to the steps, and drop an order that follows from other needs."""
    home = {clause: number for number, unit in enumerate(units) for clause in range(unit.first, unit.last + 1)}
    needs: list[list[int]] = []
    reach: list[frozenset[int]] = []
    for number, unit in enumerate(units):
        inside = found[unit.first : unit.last + 1]
        data = {home[held] for need in inside for held in need.data} - {number}
        order = {home[held] for need in inside for held in need.order} - {number} - data
        reached = frozenset[int]().union(*(reach[held] for held in data | order))
        kept = data | (order - reached)
        needs.append(sorted(kept))
        reach.append(reached | kept)
    return needs


def _steps(
    units: Sequence[_Unit],
    needs: Sequence[Sequence[int]],
    clauses: Sequence[Clause],
    index: CardIndex,
    goal: str,
    *,
    max_steps: int,
) -> tuple[AgentStep, ...]:
    room = max_steps - len(units)
    taken: set[str] = set()
    ids: list[str] = []
    steps: list[AgentStep] = []
    for unit, need in zip(units, needs, strict=True):
        text = _text(unit, clauses, goal)
        asked = lookups(text) if unit.first == unit.last and clauses[unit.first].question else ()
        inner: list[str] = []
        for subject in asked if len(asked) <= room else ():
            lookup = f"Look up {subject}"
            task, *rest = _parts(lookup)
            card = index.best(lookup, "look")
            inner.append(_new_id(Clause(text=lookup, start=0, end=0, verb="look_up", body=subject), taken))
            steps.append(
                AgentStep(
                    id=inner[-1],
                    task=literal(task),
                    constraints=(*rest, *(f"Needed to answer: {part}" for part in _parts(text))),
                    agent=index.cards[(unit.card or 0) if card is None else card].name,
                    depends_on=tuple(ids[held] for held in need),
                )
            )
        alone = unit.first == unit.last and not need and not inner
        before = groundwork(clauses[unit.first], unit.card or 0, index) if alone else ()
        for piece in before if len(before) <= room else ():
            doer = index.cards[piece.card].name
            needed = tuple(inner[held] for held in piece.needs)
            task, *rest = _parts(piece.task)
            inner.append(_new_id(Clause(text=piece.task, start=0, end=0, verb=doer, body=""), taken))
            steps.append(
                AgentStep(id=inner[-1], task=literal(task), constraints=tuple(rest), agent=doer, depends_on=needed)
            )
        room -= len(inner)
        ids.append(_new_id(clauses[unit.first], taken))
        task, *rest = _parts(text)
        steps.append(
            AgentStep(
                id=ids[-1],
                task=literal(task),
                constraints=tuple(rest),
                agent=index.cards[unit.card or 0].name,
                depends_on=(*(ids[held] for held in need), *inner),
            )
        )
    return tuple(steps)


def _parts(text: str) -> tuple[str, ...]:
    """Cut a text too long for one field at white space; the task is the first part, the rest goes on as constraints."""
    text, parts = text.strip(), list[str]()
    room = _TASK_LENGTH if text.count("{{", 0, _TASK_LENGTH) < _MANY_BRACES else _BRACED_LENGTH
    while len(text) > room:
        cut = max(text.rfind(" ", room // 2, room), text.rfind("\n", room // 2, room))
        cut = cut if cut > 0 else room
        parts.append(text[:cut])
        text, room = text[cut:], _TASK_LENGTH
    return tuple(part for part in (*parts, text) if part.strip())


def _new_id(clause: Clause, taken: set[str]) -> str:
    verb = clause.verb or ("answer" if clause.question else "")
    words = [*_id_words(verb), *_id_words(clause.body[:400])]
    slug = "_".join(words[:_ID_WORDS])[:_ID_LENGTH].strip("_") or "step"
    slug = f"step_{slug}" if slug[0].isdigit() else slug
    unique, count = slug, 1
    while unique in taken:
        count += 1
        unique = f"{slug}_{count}"
    taken.add(unique)
    return unique


def _id_words(text: str) -> list[str]:
    """Give the words an id is made of: those up to the first preposition, or where there are none, the first ones."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    phrases = (" ".join(content(phrase)) for phrase in (*PREPOSITION.split(folded, maxsplit=3), folded))
    return _NOT_IN_ID.sub(" ", next((phrase for phrase in phrases if _NOT_IN_ID.sub("", phrase)), "")).split()
