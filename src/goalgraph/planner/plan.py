"""The plan: a goal as a graph of typed steps."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

__all__ = ["AgentStep", "Join", "Plan", "Retry", "Step", "StepId"]

STEP_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}$"

StepId = Annotated[str, StringConstraints(pattern=STEP_ID)]
"""Letters, digits, ``_``, ``-`` and ``.``, at most 128 of them, not starting with ``-`` or ``.``."""

Join = Literal["all_success", "all_done", "any_success"]
"""When a step may run: all dependencies succeeded (default), all are over, or one succeeded."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]


class _Stored(BaseModel):
    """Kept in checkpoints and files: immutable, and no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Retry(_Stored):
    """How often, and after how long, a failed attempt is made again."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """Attempts in all, the first one included."""
    initial_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    """Wait before the second attempt."""
    factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """Each further wait is this many times the last one, with jitter."""
    max_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """No wait is longer."""


class AgentStep(_Stored):
    """Work for one specialist.

    The specialist is named (``agent``), or found by what it must be able to do (``requires``).
    """

    type: Literal["agent"] = "agent"
    id: StepId
    task: _Text
    """What is to be done, self-contained, in words."""
    agent: _Name | None = None
    """Name of the specialist."""
    requires: tuple[_Name, ...] = ()
    """Capabilities, all of which the specialist must have; used where ``agent`` is absent."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    """Arguments; strings may hold expressions such as ``{{ steps.read.output.rows }}``."""
    depends_on: tuple[StepId, ...] = ()
    """Steps whose outcomes this one needs, beside those its expressions name."""
    when: str | None = None
    """Expression; where it is false the step is skipped."""
    join: Join = "all_success"
    optional: bool = False
    """A failure lowers the quality of the answer but stops no dependant."""
    timeout: _Seconds | None = None
    """Seconds for one attempt, counted from the moment the step really starts."""
    retry: Retry | None = None
    fallback: tuple[_Name, ...] = ()
    """Specialists to try, in this order, once the first one's attempts are used up."""
    constraints: tuple[_Text, ...] = ()
    """Free text the specialist must heed, such as ``"under 1000 words"``."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    """Below this confidence the outcome counts as weak and the answer as degraded."""


Step = AgentStep
"""Any step of a plan."""


class Plan(_Stored):
    """A validated-on-use graph of steps; the order of ``steps`` is the order they are shown in."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""
    description: Annotated[str, StringConstraints(max_length=20_000)] = ""
    inputs: dict[str, JsonValue] = Field(default_factory=dict)
    """Default values of the plan's inputs, by name; a run's own values win."""
    steps: tuple[Step, ...] = ()
    output: JsonValue = None
    """What the plan's result is, with expressions; None: the synthesis of its outcomes."""

    def step(self, step_id: str) -> Step:
        """Return the step of that id.

        Raises:
            KeyError: The plan has no such step.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
