"""Who does the steps: the Protocol, the decorator, adapters, the registry and the router."""

from goalgraph.planner.card import SpecialistCard
from goalgraph.specialists.adapters import RunnableSpecialist, as_specialist
from goalgraph.specialists.artifacts import ArtifactStore, FolderArtifacts
from goalgraph.specialists.function import FunctionSpecialist, specialist
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.router import route
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask

__all__ = [
    "ArtifactStore",
    "FolderArtifacts",
    "FunctionSpecialist",
    "RunnableSpecialist",
    "Specialist",
    "SpecialistCard",
    "SpecialistRegistry",
    "StepContext",
    "StepResult",
    "StepTask",
    "as_specialist",
    "route",
    "specialist",
]
