"""goalgraph: a goal in plain words becomes a validated plan, a parallel LangGraph run, and one answer."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goalgraph.errors import (
        AlreadyAnswered,
        AnswerProblem,
        AnswerRefused,
        CorruptRun,
        DelegationRefused,
        ForeignRequest,
        GoalgraphError,
        HookFailed,
        InvalidAnswer,
        InvalidPlan,
        LimitReached,
        NothingReceived,
        PlannerError,
        PlanProblem,
        RunPaused,
        StaleRequest,
        UnknownPlan,
        UnknownRequest,
        UnknownRun,
    )
    from goalgraph.graph import (
        ApprovalPolicy,
        ExecutionPolicy,
        Limits,
        PlanAgent,
        PlanningPolicy,
        Proposal,
        Request,
        RevisionPolicy,
        Ruling,
        aanswer,
        answer,
        apending,
        create_plan_agent,
        generate_plan,
        on_all_complete,
        on_assignment,
        on_conflict,
        on_escalation,
        on_quorum,
        on_step_complete,
        pending,
    )
    from goalgraph.planner.alternatives import BestOf
    from goalgraph.planner.builder import PlanBuilder
    from goalgraph.planner.decision import Decision
    from goalgraph.planner.decision_lines import decisions_as_lines
    from goalgraph.planner.decomposer import (
        Decomposer,
        PlanRequest,
    )
    from goalgraph.planner.diff import (
        PlanDiff,
        diff_plans,
    )
    from goalgraph.planner.documents import (
        dump_plan,
        load_plan,
    )
    from goalgraph.planner.estimate import Estimate
    from goalgraph.planner.folder_library import FolderLibrary
    from goalgraph.planner.history import History
    from goalgraph.planner.library import (
        InMemoryLibrary,
        PlanLibrary,
    )
    from goalgraph.planner.model_decomposer import ModelDecomposer
    from goalgraph.planner.model_reviser import ModelReviser
    from goalgraph.planner.outcome import (
        Artifact,
        Outcome,
        StepError,
        Usage,
    )
    from goalgraph.planner.patch import PlanPatch
    from goalgraph.planner.plan import (
        AgentStep,
        ApprovalGuardrail,
        BudgetGuardrail,
        ConditionStep,
        Coordinator,
        HumanApprovalStep,
        HumanInputStep,
        MapStep,
        ParallelStep,
        Plan,
        Retry,
        SubPlanStep,
        TimeoutGuardrail,
        TransformStep,
        WaitStep,
    )
    from goalgraph.planner.prices import Price
    from goalgraph.planner.reviser import (
        Reviser,
        RevisionRequest,
        Trigger,
    )
    from goalgraph.planner.roles import Role
    from goalgraph.planner.rule_reviser import RuleReviser
    from goalgraph.planner.run_metrics import RunMetrics
    from goalgraph.planner.signalled import Signal
    from goalgraph.planner.source import Source
    from goalgraph.planner.validation import (
        PlanPolicy,
        validate_plan,
    )
    from goalgraph.planner.votes import Vote
    from goalgraph.prompts import Prompts
    from goalgraph.specialists import (
        ArtifactStore,
        Assessment,
        FolderArtifacts,
        HealthPolicy,
        Message,
        ModelGrader,
        ModelRouter,
        Roles,
        RoutingPolicy,
        RoutingRequest,
        Specialist,
        SpecialistCard,
        SpecialistRegistry,
        StepContext,
        StepResult,
        StepTask,
        as_specialist,
        specialist,
    )
    from goalgraph.synthesis import (
        Synthesis,
        SynthesisRequest,
        Synthesizer,
    )

__version__ = "0.1.0"

__all__ = [
    "AgentStep",
    "AlreadyAnswered",
    "AnswerProblem",
    "AnswerRefused",
    "ApprovalGuardrail",
    "ApprovalPolicy",
    "Artifact",
    "ArtifactStore",
    "Assessment",
    "BestOf",
    "BudgetGuardrail",
    "ConditionStep",
    "Coordinator",
    "CorruptRun",
    "Decision",
    "Decomposer",
    "DelegationRefused",
    "Estimate",
    "ExecutionPolicy",
    "FolderArtifacts",
    "FolderLibrary",
    "ForeignRequest",
    "GoalgraphError",
    "HealthPolicy",
    "History",
    "HookFailed",
    "HumanApprovalStep",
    "HumanInputStep",
    "InMemoryLibrary",
    "InvalidAnswer",
    "InvalidPlan",
    "LimitReached",
    "Limits",
    "MapStep",
    "Message",
    "ModelDecomposer",
    "ModelGrader",
    "ModelReviser",
    "ModelRouter",
    "NothingReceived",
    "Outcome",
    "ParallelStep",
    "Plan",
    "PlanAgent",
    "PlanBuilder",
    "PlanDiff",
    "PlanLibrary",
    "PlanPatch",
    "PlanPolicy",
    "PlanProblem",
    "PlanRequest",
    "PlannerError",
    "PlanningPolicy",
    "Price",
    "Prompts",
    "Proposal",
    "Request",
    "Retry",
    "Reviser",
    "RevisionPolicy",
    "RevisionRequest",
    "Role",
    "Roles",
    "RoutingPolicy",
    "RoutingRequest",
    "RuleReviser",
    "Ruling",
    "RunMetrics",
    "RunPaused",
    "Signal",
    "Source",
    "Specialist",
    "SpecialistCard",
    "SpecialistRegistry",
    "StaleRequest",
    "StepContext",
    "StepError",
    "StepResult",
    "StepTask",
    "SubPlanStep",
    "Synthesis",
    "SynthesisRequest",
    "Synthesizer",
    "TimeoutGuardrail",
    "TransformStep",
    "Trigger",
    "UnknownPlan",
    "UnknownRequest",
    "UnknownRun",
    "Usage",
    "Vote",
    "WaitStep",
    "aanswer",
    "answer",
    "apending",
    "as_specialist",
    "create_plan_agent",
    "decisions_as_lines",
    "diff_plans",
    "dump_plan",
    "generate_plan",
    "load_plan",
    "on_all_complete",
    "on_assignment",
    "on_conflict",
    "on_escalation",
    "on_quorum",
    "on_step_complete",
    "pending",
    "specialist",
    "validate_plan",
]

# Loaded at first use, so that `import goalgraph` and the command line start fast.
_HOMES = {
    "goalgraph.errors": (
        "AlreadyAnswered",
        "AnswerProblem",
        "AnswerRefused",
        "CorruptRun",
        "DelegationRefused",
        "ForeignRequest",
        "GoalgraphError",
        "HookFailed",
        "InvalidAnswer",
        "InvalidPlan",
        "LimitReached",
        "NothingReceived",
        "PlanProblem",
        "PlannerError",
        "RunPaused",
        "StaleRequest",
        "UnknownPlan",
        "UnknownRequest",
        "UnknownRun",
    ),
    "goalgraph.graph": (
        "ApprovalPolicy",
        "ExecutionPolicy",
        "Limits",
        "PlanAgent",
        "PlanningPolicy",
        "Proposal",
        "Request",
        "RevisionPolicy",
        "Ruling",
        "aanswer",
        "answer",
        "apending",
        "create_plan_agent",
        "generate_plan",
        "on_all_complete",
        "on_assignment",
        "on_conflict",
        "on_escalation",
        "on_quorum",
        "on_step_complete",
        "pending",
    ),
    "goalgraph.planner.alternatives": ("BestOf",),
    "goalgraph.planner.builder": ("PlanBuilder",),
    "goalgraph.planner.decision": ("Decision",),
    "goalgraph.planner.decision_lines": ("decisions_as_lines",),
    "goalgraph.planner.decomposer": (
        "Decomposer",
        "PlanRequest",
    ),
    "goalgraph.planner.diff": (
        "PlanDiff",
        "diff_plans",
    ),
    "goalgraph.planner.documents": (
        "dump_plan",
        "load_plan",
    ),
    "goalgraph.planner.estimate": ("Estimate",),
    "goalgraph.planner.folder_library": ("FolderLibrary",),
    "goalgraph.planner.history": ("History",),
    "goalgraph.planner.library": (
        "InMemoryLibrary",
        "PlanLibrary",
    ),
    "goalgraph.planner.model_decomposer": ("ModelDecomposer",),
    "goalgraph.planner.model_reviser": ("ModelReviser",),
    "goalgraph.planner.outcome": (
        "Artifact",
        "Outcome",
        "StepError",
        "Usage",
    ),
    "goalgraph.planner.patch": ("PlanPatch",),
    "goalgraph.planner.plan": (
        "AgentStep",
        "ApprovalGuardrail",
        "BudgetGuardrail",
        "ConditionStep",
        "Coordinator",
        "HumanApprovalStep",
        "HumanInputStep",
        "MapStep",
        "ParallelStep",
        "Plan",
        "Retry",
        "SubPlanStep",
        "TimeoutGuardrail",
        "TransformStep",
        "WaitStep",
    ),
    "goalgraph.planner.prices": ("Price",),
    "goalgraph.planner.reviser": (
        "Reviser",
        "RevisionRequest",
        "Trigger",
    ),
    "goalgraph.planner.roles": ("Role",),
    "goalgraph.planner.rule_reviser": ("RuleReviser",),
    "goalgraph.planner.run_metrics": ("RunMetrics",),
    "goalgraph.planner.source": ("Source",),
    "goalgraph.planner.signalled": ("Signal",),
    "goalgraph.planner.validation": (
        "PlanPolicy",
        "validate_plan",
    ),
    "goalgraph.planner.votes": ("Vote",),
    "goalgraph.prompts": ("Prompts",),
    "goalgraph.specialists": (
        "ArtifactStore",
        "Assessment",
        "FolderArtifacts",
        "Message",
        "HealthPolicy",
        "ModelGrader",
        "ModelRouter",
        "Roles",
        "RoutingPolicy",
        "RoutingRequest",
        "Specialist",
        "SpecialistCard",
        "SpecialistRegistry",
        "StepContext",
        "StepResult",
        "StepTask",
        "as_specialist",
        "specialist",
    ),
    "goalgraph.synthesis": (
        "Synthesis",
        "SynthesisRequest",
        "Synthesizer",
    ),
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
