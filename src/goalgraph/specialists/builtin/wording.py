"""Names, numbers, dates and files in words."""

import json
import math
import re
from datetime import datetime
from typing import Literal

__all__ = ["Step", "date_text", "iso", "join_words", "number", "one_line", "percent", "points", "slug", "words"]

Step = Literal["year", "quarter", "month", "week", "day", "hour"]
"""Distance of a series' points, to the nearest calendar unit."""


def words(name: str) -> str:
    """Turn a column's name into words: ``"education_and_health_services"`` to ``"Education and health services"``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", name.strip())
    text = re.sub(r"[_\s]+", " ", spaced).strip()
    if not text:
        return name
    return text[0].upper() + text[1:]


def number(value: float) -> str:
    """Write a number for reading: thousands separated, about four significant digits and never fewer whole ones."""
    if not math.isfinite(value):
        return "n/a"
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-6:
        return f"{value:.3e}"
    if size >= 1000 or value == int(value):
        return f"{value:,.0f}"
    decimals = 1 if size >= 100 else 2 if size >= 1 else min(3 - math.floor(math.log10(size)), 8)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if size < 1 else text


def percent(fraction: float) -> str:
    """Write a fraction as percent: ``0.0634`` as ``"6.3%"``; from 100 % on, without decimals."""
    value = abs(fraction) * 100
    if value >= 1e9:
        return f"{value:.1e}%"
    return f"{value:,.0f}%" if value >= 99.95 else f"{value:.1f}%"


def points(fraction: float) -> str:
    """Write a difference of two shares as percentage points."""
    return f"{abs(fraction) * 100:.1f} percentage points"


def iso(when: datetime, step: Step) -> str:
    """Write a date as far as its series resolves it: ``2006``, ``2006-01``, ``2006-01-31``, or with the time."""
    form = {"year": "%Y", "quarter": "%Y-%m", "month": "%Y-%m", "hour": "%Y-%m-%dT%H:%M"}
    return when.strftime(form.get(step, "%Y-%m-%d"))


def date_text(when: datetime, step: Step) -> str:
    """Write a date for reading: ``Jan 2006`` for months, ``Q1 2006``, ``2006``, ``5 Jan 2006``."""
    if step == "year":
        return f"{when.year}"
    if step == "quarter":
        return f"Q{(when.month + 2) // 3} {when.year}"
    if step == "month":
        return f"{when:%b} {when.year}"
    day = f"{when.day} {when:%b} {when.year}"
    return f"{day} {when:%H:%M}" if step == "hour" else day


def join_words(items: list[str]) -> str:
    """Join items as in a sentence: ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def slug(text: str, length: int = 48) -> str:
    """Make a file name's part from a text: lower case letters, digits and dashes."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain[:length].rstrip("-") or "chart"


def one_line(value: object, length: int = 400) -> str:
    """Write any value on one line, cut at a length."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    flat = " ".join(text.split())
    return flat if len(flat) <= length else f"{flat[: length - 1]}…"
