"""What is left of a run's limits, for specialists that want to know."""

from dataclasses import dataclass

__all__ = ["UNLIMITED", "Remaining"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What is left at one moment, calls that are under way taken off as far as they may go; None: there is no limit."""

    usd: float | None = None
    tokens: int | None = None
    """Of prompts and answers together."""
    calls: int | None = None
    """Of models."""
    seconds: float | None = None
    """Until the run's time is over."""


UNLIMITED = Remaining()
