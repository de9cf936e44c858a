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
        self._told = [reached]
        self._is_reached = False
        self._lock = Lock()
        self._take(0.0)

    def charge(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """Take in a call; return its price in USD, None where it is not known."""
        price = price_of(model, input_tokens, output_tokens, self._prices)
        if price is not None:
            self._take(price)
        return price

    def watch(self, reached: Callable[[str], None]) -> Callable[[], None]:
        """Have something else called too once the limit is reached, or at once where it has been.

        Returns:
            What ends that.
        """
        with self._lock:
            self._told.append(reached)
            is_late = self._is_reached
        if is_late:
            reached(self._said())
        return lambda: self._forget(reached)

    def add(self, usage: Usage) -> None:
        """Take in what was spent and recorded before."""
        self._take(usage.cost_usd)

    def _take(self, price: float) -> None:
        with self._lock:
            self._spent += price
            if self._spent < self._limit or self._is_reached:
                return
            self._is_reached = True
            told = list(self._told)
        for reached in told:
            reached(self._said())

    def _said(self) -> str:
        return f"the plan's budget of {self._limit:g} USD is used up ({self._spent:.4g} spent)"

    def _forget(self, reached: Callable[[str], None]) -> None:
        with self._lock:
            if reached in self._told:
                self._told.remove(reached)
