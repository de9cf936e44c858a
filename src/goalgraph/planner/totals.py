"""What the steps of a flat plan take together: amounts added up, times laid beside each other."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from goalgraph.planner import dag
from goalgraph.planner.compilation import items_of
from goalgraph.planner.durations import seconds_of
from goalgraph.planner.forecast import ANSWER, Effort, Forecast, ModelCall
from goalgraph.planner.makespan import Load, makespan
from goalgraph.planner.plan import MapStep, Plan, Step, TimeoutGuardrail, WaitStep
from goalgraph.planner.ranges import Range

__all__ = ["Totals"]

_NOTHING = Range(low=0, high=0)
_WORD = Range(low=0, high=50)
"""Tokens of a decision, or of a time."""
_MOST_TOKENS = 1_000_000
"""Of what a group comes to: no model takes more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Of a whole plan; None: not known."""

    tokens: Range | None
    cost_usd: Range | None
    seconds: Range | None
    lasting: Mapping[str, float]
    """Seconds of each step, for comparing ways through the plan; empty where one is not known."""

    @classmethod
    def of(
        cls,
        flat: Plan,
        graph: Mapping[str, Collection[str]],
        forecast: Forecast,
        calls: Sequence[ModelCall] = (),
        max_concurrency: int | None = None,
    ) -> "Totals":
        """Add up a plan.

        Args:
            flat: Valid.
            graph: See `dag.graph`.
            forecast: What is known of the specialists.
            calls: Calls of models beside the steps.
            max_concurrency: Most steps at the same time.
        """
        limit = 1 if flat.coordinator.strategy == "sequential" else max_concurrency
        sums = _Sums.of(flat.steps, graph, forecast, limit)
        given = _added(
            [sums.answers[step.id] for step in flat.steps if step.type in ("agent", "map")], most=_MOST_TOKENS
        )
        beside = [forecast.call(call, given) for call in calls]
        limits = [one.max_seconds for one in flat.coordinator.guardrails if isinstance(one, TimeoutGuardrail)]
        tokens = _with([one.tokens for one in beside], sums.tokens)
        cost = _with([one.cost_usd for one in beside], sums.cost_usd)
        seconds = sums.seconds.capped(min(limits, default=None)) if sums.seconds is not None else None
        lasting = {name: one.middle if one.high is not None else one.low for name, one in sums.lasting.items()}
        return cls(tokens=tokens, cost_usd=cost, seconds=seconds, lasting=lasting if seconds is not None else {})


@dataclass(kw_only=True)
class _Sums:
    """Of steps that stand beside each other: a plan's, or those of one item of a map."""

    forecast: Forecast
    limit: int | None
    efforts: dict[str, Effort] = field(default_factory=dict[str, Effort])
    answers: dict[str, Range] = field(default_factory=dict[str, Range])
    """Tokens of what each step comes to."""
    loads: dict[str, tuple[Load, Load]] = field(default_factory=dict[str, tuple[Load, Load]])
    lasting: dict[str, Range] = field(default_factory=dict[str, Range])
    tokens: Range | None = _NOTHING
    cost_usd: Range | None = _NOTHING
    seconds: Range | None = _NOTHING

    @classmethod
    def of(
        cls,
        steps: Sequence[Step],
        graph: Mapping[str, Collection[str]],
        forecast: Forecast,
        limit: int | None,
        around: Mapping[str, Range] | None = None,
    ) -> "_Sums":
        """Add up steps.

        Args:
            steps: Flat.
            graph: Of these steps.
            forecast: What is known of the specialists.
            limit: Most steps at the same time.
            around: Tokens of what steps around a map come to.
        """
        found = cls(forecast=forecast, limit=limit, answers=dict(around or {}))
        by_id, order = {step.id: step for step in steps}, dag.order(graph)
        certain = _certain(by_id, graph, order)
        for step_id in order:
            found._add(by_id[step_id], graph[step_id], is_certain=step_id in certain)
        sides = _sides(steps, order)
        efforts = found.efforts
        found.tokens = _total({name: one.tokens for name, one in efforts.items()}, certain, sides, order)
        found.cost_usd = _total({name: one.cost_usd for name, one in efforts.items()}, certain, sides, order)
        found.seconds = found._time(graph)
        return found

    def _add(self, step: Step, needs: Collection[str], *, is_certain: bool) -> None:
        given = [self.answers[need] for need in needs if need in self.answers]
        effort, load, doer = Effort(tokens=_NOTHING, cost_usd=_NOTHING, seconds=_NOTHING), None, None
        answer = _WORD
        if step.type == "agent":
            effort = self.forecast.effort(step, Range(low=0, high=_added(given).high), self.answers)
            answer, doer = self.forecast.answer(step), self.forecast.able(step)[0]
        elif step.type == "map":
            effort, answer, load = self._map(step, is_certain=is_certain)
        elif step.type == "human_input":
            answer = ANSWER
        elif step.type in ("parallel", "transform", "sub_plan"):
            answer = Range(low=0, high=_added(given, most=_MOST_TOKENS).high)
        elif step.type == "wait" and step.duration is not None:
            effort = Effort(tokens=_NOTHING, cost_usd=_NOTHING, seconds=_waited(step))
        self.efforts[step.id], self.answers[step.id] = effort, answer
        if effort.seconds is not None:
            self.lasting[step.id] = effort.seconds
            high = effort.seconds.high if effort.seconds.high is not None else math.inf
            low = effort.seconds.low if is_certain else 0.0
            self.loads[step.id] = load or (Load(seconds=low, doer=doer), Load(seconds=high, doer=doer))

    def _map(self, step: MapStep, *, is_certain: bool) -> tuple[Effort, Range, tuple[Load, Load] | None]:
        """Tell what a map takes, what it comes to, and how it fills places."""
        items = items_of(step, "*", tuple(self.forecast.cards.values()))
        count = Range(low=len(step.over), high=len(step.over)) if isinstance(step.over, list) else None
        count = count or self.forecast.history.count_of_items(step.id) or Range(low=0, high=None)
        inside = {one.id for one in items}
        graph = {name: needs & inside for name, needs in dag.graph(Plan.model_construct(steps=items)).items()}
        one = _Sums.of(items, graph, self.forecast, None, self.answers)
        answer = Range(low=0, high=one.answers[items[-1].id].high).times(count).capped(_MOST_TOKENS)
        effort = Effort(
            tokens=one.tokens.times(count) if one.tokens is not None else None,
            cost_usd=one.cost_usd.times(count) if one.cost_usd is not None else None,
        )
        if one.seconds is None:
            return effort, answer, None
        names = {name for each in items if each.type == "agent" for name in self.forecast.able(each)[:1]}
        card_limits = [self.forecast.cards[name].max_concurrency for name in names if name in self.forecast.cards]
        most = min([each for each in (step.concurrency, self.limit, *card_limits) if each is not None], default=None)
        longest = step.timeout if step.timeout is not None else math.inf
        doer = next(iter(sorted(names)), None)

        def load(seconds: float | None, times: float | None) -> Load:
            if seconds is None or (times is None and seconds > 0):
                return Load(seconds=longest, doer=doer)
            return Load(seconds=seconds, items=round(times or 0), most=most, doer=doer, longest=longest)

        low = load(one.seconds.low if is_certain else 0.0, count.low)
        high = load(one.seconds.high, count.high)
        alone = Range(low=low.lasts(max(low.width, 1)), high=_finite(high.lasts(max(high.width, 1))))
        return Effort(tokens=effort.tokens, cost_usd=effort.cost_usd, seconds=alone), answer, (low, high)

    def _time(self, graph: Mapping[str, Collection[str]]) -> Range | None:
        if len(self.loads) < len(graph):
            return None
        each = {
            name: card.max_concurrency
            for name, card in self.forecast.cards.items()
            if card.max_concurrency is not None and any(high.doer == name for _, high in self.loads.values())
        }
        low = makespan(graph, {name: load for name, (load, _) in self.loads.items()}, self.limit, each)
        loads = {name: load for name, (_, load) in self.loads.items()}
        if any(math.isinf(load.seconds) for load in loads.values()):
            return Range(low=low, high=None)
        return Range(low=low, high=max(low, makespan(graph, loads, self.limit, each)))


def _certain(steps: Mapping[str, Step], graph: Mapping[str, Collection[str]], order: Sequence[str]) -> frozenset[str]:
    """Ids of the steps that run if nothing fails and people say yes."""
    guarded, found = dag.guards(steps.values()), set[str]()
    for step_id in order:
        step = steps[step_id]
        if step.when is not None or step_id in guarded:
            continue
        needs = graph[step_id]
        met = [need in found or steps[need].optional for need in needs]
        one_is_enough = step.type == "parallel" or step.join == "any_success"
        if step.join == "all_done" or all(met) or (one_is_enough and any(met)):
            found.add(step_id)
    return frozenset(found)


def _sides(steps: Sequence[Step], order: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """For each step in a branch: the innermost condition, with the value that takes the branch."""
    place = {step_id: number for number, step_id in enumerate(order)}
    return {
        step_id: max(guards, key=lambda guard: place[guard[0]])
        for step_id, guards in dag.guards(steps).items()
        if step_id in place
    }


def _total(
    amounts: Mapping[str, Range | None],
    certain: Collection[str],
    sides: Mapping[str, tuple[str, bool]],
    order: Sequence[str],
) -> Range | None:
    """Add up: low, what is certain; high, of each condition the branch with more."""
    branches: dict[tuple[str, bool], float] = {}
    low = high = 0.0
    for step_id in reversed(order):
        amount = amounts[step_id]
        if amount is None:
            return None
        low += amount.low if step_id in certain else 0.0
        own = amount.high if amount.high is not None else math.inf
        own += max(branches.get((step_id, value), 0.0) for value in (True, False))
        if step_id in sides:
            branches[sides[step_id]] = branches.get(sides[step_id], 0.0) + own
        else:
            high += own
    return Range(low=low, high=_finite(high))


def _with(amounts: Sequence[Range | None], total: Range | None) -> Range | None:
    for amount in amounts:
        total = total + amount if total is not None and amount is not None else None
    return total


def _added(ranges: Sequence[Range], most: float | None = None) -> Range:
    return sum(ranges, _NOTHING).capped(most)


def _waited(step: WaitStep) -> Range:
    if isinstance(step.duration, str) and "{{" in step.duration:
        return _NOTHING
    seconds = seconds_of(step.duration)
    return Range(low=seconds, high=seconds)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
