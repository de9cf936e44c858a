"""What is known of a run before it starts: its order, who works, where people are asked, what it takes."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from goalgraph.planner import dag
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan, with_items
from goalgraph.planner.forecast import Asked, Forecast, ModelCall
from goalgraph.planner.history import History
from goalgraph.planner.plan import AgentStep, Plan, Retry, WaitStep
from goalgraph.planner.prices import Price
from goalgraph.planner.ranges import Range
from goalgraph.planner.totals import Totals
from goalgraph.planner.wording import doer_of
from goalgraph.shown import Shown

__all__ = ["Estimate", "ModelCall", "Range", "estimate_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(Shown):
    """What is known of a run beforehand.

    Ids are those of the flat plan; a step that a map repeats has the id ``"each[*]"``. Lists and counts have every
    branch of a condition, though one of them will be skipped.

    The amounts are ranges. Low: nothing fails, steps that a condition may skip are skipped, answers are short. High: of
    each condition the dearer branch runs, every attempt and every fallback is needed, answers are long. What is not
    known is None, never 0.
    """

    steps: int
    """Those that do something: without the ends of groups, and with what maps repeat counted once."""
    layers: tuple[tuple[str, ...], ...]
    """Steps by depth, in plan order: those of a layer can run at the same time."""
    critical_path: tuple[str, ...]
    """The chain of steps that wait for each other that takes longest, without the ends of groups; where it is not known
    how long steps take, the one with the most of them."""
    approvals: tuple[str, ...] = ()
    """Steps that ask a human for a yes or no, those that guardrails ask for included."""
    inputs: tuple[str, ...] = ()
    """Steps that ask a human to fill something in."""
    events: tuple[str, ...] = ()
    """Steps that wait for an event."""
    waits: tuple[str, ...] = ()
    """Steps that wait for a time, or for as long as an expression says: not counted in `seconds`."""
    effects: tuple[str, ...] = ()
    """Steps that somebody may do who has effects outside of the run."""
    specialists: Mapping[str, int] = field(default_factory=dict[str, int])
    """Number of steps by who does them, in plan order; ``"anyone with ..."`` where several could."""
    open_maps: tuple[str, ...] = ()
    """Maps whose number of items is not known before the run comes to them."""
    tokens: Range | None = None
    """Sent to models and answered by them. None: not known; the same of what follows."""
    cost_usd: Range | None = None
    """What models will be paid, in USD."""
    seconds: Range | None = None
    """Of the steps, as they run at the same time or after each other; without the time that people take, and without
    what is waited for."""
    unknown: tuple[str, ...] = ()
    """Specialists of whom it is not known what they cost."""
    uncounted: tuple[str, ...] = ()
    """Specialists of whom it is not known how many tokens they take."""
    untimed: tuple[str, ...] = ()
    """Specialists of whom it is not known how long they take."""

    @property
    def missing(self) -> Mapping[tuple[str, ...], tuple[str, ...]]:
        """What is not known (``"tokens"``, ``"cost"``, ``"time"``), by the specialists of whom it is not."""
        found: dict[tuple[str, ...], tuple[str, ...]] = {}
        for what, names in (("tokens", self.uncounted), ("cost", self.unknown), ("time", self.untimed)):
            if names:
                found[names] = (*found.get(names, ()), what)
        return found

    def as_json(self) -> dict[str, JsonValue]:
        """Return the same as plain JSON."""
        found: dict[str, JsonValue] = to_jsonable_python(self)
        return found


def estimate_plan(
    plan: Plan,
    cards: Iterable[SpecialistCard],
    *,
    doers: Mapping[str, str] | None = None,
    history: History | None = None,
    prices: Mapping[str, Price] | None = None,
    inputs: Mapping[str, JsonValue] | None = None,
    max_concurrency: int | None = None,
    retry: Retry | None = None,
    timeout: float | None = None,
    asked: Asked | None = None,
    calls: Iterable[ModelCall] = (),
) -> Estimate:
    """Look through a plan without running it.

    Tokens: the prompt of a specialist with a model is rendered and counted; what it is given of other steps is nothing
    at least, and at most what history says, else 2,000 tokens from each. Answers have 50 to 2,000 tokens where history
    does not know better. A specialist that names no model is known by its history alone, or costs nothing. USD: what
    its card says, else tokens by price, else history. Seconds: history, else the card.

    Args:
        plan: Valid, as it is written or flat.
        cards: The specialists.
        doers: Names of specialists by step id, for steps that leave open who does them.
        history: What earlier runs tell.
        prices: The caller's own, by name of model; they win over those of `price_of`.
        inputs: Of the run, as far as they are known.
        max_concurrency: Most steps at the same time.
        retry: Of steps that set none of their own.
        timeout: Seconds for one attempt of such steps.
        asked: Renders prompts as specialists do; without it, from the cards.
        calls: Calls of models that no step makes.
    """
    known = tuple(cards)
    flat = compile_plan(plan, known)
    graph = dag.graph(flat)
    ends = {step.id for step in flat.steps if step.type == "parallel"}
    everything = list(with_items(flat.steps, known))
    working = [step for step in everything if step.type == "agent"]
    forecast = Forecast(
        cards={card.name: card for card in known},
        doers=doers or {},
        history=history or History(),
        prices=prices or {},
        retry=retry,
        timeout=timeout,
        asked=asked,
        inputs={**plan.inputs, **(inputs or {})},
    )
    totals = Totals.of(flat, graph, forecast, tuple(calls), max_concurrency)
    return Estimate(
        steps=sum(1 for step in everything if step.type not in ("parallel", "map")),
        layers=dag.layers(flat),
        critical_path=_longest_way(graph, ends, totals.lasting),
        approvals=tuple(step.id for step in everything if step.type == "human_approval"),
        inputs=tuple(step.id for step in everything if step.type == "human_input"),
        events=tuple(step.id for step in everything if step.type == "wait" and step.event is not None),
        waits=tuple(step.id for step in everything if step.type == "wait" and _is_open(step)),
        effects=tuple(step.id for step in working if _has_effects(step, forecast)),
        specialists=dict(Counter(_doer(step, known, doers) for step in working)),
        open_maps=tuple(step.id for step in everything if step.type == "map" and isinstance(step.over, str)),
        tokens=totals.tokens,
        cost_usd=totals.cost_usd,
        seconds=totals.seconds,
        unknown=tuple(forecast.unknown),
        uncounted=tuple(forecast.uncounted),
        untimed=tuple(forecast.untimed),
    )


def _doer(step: AgentStep, cards: Sequence[SpecialistCard], doers: Mapping[str, str] | None) -> str:
    """Name who does a step; also where it says only what is needed, if a single one has it."""
    if step.agent is None and step.requires and step.id not in (doers or ()):
        able = [card.name for card in cards if set(step.requires) <= set(card.capabilities)]
        if len(able) == 1:
            return able[0]
    return doer_of(step, doers)


def _has_effects(step: AgentStep, forecast: Forecast) -> bool:
    names = (*forecast.able(step), *step.fallback)
    return any(name in forecast.cards and forecast.cards[name].effects for name in names)


def _is_open(step: WaitStep) -> bool:
    """Whether it cannot be told how long it waits."""
    return step.until is not None or (isinstance(step.duration, str) and "{{" in step.duration)


def _longest_way(
    graph: Mapping[str, Collection[str]], ends: Collection[str], lasting: Mapping[str, float]
) -> tuple[str, ...]:
    """Find the chain that takes longest; of equal ones the one with the most steps, then the first in the plan.

    Args:
        graph: Each id with what it waits for.
        ends: Ids that are no steps of their own, and are left out.
        lasting: Seconds by id; 0 where absent.
    """
    place = {step_id: number for number, step_id in enumerate(graph)}
    length: dict[str, tuple[float, int]] = {}
    before: dict[str, str | None] = {}
    for step_id in dag.order(graph):
        longest = max(graph[step_id], key=lambda need: (length[need], -place[need]), default=None)
        before[step_id] = longest
        seconds, count = length[longest] if longest is not None else (0.0, 0)
        length[step_id] = (seconds + lasting.get(step_id, 0.0), count + (step_id not in ends))
    at = max(length, key=lambda step_id: (length[step_id], -place[step_id]), default=None)
    way: list[str] = []
    while at is not None:
        way += [at] if at not in ends else []
        at = before[at]
    return tuple(reversed(way))
