"""How large and how deep a document may be."""

from goalgraph.planner.documents.faults import Fault, Path, Place

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_ITEMS",
    "MAX_REPEATED",
    "MAX_STEPS",
    "MAX_VALUES",
    "too_deep",
    "too_large",
    "too_many",
]

MAX_BYTES = 8_000_000
"""Largest document that is read."""
MAX_DEPTH = 100
"""Lists and mappings inside of one another."""
MAX_STEPS = 20_000
"""Steps, those inside of other steps included."""
MAX_ITEMS = 100_000
"""Items of one list or mapping."""
MAX_VALUES = 500_000
"""Texts, numbers, lists and mappings in all."""
MAX_REPEATED = 1_000_000
"""Characters by which aliases may make a document larger than its text."""


def too_deep(path: Path, place: Place | None = None) -> Fault:
    """Refuse what nests deeper than `MAX_DEPTH`; a path that long would say nothing."""
    return Fault("too_deep", f"lists and mappings nest deeper than {MAX_DEPTH}", path[:2], "make it flatter", place)


def too_many(path: Path, steps: bool, place: Place | None = None) -> Fault:
    """Refuse a list or a mapping that is too long."""
    if steps:
        return Fault("too_many_steps", f"more than {MAX_STEPS:,} steps", path, "split the plan", place)
    return Fault("too_large", f"more than {MAX_ITEMS:,} items", path, "keep large data in files", place)


def too_large() -> Fault:
    """Refuse a document of too many values or characters."""
    return Fault("too_large", f"more than {MAX_VALUES:,} values or {MAX_BYTES:,} characters", (), "split the plan")
