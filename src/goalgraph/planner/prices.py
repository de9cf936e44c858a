"""What the tokens of chat models cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

__all__ = ["Price", "price_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in USD per million tokens."""

    input: float
    """Of tokens of prompts."""
    output: float
    """Of tokens of answers."""

    def __post_init__(self) -> None:
        for name in ("input", "output"):
            if not 0 <= (found := getattr(self, name)) < float("inf"):
                raise ValueError(f"Price.{name} must be USD per million tokens, 0 or more, found {found!r}")


def price_of(
    model: str, input_tokens: int, output_tokens: int, prices: Mapping[str, Price] | None = None
) -> float | None:
    """Return what a call costs, in USD; None where nobody knows the model's price.

    Prices that are not given are those of the genai-prices package, which holds a table and asks nobody.

    Args:
        model: Its name at the provider, such as ``"gpt-5-mini"``.
        input_tokens: What it is sent.
        output_tokens: What it answers.
        prices: The caller's own, by name of model; they win.
    """
    own = prices.get(model) if prices is not None else None
    if (flat := own or _flat(model)) is not None:
        return (input_tokens * flat.input + output_tokens * flat.output) / 1_000_000
    return _listed(model, input_tokens, output_tokens)


@lru_cache(maxsize=256)
def _flat(model: str) -> Price | None:
    """Find a model's price, if it is the same for long prompts: the package's own sums take 0.2 ms each."""
    from genai_prices import Usage as Tokens  # here, because its table takes a while to load
    from genai_prices import calc_price

    try:
        found = calc_price(Tokens(), model).model_price
    except LookupError:
        return None
    sent, answered = found.input_mtok, found.output_mtok
    if not isinstance(sent, Decimal) or not isinstance(answered, Decimal) or found.requests_kcount:
        return None
    return Price(input=float(sent), output=float(answered))


def _listed(model: str, input_tokens: int, output_tokens: int) -> float | None:
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    try:
        return float(calc_price(Tokens(input_tokens=input_tokens, output_tokens=output_tokens), model).total_price)
    except LookupError:
        return None
