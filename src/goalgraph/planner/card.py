"""What the planner knows of a specialist, without knowing the specialist."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = ["SpecialistCard"]


_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SpecialistCard(BaseModel):
    """A specialist as the planner, the router and a reviewer see it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Unique; what plans call it."""
    description: str = ""
    """What it does, for whom and from what, in a sentence or two; planners choose by it."""
    capabilities: tuple[str, ...] = ()
    """Short terms such as ``"research"``; a step may require them instead of naming a specialist."""
    max_concurrency: int | None = None
    """Steps of one run it works on at the same time; None: no limit of its own."""
    output_schema: dict[str, JsonValue] | None = None
    """JSON Schema of its output: the fields that plans name are checked before they run, outputs when they come."""
    model: str | None = None
    """Name at its provider of the chat model that it works with, where that is known; for estimates."""
    cost_usd: _Amount | None = None
    """What a step of it usually costs, in USD, as its author says; 0 without a model: it asks none."""
    seconds: _Amount | None = None
    """How long a step of it usually takes, as its author says."""
    effects: bool = False
    """Whether its steps have effects outside of the run, such as mail that is sent or money that is moved."""
    replica_of: str | None = None
    """Name of the specialist whose work it does as well as that one does: steps that name that one may be given to it.
    Planners are not told of it."""
