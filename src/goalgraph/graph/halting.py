"""How a run ends that a human has stopped."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage

from goalgraph.planner.decision import Decision

__all__ = ["halted"]


def halted(answer: str, reason: str, decisions: Sequence[Decision] = ()) -> dict[str, Any]:
    """Return the update of the state that ends a run as ``halted``.

    Args:
        answer: What to say in place of the answer.
        reason: Why.
        decisions: What was decided meanwhile.
    """
    return {
        "answer": answer,
        "status": "halted",
        "degraded": [reason],
        "decisions": list(decisions),
        "messages": [AIMessage(answer)],
    }
