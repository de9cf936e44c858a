"""What a run's model calls cost, against the limit that its plan sets."""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from goalgraph.planner.outcome import Usage
from goalgraph.planner.prices import Price, price_of

__all__ = ["Budget"]


class Budget:
    """Adds up the cost of model calls, and says once when the limit is reached.

    Prices are the caller's, else those of `price_of`. A call whose model nobody knows is counted, not priced. May be
    told of calls in any thread: models report what they used in threads of their own.
    """

    def __init__(
        self,
        limit: float,
        spent: Iterable[Usage],
        reached: Callable[[str], None],
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        """Begin with what was spent before.

        Args:
            limit: In USD.
            spent: Of recorded outcomes.
            reached: Called once, with what to say, as soon as the limit is reached; in the thread of the call.
            prices: The caller's own, by name of model; they win.
        """
        self._limit = limit
        self._prices = prices
        self._spent = sum(usage.cost_usd for usage in spent)
        self._reached: Callable[[str], None] | None = reached
        self._lock = Lock()
        self._take(0.0)

    def charge(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """Take in a call; return its price in USD, None where it is not known."""
        price = price_of(model, input_tokens, output_tokens, self._prices)
        if price is not None:
            self._take(price)
        return price

    def add(self, usage: Usage) -> None:
        """Take in what was spent and recorded before."""
        self._take(usage.cost_usd)

    def _take(self, price: float) -> None:
        with self._lock:
            self._spent += price
            if self._spent < self._limit or self._reached is None:
                return
            reached, self._reached = self._reached, None
        reached(f"the plan's budget of {self._limit:g} USD is used up ({self._spent:.4g} spent)")
