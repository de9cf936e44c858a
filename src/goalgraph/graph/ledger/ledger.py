"""What a run's model calls take of its limits: reserved before each call, settled after it."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock

from goalgraph.errors import LimitReached
from goalgraph.graph.ledger.caps import Call, Caps, Dimension, Met, Settled, Used
from goalgraph.planner.outcome import Usage
from goalgraph.planner.prices import Price, price_of

__all__ = ["UNKNOWN_OUTPUT", "Ledger"]

UNKNOWN_OUTPUT = 1_024
"""Tokens that are reserved for an answer that sets no limit of its own, of a model that has not answered yet."""

_Figures = tuple[int, int, int]
"""Billionths of a thousandth of a USD, tokens, calls: whole numbers, so that no sum drifts."""
_USD = 10**12
_NAMES: tuple[Dimension, Dimension, Dimension] = ("max_cost_usd", "max_tokens", "max_calls")


@dataclass(frozen=True, slots=True)
class _Reserved:
    call: Call
    output_tokens: int
    figures: _Figures
    is_over: Callable[[], bool] | None


class Ledger:
    """Grants calls as long as what is settled, what is reserved and what they may take themselves is within the limits.

    So what is spent never exceeds a limit by more than what calls use beyond their reservations: longer answers than
    those before, prompts that count for more than was estimated. A call that fails is released: it may have been
    billed, and nothing is known of that. May be told of calls in any thread.
    """

    def __init__(self, caps: Caps | None = None, *, prices: Mapping[str, Price] | None = None) -> None:
        """Begin with nothing spent.

        Args:
            caps: The limits; none where absent.
            prices: The caller's own, by name of model; they win over those of `price_of`.
        """
        self.caps = caps or Caps()
        self._prices = prices
        self._plan_usd: float | None = None
        self._settled: _Figures = (0, 0, 0)
        self._reserved: _Figures = (0, 0, 0)
        self._open: dict[Hashable, _Reserved] = {}
        self._swept: dict[Hashable, _Reserved] = {}
        self._known: set[str] = set()
        self._most: dict[str | None, int] = {}
        self._met: Met | None = None
        self._told: list[Callable[[Met], None]] = []
        self._lock = Lock()

    @property
    def met(self) -> Met | None:
        """The first limit that was met: a call was refused, or calls have used more than they had reserved."""
        return self._met

    @property
    def max_cost_usd(self) -> float | None:
        """The stricter of the caller's limit and the plan's."""
        return min((one for one in (self.caps.max_cost_usd, self._plan_usd) if one is not None), default=None)

    def restrict(self, max_cost_usd: float | None) -> None:
        """Take a limit that the plan sets, in USD; it takes the place of an earlier plan's."""
        self._plan_usd = max_cost_usd

    def mark(self, key: str) -> None:
        """Take note that what is known by a key is counted as it is spent."""
        self._known.add(key)

    def recall(self, key: str, usage: Usage) -> None:
        """Take in what was spent and recorded before; once for a key."""
        with self._lock:
            if key in self._known:
                return
            self._known.add(key)
            tokens = usage.input_tokens + usage.output_tokens
            self._settled = _sum(self._settled, (round(usage.cost_usd * _USD), tokens, usage.calls))
        self._look()

    def reserve(
        self, key: Hashable, call: Call, *, is_last: bool = False, is_over: Callable[[], bool] | None = None
    ) -> None:
        """Reserve what a call may take; nothing where that is done already.

        Args:
            key: Of the call, for `settle` and `release`.
            call: What is known of it.
            is_last: Whether it may take what is kept back.
            is_over: Whether it has ended without anybody having said so, as calls do that are cancelled.

        Raises:
            LimitReached: There is not enough left, or nobody knows its price and such calls are refused.
        """
        with self._lock:
            if key in self._open:
                return
            output = call.max_output if call.max_output is not None else self._most.get(call.model, UNKNOWN_OUTPUT)
            price = self._price(call.model, call.input_tokens, output)
            if price is None and self.caps.unpriced == "refuse" and self.max_cost_usd is not None:
                raise LimitReached(
                    f"the price of the model {call.model!r} is not known, and the run's limit is in USD",
                    limit="max_cost_usd",
                    hint="give its price: prices={name: Price(...)}, or let such calls count: Limits(unpriced=0.01)",
                )
            figures = (math.ceil(self._cost(price) * _USD), call.input_tokens + output, 1)
            short = self._short(figures, is_last)
            if short is not None and self._sweep():
                short = self._short(figures, is_last)
            if short is None:
                self._open[key] = _Reserved(call, output, figures, is_over)
                self._reserved = _sum(self._reserved, figures)
                return
            error = self._refusal(short, figures, is_last)
        self._meet(error)
        raise error

    def settle(self, key: Hashable, used: Used | None, model: str | None = None) -> Settled | None:
        """Count what a call has used, in place of what was reserved for it.

        Args:
            key: As it was reserved by.
            used: What the model says; without, what was reserved counts.
            model: The name that the answer bears, where it has one.

        Returns:
            What was counted; None where there is no such reservation (any more).
        """
        with self._lock:
            found = self._taken(key)
            if found is None:
                return None
            call, output = found.call, found.output_tokens
            told = used or Used(input_tokens=call.input_tokens, output_tokens=output)
            price = self._price(model, told.input_tokens, told.output_tokens)
            if price is None:
                price = self._price(call.model, told.input_tokens, told.output_tokens)
            cost = self._cost(price)
            if used is not None:
                self._most[call.model] = max(self._most.get(call.model, 0), used.output_tokens)
            tokens = told.input_tokens + told.output_tokens
            self._settled = _sum(self._settled, (round(cost * _USD), tokens, 1))
        self._look()
        return Settled(
            cost_usd=cost,
            input_tokens=told.input_tokens,
            output_tokens=told.output_tokens,
            is_unpriced=price is None,
            is_estimated=used is None,
        )

    def release(self, key: Hashable) -> None:
        """Forget a call that has failed, or was never made."""
        with self._lock:
            self._taken(key)

    def left(self, limit: Dimension) -> float | None:
        """Return how much calls may still take, but for what is kept back; None where there is no limit."""
        place = _NAMES.index(limit)
        with self._lock:
            if (cap := self._cap(place, is_last=False)) is None:
                return None
            left = max(cap - self._settled[place] - self._reserved[place], 0)
        return _shown(place, left)

    def watch(self, met: Callable[[Met], None]) -> Callable[[], None]:
        """Have something called once a limit is met, in the thread of the call; at once where one has been.

        Returns:
            What ends that.
        """
        with self._lock:
            self._told.append(met)
            found = self._met
        if found is not None:
            met(found)
        return lambda: self._forget(met)

    def _price(self, model: str | None, input_tokens: int, output_tokens: int) -> float | None:
        return price_of(model, input_tokens, output_tokens, self._prices) if model else None

    def _cost(self, price: float | None) -> float:
        if price is not None:
            return price
        return 0.0 if isinstance(self.caps.unpriced, str) else self.caps.unpriced

    def _cap(self, place: int, *, is_last: bool) -> int | None:
        caps = (self.max_cost_usd, self.caps.max_tokens, self.caps.max_calls)
        if (cap := caps[place]) is None:
            return None
        whole = round(cap * _USD) if place == 0 else int(cap)
        return whole if is_last else whole - math.ceil(whole * self.caps.keep_back - 1e-9)

    def _short(self, asked: _Figures, is_last: bool) -> int | None:
        """Find the first limit that a call would break."""
        for place in range(3):
            cap = self._cap(place, is_last=is_last)
            if cap is not None and self._settled[place] + self._reserved[place] + asked[place] > cap:
                return place
        return None

    def _sweep(self) -> bool:
        """Release calls that were cancelled; say whether there were any."""
        gone = [key for key, one in self._open.items() if one.is_over is not None and one.is_over()]
        for key in gone:
            self._swept[key] = self._open.pop(key)  # one that was only handed on to another task is counted at its end
            self._reserved = _sum(self._reserved, self._swept[key].figures, -1)
        return bool(gone)

    def _taken(self, key: Hashable) -> _Reserved | None:
        if (found := self._open.pop(key, None)) is None:
            return self._swept.pop(key, None)
        self._reserved = _sum(self._reserved, found.figures, -1)
        return found

    def _refusal(self, place: int, asked: _Figures, is_last: bool) -> LimitReached:
        cap, whole = self._cap(place, is_last=is_last) or 0, self._cap(place, is_last=True) or 0
        about = [f"{_said(place, self._settled[place])} spent"]
        about += [f"{_said(place, self._reserved[place])} reserved"] if self._reserved[place] else []
        about += [f"{_said(place, whole - cap)} kept back for the answer"] if whole > cap else []
        about += [f"a call refused that may take {_said(place, asked[place])}"]
        return LimitReached(
            f"{self._name(place)} is used up ({', '.join(about)})",
            limit=_NAMES[place],
            allowed=_shown(place, whole),
            spent=_shown(place, self._settled[place]),
            reserved=_shown(place, self._reserved[place]),
            asked=_shown(place, asked[place]),
        )

    def _name(self, place: int) -> str:
        cap = _shown(place, self._cap(place, is_last=True) or 0)
        own = self.caps.max_cost_usd
        is_plan = place == 0 and self._plan_usd is not None and (own is None or self._plan_usd <= own)
        name = "the plan's budget" if is_plan else f"Limits.{_NAMES[place]}"
        return f"{name} of {cap:g}{'' if place else ' USD'}"

    def _look(self) -> None:
        """Take note where calls have used more than they had reserved, so that a limit is exceeded."""
        if self._met is not None:
            return
        for place in range(3):
            cap = self._cap(place, is_last=True)
            if cap is not None and (spent := self._settled[place]) > cap:
                said = f"{self._name(place)} is used up ({_said(place, spent)} spent)"
                self._meet(LimitReached(said, limit=_NAMES[place]))
                return

    def _meet(self, error: LimitReached) -> None:
        with self._lock:
            if self._met is not None:
                return
            self._met = Met(limit=error.limit, said=str(error))
            told = list(self._told)
        for met in told:
            met(self._met)

    def _forget(self, met: Callable[[Met], None]) -> None:
        with self._lock:
            if met in self._told:
                self._told.remove(met)


def _sum(one: _Figures, other: _Figures, sign: int = 1) -> _Figures:
    return (one[0] + sign * other[0], one[1] + sign * other[1], one[2] + sign * other[2])


def _said(place: int, figure: int) -> str:
    return f"{figure / _USD:.4g}" if place == 0 else str(figure)


def _shown(place: int, figure: int) -> float:
    return figure / _USD if place == 0 else float(figure)
