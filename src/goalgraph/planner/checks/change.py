"""A running plan beside what a revision makes of it, with what is asked of both over and over."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.approvals import agent_steps, asks_a_human, doers, members, names_step
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.gates import Layout
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan, Step

__all__ = ["Change", "asked_steps", "differing", "guarded_in", "problem", "settled_steps"]

_OVER = ("succeeded", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Two flat plans, and how far the first one has come."""

    old: Layout
    new: Layout
    outcomes: Mapping[str, Outcome]
    settled: Mapping[str, ProblemCode]
    """See `settled_steps`."""
    cards: Sequence[SpecialistCard]
    names: Collection[str]
    """What the caller's policy has a human asked about: ids, specialists, capabilities."""
    asked_before: frozenset[str]
    """Ids of the old plan's steps that they mean."""
    asked: frozenset[str]
    """Those of the new one's."""
    guarded: frozenset[str]
    """Specialists that have been used only behind approvals so far."""
    redone: frozenset[str] = field(default=frozenset())
    """Ids of the new plan's steps that were over, and are to be done again."""

    @classmethod
    def of(
        cls,
        plan: Plan,
        changed: Plan,
        *,
        outcomes: Mapping[str, Outcome],
        at_work: Collection[str],
        cards: Sequence[SpecialistCard],
        asked: Collection[str],
        guarded: Collection[str],
    ) -> "Change | None":
        """Compare two plans; None where one is not a graph."""
        old, new = Layout.of(plan.steps, cards), Layout.of(changed.steps, cards)
        if old is None or new is None:
            return None
        before = asked_steps(old.steps, asked, cards)
        return cls(
            old=old,
            new=new,
            outcomes=outcomes,
            settled=settled_steps(old.steps, outcomes, at_work),
            cards=cards,
            names=asked,
            asked_before=before,
            asked=asked_steps(new.steps, asked, cards),
            guarded=guarded_in(old, cards, before) | frozenset(guarded),
            redone=frozenset(_redone(old, new, outcomes)),
        )

    def status(self, step_id: str) -> str | None:
        """What a step has come to; None where it is not over."""
        return outcome.status if (outcome := self.outcomes.get(step_id)) is not None else None

    def kept(self) -> Iterator[tuple[Step, Step]]:
        """Steps of both plans that may still be changed, as they were and as they are to be."""
        for step_id, step in self.old.steps.items():
            if step_id in self.new.steps and step_id not in self.settled:
                yield step, self.new.steps[step_id]

    def is_gated(self, step_id: str) -> bool:
        """Whether a step of the old plan runs only once a human has said yes, it or one of those that it repeats."""
        if step_id in self.asked_before or self.is_approved(step_id):
            return True
        step = self.old.steps[step_id]
        return step.type == "map" and any(names_step(name, step, self.cards) for name in self.names)

    def is_approved(self, step_id: str) -> bool:
        """Whether that is so because of an approval in the plan itself."""
        if _is_behind(self.old, step_id, ()):
            return True
        layouts = self.old.inner[step_id].everywhere() if step_id in self.old.inner else ()
        return any(layout.approved or any(map(layout.approvals, layout.steps)) for layout in layouts)

    def open_approvals(self, step_id: str) -> frozenset[str]:
        """Ids of the approvals before a step of the new plan that nobody has answered or is looking at."""
        return frozenset(one for one in self.new.before[step_id] if self._is_open(self.new.steps[one]))

    def _is_open(self, step: Step) -> bool:
        return asks_a_human(step) and step.id not in self.settled and self.status(step.id) in (None, "blocked")


def settled_steps(
    steps: Mapping[str, Step], outcomes: Mapping[str, Outcome], at_work: Collection[str]
) -> dict[str, ProblemCode]:
    """Ids of the steps that stay as they are, with the code of the problem that it is to change one.

    The steps of a group are over with it, whatever each of them came to; a map is at work while its items are.

    Args:
        steps: Of a flat plan.
        outcomes: Those of maps' items may be among them.
        at_work: Ids, of maps' items too.
    """
    over = [step_id for step_id in steps if step_id in outcomes and outcomes[step_id].status in _OVER]
    found: dict[str, ProblemCode] = dict.fromkeys(over, "finished_step")
    for step_id in over:
        if steps[step_id].type == "parallel":
            found |= dict.fromkeys(members(steps, step_id), "finished_step")
    begun = [step_id.partition("[")[0] for step_id in (*at_work, *(one for one in outcomes if "[" in one))]
    for step_id in (*at_work, *begun):
        if step_id in steps and step_id not in found and (step_id in at_work or step_id not in outcomes):
            found[step_id] = "step_at_work"
    return found


def asked_steps(steps: Mapping[str, Step], asked: Collection[str], cards: Sequence[SpecialistCard]) -> frozenset[str]:
    """Ids of the steps that a human is asked about because the caller's policy names them: the engine's own rule."""
    found: set[str] = set()
    for name in asked:
        if name in steps:
            found |= {one for one in members(steps, name) if one == name or steps[one].type in ("agent", "map")}
        found |= {step_id for step_id, step in steps.items() if step.type == "agent" and names_step(name, step, cards)}
    return frozenset(found)


def guarded_in(layout: Layout, cards: Sequence[SpecialistCard], asked: Collection[str]) -> frozenset[str]:
    """Names of the specialists that a flat plan uses, and only where a human has said yes before.

    Args:
        layout: The plan.
        cards: The specialists.
        asked: See `asked_steps`.
    """
    uses: dict[bool, set[str]] = {True: set(), False: set()}
    left = [(layout, False)]
    while left:
        one, is_covered = left.pop()
        for step_id, step in one.steps.items():
            is_behind = is_covered or _is_behind(one, step_id, asked)
            if step_id in one.inner:
                left.append((one.inner[step_id], is_behind))
            else:
                uses[is_behind] |= {name for agent in agent_steps(step) for name in doers(agent, cards)}
    return frozenset(uses[True] - uses[False])


def differing(old: Step, new: Step, *free: str) -> list[str]:
    """Names of the fields in which two steps differ, as they are written, some of them apart."""
    if old.type != new.type:
        return ["type"]
    fields = type(old).model_fields
    return [
        info.serialization_alias or name
        for name, info in fields.items()
        if name not in free and getattr(old, name) != getattr(new, name)
    ]


def problem(code: ProblemCode, step: str, field: str, message: str, hint: str) -> PlanProblem:
    """Make a problem of a revision."""
    return PlanProblem(code=code, step=step, field=field, message=message, hint=hint)


def _is_behind(layout: Layout, step_id: str, asked: Collection[str]) -> bool:
    return step_id in asked or step_id in layout.approved or bool(layout.approvals(step_id))


def _redone(old: Layout, new: Layout, outcomes: Mapping[str, Outcome]) -> Iterable[str]:
    """Find steps whose outcomes will not stand: changed, or never done because of what is changed."""
    found = {step_id for step_id in outcomes if step_id in old.steps and old.steps[step_id] != new.steps.get(step_id)}
    for step_id in new.order:
        is_derived = step_id in outcomes and outcomes[step_id].status in ("blocked", "cancelled")
        if is_derived and any(need in found or need not in outcomes for need in new.graph[step_id]):
            found.add(step_id)
    return found & new.steps.keys()
