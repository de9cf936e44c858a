"""One of several results for the same work, as votes and hooks see it."""

from dataclasses import dataclass

from pydantic import JsonValue

__all__ = ["Ballot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One of several results for the same work."""

    voter: str
    """Id of its step within the group: the specialist's name."""
    output: JsonValue
    confidence: float | None = None
