"""Plain data of unknown shape, seen as a mapping or as a list."""

from collections.abc import Mapping
from typing import cast

__all__ = ["as_list", "as_mapping"]


def as_mapping(value: object) -> Mapping[str, object] | None:
    """Return the value if it is a mapping; in plain data its keys are text."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None


def as_list(value: object) -> list[object] | None:
    """Return the value if it is a list."""
    return cast("list[object]", value) if isinstance(value, list) else None
