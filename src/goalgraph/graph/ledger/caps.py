"""What a run may ask of models, and what one call may come to."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Call", "Caps", "Dimension", "Met", "Settled", "Used"]

Dimension = Literal["max_cost_usd", "max_tokens", "max_calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits of a ledger; None: no limit."""

    max_cost_usd: float | None = None
    max_tokens: int | None = None
    """Of prompts and answers together."""
    max_calls: int | None = None
    unpriced: float | Literal["refuse", "ignore"] = "ignore"
    """As `Limits.unpriced`."""
    keep_back: float = 0.0
    """Share that only last calls may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that is about to be made."""

    model: str | None
    """Its name at the provider, where it is known beforehand."""
    input_tokens: int
    """An estimate that leans high."""
    max_output: int | None = None
    """Most tokens of the answer, where the call itself sets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a model says that a call has used, in tokens."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a call has come to."""

    cost_usd: float
    input_tokens: int
    output_tokens: int
    is_unpriced: bool
    """Whether nobody knows its price; the cost is then what such a call counts as."""
    is_estimated: bool
    """Whether the model did not say what it used; the tokens are then those that were reserved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A limit that was met."""

    limit: Dimension
    said: str
    """Which one, with figures, in a line."""
