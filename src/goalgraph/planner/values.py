"""The values that fields of plans hold: texts, names, numbers, durations, ids."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from goalgraph.planner.durations import checked_duration

__all__ = ["STEP_ID", "Count", "Duration", "Join", "Name", "OnFailure", "Seconds", "StepId", "Text", "Variable"]

STEP_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}$"

StepId = Annotated[str, StringConstraints(pattern=STEP_ID)]
"""Letters, digits, ``_``, ``-`` and ``.``, at most 128 of them, not starting with ``-`` or ``.``."""

Join = Literal["all_success", "all_done", "any_success"]
"""When a step may run: all dependencies succeeded (default), all are over, or one succeeded."""

OnFailure = Literal["fail_fast", "continue", "wait_all"]
"""What the failure of a branch or an item does to the whole.

``fail_fast``: the others are cancelled, the whole fails. ``wait_all``: the others go on to their end, then the whole
fails. ``continue``: the whole succeeds with what succeeded, as long as anything did, and says what is missing.
"""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
"""Not blank, at most 20,000 characters."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
"""Not blank, at most 128 characters."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
"""Above 0."""
Count = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
"""From 1."""
Duration = Annotated[float | str, BeforeValidator(checked_duration)]
"""Seconds, or text such as ``"90s"``, ``"15m"``, ``"1h30m"``, ``"2d"``, or an expression that gives one of these."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""A name in expressions, at most 64 characters."""
