"""goalgraph: a goal in plain words becomes a validated plan, a parallel LangGraph run, and one answer."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goalgraph.errors import GoalgraphError, InvalidPlan, PlannerError, PlanProblem
    from goalgraph.graph import ExecutionPolicy, Limits, PlanAgent, create_plan_agent, generate_plan
    from goalgraph.planner.outcome import Artifact, Outcome, StepError, Usage
    from goalgraph.planner.plan import AgentStep, Plan, Retry
    from goalgraph.specialists import (
        Specialist,
        SpecialistCard,
        SpecialistRegistry,
        StepContext,
        StepResult,
        StepTask,
        as_specialist,
        specialist,
    )
    from goalgraph.synthesis import Synthesis, SynthesisRequest, Synthesizer

__version__ = "0.1.0"

__all__ = [
    "AgentStep",
    "Artifact",
    "ExecutionPolicy",
    "GoalgraphError",
    "InvalidPlan",
    "Limits",
    "Outcome",
    "Plan",
    "PlanAgent",
    "PlanProblem",
    "PlannerError",
    "Retry",
    "Specialist",
    "SpecialistCard",
    "SpecialistRegistry",
    "StepContext",
    "StepError",
    "StepResult",
    "StepTask",
    "Synthesis",
    "SynthesisRequest",
    "Synthesizer",
    "Usage",
    "as_specialist",
    "create_plan_agent",
    "generate_plan",
    "specialist",
]

# Loaded at first use, so that `import goalgraph` and the command line start fast.
_HOMES = {
    "goalgraph.errors": ("GoalgraphError", "InvalidPlan", "PlannerError", "PlanProblem"),
    "goalgraph.graph": ("ExecutionPolicy", "Limits", "PlanAgent", "create_plan_agent", "generate_plan"),
    "goalgraph.planner.outcome": ("Artifact", "Outcome", "StepError", "Usage"),
    "goalgraph.planner.plan": ("AgentStep", "Plan", "Retry"),
    "goalgraph.specialists": (
        "Specialist",
        "SpecialistCard",
        "SpecialistRegistry",
        "StepContext",
        "StepResult",
        "StepTask",
        "as_specialist",
        "specialist",
    ),
    "goalgraph.synthesis": ("Synthesis", "SynthesisRequest", "Synthesizer"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # else every name would pass type checkers

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'goalgraph' has no attribute {name!r}")
        value: object = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
