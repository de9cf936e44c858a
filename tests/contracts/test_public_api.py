"""The public names: exactly these, all there, all documented."""

import importlib
import inspect
import pickle
import pkgutil

import pytest

import goalgraph
from goalgraph import errors

NAMES = [
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
    "Report",
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
    "RunResult",
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
    "awatch",
    "builtin_specialists",
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
    "watch",
]
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(goalgraph.__path__, "goalgraph.")
    if not found.name.endswith("__main__")
)
LEAVES = [
    getattr(errors, name) for name in errors.__all__ if name not in ("AnswerProblem", "PlanProblem", "GoalgraphError")
]


def test_the_public_names_are_exactly_these() -> None:
    assert goalgraph.__all__ == NAMES == sorted(NAMES)


def test_the_names_offered_by_dir_are_the_public_ones() -> None:
    assert set(NAMES) <= set(dir(goalgraph))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_has_a_docstring(name: str) -> None:
    found = getattr(goalgraph, name)
    assert inspect.isclass(found) or inspect.isfunction(found)
    assert (inspect.cleandoc(found.__doc__ or "")).strip()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'goalgraph' has no attribute 'nothing'"):
        _ = goalgraph.nothing  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue,reportUnknownVariableType,reportUnknownMemberType]


@pytest.mark.parametrize("module", MODULES)
def test_each_module_says_what_it_is_for_and_what_it_offers(module: str) -> None:
    found = importlib.import_module(module)
    assert found.__doc__
    assert "\n" not in found.__doc__.strip().partition("\n\n")[0]
    offered: list[str] = list(getattr(found, "__all__", []))
    assert len(set(offered)) == len(offered)
    assert all(hasattr(found, name) for name in offered)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_error_is_a_goalgraph_error_drawn_in_the_tree(leaf: type[Exception]) -> None:
    assert issubclass(leaf, goalgraph.GoalgraphError)
    assert f"─ {leaf.__name__} " in (errors.__doc__ or "")


PROBLEM = errors.PlanProblem(code="invalid_value", step="a", field="agent", message="no such", hint="name one")
RAISED = [
    errors.GoalgraphError("found x", hint="do y"),
    errors.InvalidPlan([PROBLEM], source="plan.yaml"),
    errors.PlannerInvalid([PROBLEM], attempts=3),
    errors.PlannerTruncated("cut", hint="more"),
    errors.MissingExtra("numpy", "data"),
    errors.ModelFailed("no route", hint="try later"),
    errors.UnknownSpecialist("nobody", hint="there are: a"),
    errors.ProgramFailed("it failed", ended="exited", exit_code=1),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_error_goes_through_pickle_with_its_fields(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_an_error_says_what_to_do_in_one_line() -> None:
    assert str(RAISED[0]) == "found x; do y"
    assert str(RAISED[1]) == "plan.yaml is not valid: step 'a' agent: no such (name one)"
    assert str(RAISED[4]) == "numpy needs the extra 'data'; pip install 'goalgraph[data]'"


def test_an_error_with_very_many_problems_shows_the_first_and_holds_all() -> None:
    error = errors.InvalidPlan([PROBLEM] * 50)
    assert len(error.problems) == 50
    assert str(error).count("no such") == 20
    assert str(error).endswith("and 30 more")


@pytest.mark.parametrize(
    ("leaf", "builtin"),
    [
        ("InvalidPlan", ValueError),
        ("InvalidGoal", ValueError),
        ("PlannerInvalid", ValueError),
        ("ModelFailed", ConnectionError),
        ("UnknownModel", ValueError),
        ("MissingExtra", ImportError),
        ("InvalidSpecialist", ValueError),
        ("UnknownSpecialist", LookupError),
        ("InvalidData", ValueError),
        ("InvalidPrompt", ValueError),
        ("InvalidState", ValueError),
        ("SynthesisFailed", RuntimeError),
        ("UnknownRun", LookupError),
    ],
)
def test_an_error_is_also_what_a_caller_would_expect(leaf: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, leaf), builtin)
