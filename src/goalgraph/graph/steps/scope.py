"""What expressions see of a run."""

from collections.abc import Callable, Mapping
from datetime import datetime

from pydantic import JsonValue

from goalgraph.planner.outcome import Outcome

__all__ = ["scope_of"]


def scope_of(
    inputs: Mapping[str, JsonValue],
    outcomes: Mapping[str, Outcome],
    now: Callable[[], datetime],
    bindings: Mapping[str, JsonValue] | None = None,
) -> dict[str, object]:
    """Return ``input``, ``steps`` and ``now()`` for the expression language.

    Args:
        inputs: Of the run.
        outcomes: Of the steps that expressions may name.
        now: Tells the time.
        bindings: What a map calls its item, and ``index``.
    """
    return {
        **(bindings or {}),
        "input": dict(inputs),
        "steps": {
            step_id: {
                "output": outcome.output,
                "status": outcome.status,
                "confidence": outcome.confidence,
                "error": outcome.error.message if outcome.error else None,
            }
            for step_id, outcome in outcomes.items()
        },
        "now": lambda: now().isoformat(),
    }
