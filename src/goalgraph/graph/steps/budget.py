"""What a run's model calls cost, against the limit that its plan sets."""

from collections.abc import Callable, Iterable
from threading import Lock

from goalgraph.planner.outcome import Usage

__all__ = ["Budget"]


class Budget:
    """Adds up the cost of model calls, and says once when the limit is reached.

    Prices are those of the genai-prices package, which holds a table and asks nobody. A call whose model it does not
    know is counted, not priced. May be told of calls in any thread: models report what they used in threads of their
    own.
    """

    def __init__(self, limit: float, spent: Iterable[Usage], reached: Callable[[str], None]) -> None:
        """Begin with what was spent before.

        Args:
            limit: In USD.
            spent: Of recorded outcomes.
            reached: Called once, with what to say, as soon as the limit is reached; in the thread of the call.
        """
        self._limit = limit
        self._spent = sum(usage.cost_usd for usage in spent)
        self._reached: Callable[[str], None] | None = reached
        self._lock = Lock()
        self._take(0.0)

    def charge(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """Take in a call; return its price in USD, None where it is not known."""
        from genai_prices import Usage as Tokens  # here, because its table takes a while to load
        from genai_prices import calc_price

        try:
            found = calc_price(Tokens(input_tokens=input_tokens, output_tokens=output_tokens), model)
        except LookupError:
            return None
        price = float(found.total_price)
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
