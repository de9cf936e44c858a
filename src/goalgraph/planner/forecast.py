"""What one attempt, and then a whole step of a specialist, is likely to take: tokens, USD, seconds."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.expressions import ExpressionError, References, references
from goalgraph.planner.history import History
from goalgraph.planner.plan import AgentStep, Retry
from goalgraph.planner.prices import Price, price_of
from goalgraph.planner.ranges import Range, envelope
from goalgraph.planner.wording import task_of
from goalgraph.prompts.tokens import count_tokens

__all__ = ["ANSWER", "Asked", "Effort", "Forecast", "ModelCall", "instruction_of"]

ANSWER = Range(low=50, high=2_000)
"""Tokens of an answer of which nothing is known: from a sentence to some three pages."""

_VALUE = 500
"""Most tokens of an input, or of a map's item, that is not known."""

_SPREAD = 1.0
"""Most seconds by which a wait between attempts is longer at random."""

Asked = Callable[[AgentStep, SpecialistCard], str]
"""Renders what a specialist's model would be sent for a step, without what other steps come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A call of a model that no step makes, such as that which writes the answer."""

    name: str
    """Who makes it."""
    model: str
    prompt: str
    """What it is sent, as far as that is known."""
    reads_results: bool = False
    """Whether what the steps come to is sent too."""
    most: int | None = None
    """Tokens that it is sent at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a step takes; None: not known."""

    tokens: Range | None
    cost_usd: Range | None
    seconds: Range | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known of specialists."""

    cards: Mapping[str, SpecialistCard]
    doers: Mapping[str, str] = field(default_factory=dict[str, str])
    history: History = field(default_factory=History)
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    retry: Retry | None = None
    """Of steps that set none of their own."""
    timeout: float | None = None
    """Seconds for one attempt of steps that set none of their own."""
    asked: Asked | None = None
    inputs: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    unknown: dict[str, None] = field(default_factory=dict[str, None], init=False)
    """Names of whom it is not known what they cost, in order."""
    uncounted: dict[str, None] = field(default_factory=dict[str, None], init=False)
    """Names of whom it is not known how many tokens they take."""
    untimed: dict[str, None] = field(default_factory=dict[str, None], init=False)
    """Names of whom it is not known how long they take."""

    def effort(self, step: AgentStep, results: Range, named: Mapping[str, Range]) -> Effort:
        """Tell what a step takes, if it is done.

        Low: the first attempt succeeds, and what it is given is empty. High: all attempts of all who may do it are
        needed.

        Args:
            step: For one specialist.
            results: Tokens of what it is given beside its own prompt.
            named: Tokens of what other steps come to, which its expressions may name.
        """
        retry = step.retry or self.retry
        attempts = retry.max_attempts if retry is not None else 1
        times, first = Range(low=1, high=attempts), self.able(step)
        given = results + self._filled_in(step, named)
        tries = [self._attempt(step, name, given) for name in first]
        after = [self._attempt(step, name, given) for name in step.fallback if name not in first]
        pauses = _pauses(retry) * (1 + len(after))

        def whole(kinds: Sequence[Range | None], others: Sequence[Range | None]) -> Range | None:
            found = envelope(kinds)
            if found is None:
                return None
            rest = [Range(low=0, high=one.high if one is not None else None) for one in others]
            return sum((one.times(Range(low=0, high=attempts)) for one in rest), found.times(times))

        seconds = whole([one.seconds for one in tries], [one.seconds for one in after])
        return Effort(
            tokens=whole([one.tokens for one in tries], [one.tokens for one in after]),
            cost_usd=whole([one.cost_usd for one in tries], [one.cost_usd for one in after]),
            seconds=seconds + Range(low=0, high=pauses) if seconds is not None else None,
        )

    def able(self, step: AgentStep) -> tuple[str, ...]:
        """Names of those of whom one does a step."""
        if step.id in self.doers:
            return (self.doers[step.id],)
        if step.agent is not None:
            return (step.agent,)
        found = [card.name for card in self.cards.values() if set(step.requires) <= set(card.capabilities)]
        return tuple(found) or (f"anyone with {', '.join(step.requires)}",)

    def answer(self, step: AgentStep) -> Range:
        """Tokens of what a step comes to."""
        return envelope(self.history.output_tokens(name) or ANSWER for name in self.able(step)) or ANSWER

    def call(self, call: ModelCall, results: Range) -> Effort:
        """Tell what a call outside of the steps takes."""
        sent = count_tokens(call.prompt, call.model)
        rest = results.high if call.reads_results else 0
        given = (Range(low=sent, high=sent) + Range(low=0, high=rest)).capped(call.most)
        answered = self.history.output_tokens(call.name) or ANSWER
        cost = self._priced(call.model, given, answered)
        if cost is None:
            self.unknown[call.name] = None
        return Effort(tokens=given + answered, cost_usd=cost)

    def _attempt(self, step: AgentStep, name: str, given: Range) -> Effort:
        card = self.cards.get(name) or SpecialistCard(name=name)
        sent, answered = self.history.input_tokens(name), self.history.output_tokens(name)
        if card.model is not None:
            prompt = count_tokens((self.asked or _asked)(step, card), card.model)
            sent, answered = Range(low=prompt, high=prompt) + given, answered or ANSWER
        elif card.cost_usd == 0 and (sent is None or answered is None):
            sent = answered = Range(low=0, high=0)
        cost = Range(low=card.cost_usd, high=card.cost_usd) if card.cost_usd is not None else None
        if cost is None and card.model is not None and sent is not None and answered is not None:
            cost = self._priced(card.model, sent, answered)
        cost = cost or self.history.cost_usd(name)
        tokens = sent + answered if sent is not None and answered is not None else None
        said = Range(low=card.seconds, high=card.seconds) if card.seconds is not None else None
        seconds = self.history.seconds(name) or said
        timeout = step.timeout if step.timeout is not None else self.timeout
        if tokens is None:
            self.uncounted[name] = None
        if cost is None:
            self.unknown[name] = None
        if seconds is None:
            self.untimed[name] = None
        return Effort(tokens=tokens, cost_usd=cost, seconds=seconds.capped(timeout) if seconds is not None else None)

    def _priced(self, model: str, sent: Range, answered: Range) -> Range | None:
        low = price_of(model, round(sent.low), round(answered.low), self.prices)
        if low is None:
            return None
        if sent.high is None or answered.high is None:
            return Range(low=low, high=None)
        high = price_of(model, round(sent.high), round(answered.high), self.prices)
        return Range(low=low, high=high)

    def _filled_in(self, step: AgentStep, named: Mapping[str, Range]) -> Range:
        """Tokens of what is put in the place of a step's expressions."""
        found = References()
        with suppress(ExpressionError):  # told by validation
            found = references([step.task, step.input])
        rest = [named[one] for one in sorted(found.steps) if one in named]
        for name in sorted(found.inputs):
            known = count_tokens(_text(self.inputs[name])) if name in self.inputs else None
            rest.append(Range(low=0, high=_VALUE if known is None else known))
        if "[" in step.id:
            rest.append(Range(low=0, high=_VALUE))
        return sum((Range(low=0, high=one.high) for one in rest), Range(low=0, high=0))


def instruction_of(step: AgentStep) -> str:
    """Return what a specialist is told to do, expressions as they are written."""
    if not step.constraints:
        return task_of(step)
    return "\n".join([task_of(step), "", "Constraints:", *(f"- {one}" for one in step.constraints)])


def _asked(step: AgentStep, card: SpecialistCard) -> str:
    """Render what is known of a specialist's prompt from its card alone."""
    return "\n\n".join(_parts(step, card))


def _parts(step: AgentStep, card: SpecialistCard) -> Iterator[str]:
    if card.description:
        yield card.description
    yield instruction_of(step)
    if step.input:
        yield _text(step.input)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _pauses(retry: Retry | None) -> float:
    """Seconds of all waits between the attempts of one specialist, at most."""
    if retry is None:
        return 0.0
    return sum(_pause(retry, number) for number in range(retry.max_attempts - 1))


def _pause(retry: Retry, number: int) -> float:
    try:
        own = retry.initial_seconds * retry.factor**number
    except OverflowError:
        own = retry.max_seconds
    return min(own, retry.max_seconds) + min(_SPREAD, retry.initial_seconds)
