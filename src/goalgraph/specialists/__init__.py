"""Who does the steps: the Protocol, the decorator, adapters, the registry and the router."""

from goalgraph.planner.card import SpecialistCard
from goalgraph.specialists.adapters import RunnableSpecialist, as_specialist
from goalgraph.specialists.artifacts import ArtifactStore, FolderArtifacts
from goalgraph.specialists.assessing import Assess, Assessment, Assessor
from goalgraph.specialists.assessors import all_of, fits, parses
from goalgraph.specialists.bus import Message
from goalgraph.specialists.commands import passes
from goalgraph.specialists.confidence import from_logprobs
from goalgraph.specialists.function import FunctionSpecialist, specialist
from goalgraph.specialists.grading import ModelGrader
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.roles import Roles
from goalgraph.specialists.router import route
from goalgraph.specialists.routing.model_router import ModelRouter
from goalgraph.specialists.routing.policy import HealthPolicy, RoutingPolicy
from goalgraph.specialists.routing.request import Candidate, Choice, PlanRouter, Router, RoutingRequest
from goalgraph.specialists.shared import SharedState
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask

__all__ = [
    "ArtifactStore",
    "Assess",
    "Assessment",
    "Assessor",
    "Candidate",
    "Choice",
    "FolderArtifacts",
    "FunctionSpecialist",
    "HealthPolicy",
    "Message",
    "ModelGrader",
    "ModelRouter",
    "PlanRouter",
    "Roles",
    "Router",
    "RoutingPolicy",
    "RoutingRequest",
    "RunnableSpecialist",
    "SharedState",
    "Specialist",
    "SpecialistCard",
    "SpecialistRegistry",
    "StepContext",
    "StepResult",
    "StepTask",
    "all_of",
    "as_specialist",
    "fits",
    "from_logprobs",
    "parses",
    "passes",
    "route",
    "specialist",
]
