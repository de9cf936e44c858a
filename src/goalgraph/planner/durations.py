"""Durations and times as people write them."""

import math
import re
from datetime import UTC, datetime

__all__ = ["checked_duration", "checked_time", "seconds_of", "time_of"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_LONGEST = 10 * 365 * 86_400


def seconds_of(value: object) -> float:
    """Read a duration: a number of seconds, or text such as ``"90s"``, ``"1h30m"``, ``"2d"``.

    Raises:
        ValueError: It is neither, is negative, or is longer than ten years.
    """
    found = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str) and len(value) <= 100 and _WHOLE.fullmatch(text := value.replace(" ", "")):
        found = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not 0 <= found <= _LONGEST:
        raise ValueError(
            f"expected seconds or text like '90s', '15m', '1h30m', '2d', at most ten years, found {_shown(value)}"
        )
    return found


def time_of(value: object) -> datetime:
    """Read a time: ISO 8601, in UTC where it names no zone.

    Raises:
        ValueError: It is none.
    """
    try:
        if not isinstance(value, str):
            raise ValueError("not text")
        found = datetime.fromisoformat(value.strip())
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expected a time like '2026-03-01T09:00:00+01:00', found {_shown(value)}") from error


def checked_duration(value: object) -> object:
    """Let a duration or an expression pass.

    Raises:
        ValueError: It is neither.
    """
    if not (isinstance(value, str) and "{{" in value):
        seconds_of(value)
    return value


def checked_time(value: str) -> str:
    """Let a time or an expression pass.

    Raises:
        ValueError: It is neither.
    """
    if "{{" not in value:
        time_of(value)
    return value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
