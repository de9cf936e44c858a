"""What is known of a run before it starts: its layers, its longest way, who works in it, where it waits for people."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from goalgraph.planner import dag
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan, items_of
from goalgraph.planner.plan import AgentStep, Plan, Step
from goalgraph.planner.wording import doer_of

__all__ = ["Estimate", "Range", "estimate_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A number that lies between two others."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is known of a run beforehand.

    Ids are those of the flat plan; a step that a map repeats has the id ``"each[*]"``. Every branch of a condition is
    counted, though one of them will be skipped.
    """

    steps: int
    """Those that do something: without the ends of groups, and with what maps repeat counted once."""
    layers: tuple[tuple[str, ...], ...]
    """Steps by depth, in plan order: those of a layer can run at the same time."""
    critical_path: tuple[str, ...]
    """The longest chain of steps that wait for each other, without the ends of groups."""
    approvals: tuple[str, ...] = ()
    """Steps that ask a human for a yes or no, those that guardrails ask for included."""
    inputs: tuple[str, ...] = ()
    """Steps that ask a human to fill something in."""
    events: tuple[str, ...] = ()
    """Steps that wait for an event."""
    specialists: Mapping[str, int] = field(default_factory=dict[str, int])
    """Number of steps by who does them, in plan order; ``"anyone with ..."`` where several could."""
    open_maps: tuple[str, ...] = ()
    """Maps whose number of items is not known before the run comes to them."""
    tokens: Range | None = None
    """None: not known; the same of what follows."""
    cost_usd: Range | None = None
    seconds: Range | None = None

    def as_json(self) -> dict[str, JsonValue]:
        """Return the same as plain JSON."""
        found: dict[str, JsonValue] = to_jsonable_python(self)
        return found


def estimate_plan(plan: Plan, cards: Iterable[SpecialistCard], *, doers: Mapping[str, str] | None = None) -> Estimate:
    """Look through a plan without running it.

    Args:
        plan: Valid, as it is written or flat.
        cards: The specialists.
        doers: Names of specialists by step id, for steps that leave open who does them.
    """
    known = tuple(cards)
    flat = compile_plan(plan, known)
    graph = dag.graph(flat)
    ends = {step.id for step in flat.steps if step.type == "parallel"}
    everything = list(_everything(flat.steps, known))
    working = [step for step in everything if step.type == "agent"]
    return Estimate(
        steps=sum(1 for step in everything if step.type not in ("parallel", "map")),
        layers=dag.layers(flat),
        critical_path=_longest_way(graph, ends),
        approvals=tuple(step.id for step in everything if step.type == "human_approval"),
        inputs=tuple(step.id for step in everything if step.type == "human_input"),
        events=tuple(step.id for step in everything if step.type == "wait" and step.event is not None),
        specialists=dict(Counter(_doer(step, known, doers) for step in working)),
        open_maps=tuple(step.id for step in everything if step.type == "map" and isinstance(step.over, str)),
    )


def _everything(steps: Iterable[Step], cards: Sequence[SpecialistCard]) -> Iterator[Step]:
    """Flat steps, each map before what it repeats."""
    for step in steps:
        yield step
        if step.type == "map":
            yield from _everything(items_of(step, "*", cards), cards)


def _doer(step: AgentStep, cards: Sequence[SpecialistCard], doers: Mapping[str, str] | None) -> str:
    """Name who does a step; also where it says only what is needed, if a single one has it."""
    if step.agent is None and step.requires and step.id not in (doers or ()):
        able = [card.name for card in cards if set(step.requires) <= set(card.capabilities)]
        if len(able) == 1:
            return able[0]
    return doer_of(step, doers)


def _longest_way(graph: Mapping[str, Collection[str]], ends: Collection[str]) -> tuple[str, ...]:
    """Find the chain with the most steps; of equal ones the one that comes first in the plan.

    Args:
        graph: Each id with what it waits for.
        ends: Ids that take no time of their own, and are left out.
    """
    place = {step_id: number for number, step_id in enumerate(graph)}
    length: dict[str, int] = {}
    before: dict[str, str | None] = {}
    for step_id in dag.order(graph):
        longest = max(graph[step_id], key=lambda need: (length[need], -place[need]), default=None)
        before[step_id] = longest
        length[step_id] = (step_id not in ends) + (length[longest] if longest is not None else 0)
    at = max(length, key=lambda step_id: (length[step_id], -place[step_id]), default=None)
    way: list[str] = []
    while at is not None:
        way += [at] if at not in ends else []
        at = before[at]
    return tuple(reversed(way))
