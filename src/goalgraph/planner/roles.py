"""Roles: specialists that a plan proposes for its own steps."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from goalgraph.planner.card import SpecialistCard

__all__ = ["Role", "RoleName", "card_of_role"]

RoleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}$")]
"""Letters, digits, ``_``, ``-`` and ``.``, at most 64 of them, not starting with ``-`` or ``.``."""

_Tool = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class Role(BaseModel):
    """A specialist that is made for a plan, where the caller allows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: RoleName
    """What steps call it: letters, digits, `_`, `-` and `.`, at most 64 of them; no specialist's name."""
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""
    """What it is for, in a sentence or two."""
    instructions: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
    """How its work is to be done."""
    tools: Annotated[tuple[_Tool, ...], Field(max_length=100)] = ()
    """Names of the tools that it works with, out of those the caller allows."""


def card_of_role(role: Role, model: str | None = None) -> SpecialistCard:
    """Return a role as planners, routers and reviewers see specialists; it has no capabilities.

    Args:
        role: The role.
        model: Name of the chat model that it works with.
    """
    return SpecialistCard(name=role.name, description=role.description, model=model)
