"""Numbers, times and data as a report writes them."""

import json
from collections.abc import Mapping
from typing import Any, cast

from goalgraph.views.marks import seconds_text
from goalgraph.views.report.timeline import moment

__all__ = ["as_text", "clock", "count", "cut", "span", "tick", "usd"]


def span(seconds: float) -> str:
    """Write a duration: as all views do, and of less than a second two digits that count."""
    return f"{seconds:.2g} s" if 0.001 <= seconds < 0.995 else seconds_text(seconds)


def tick(seconds: float) -> str:
    """Write a place on the time axis."""
    return f"{seconds:.6g} s" if seconds < 60 else seconds_text(seconds)


def clock(text: str | None) -> str:
    """Write a time as it is recorded to the second; empty where it is none."""
    at = moment(text)
    return at.strftime("%Y-%m-%d %H:%M:%S") if at is not None else ""


def count(number: float) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,.0f}"


def usd(amount: float | None) -> str:
    """Write an amount of USD; of small ones what can be seen of them."""
    if amount is None:
        return "unknown"
    if amount == 0:
        return "0"
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}" if amount >= 0.0001 else "< 0.0001"


def as_text(value: object) -> str:
    """Write a value: text as it is, all else as JSON; nothing as nothing."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = dict(cast("Mapping[str, Any]", value))
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def cut(text: str, most: int) -> str:
    """Shorten a text, and say so."""
    return text if len(text) <= most else f"{text[:most]}\n... (the first {most:,} of {len(text):,} characters)"
