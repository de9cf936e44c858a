"""Signals that the engine itself knows; specialists may send any others too."""

__all__ = ["BLOCKER", "CONFLICT", "ESCALATION", "HANDOFF"]

HANDOFF = "handoff.ready"
"""What was made can be taken over: for whoever comes next to see, and for triggers of revisions."""
BLOCKER = "confidence.blocker"
"""It makes no sense to go on: the run halts, with what there is."""
CONFLICT = "conflict.active"
"""Two results contradict each other: the answer is degraded, unless somebody arbitrates."""
ESCALATION = "escalation.interrupt"
"""Somebody has to look at it: another specialist, where a hook names one, else a human."""
