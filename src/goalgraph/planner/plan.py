"""The plan: a goal as a graph of typed steps."""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
)

from goalgraph.planner.durations import checked_time
from goalgraph.planner.estimable import Estimable
from goalgraph.planner.roles import Role
from goalgraph.planner.values import Count, Duration, Join, Name, OnFailure, Seconds, StepId, Text, Variable
from goalgraph.planner.votes import Voting

__all__ = [
    "AgentStep",
    "ApprovalGuardrail",
    "BudgetGuardrail",
    "ConditionStep",
    "Coordinator",
    "Guardrail",
    "HumanApprovalStep",
    "HumanInputStep",
    "Join",
    "MapStep",
    "OnFailure",
    "ParallelStep",
    "Plan",
    "Retry",
    "Step",
    "StepId",
    "SubPlanStep",
    "TimeoutGuardrail",
    "TransformStep",
    "WaitStep",
]


class _Stored(BaseModel):
    """Kept in checkpoints and files: immutable, and no unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="null",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Retry(_Stored):
    """How often, and after how long, a failed attempt is made again."""

    max_attempts: Annotated[int, Field(ge=1, le=100, strict=True)] = 3
    """Attempts in all, the first one included."""
    initial_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 0.5
    """Wait before the second attempt."""
    factor: Annotated[float, Field(ge=1, allow_inf_nan=False, strict=True)] = 2.0
    """Each further wait is this many times the last one, with jitter."""
    max_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 60.0
    """No wait is longer, unless the other side asks for it (``Retry-After``)."""


class _Step(_Stored):
    """What every step has."""

    id: StepId
    """Unique in its plan."""
    depends_on: tuple[StepId, ...] = ()
    """Steps whose outcomes this one needs, beside those its expressions name."""
    when: str | None = None
    """Expression; where it is false the step is skipped."""
    join: Join = "all_success"
    """What must be true of its dependencies for it to run."""
    optional: bool = False
    """A failure lowers the quality of the answer but stops no dependant."""


class _CopiedStep(_Step):
    """A step with data of the caller's, of which a plan takes a copy: what the caller changes later stays his.

    Not for steps with several others inside of them, which may be shared, so that copies would multiply them.
    """

    model_config = ConfigDict(revalidate_instances="always")


class AgentStep(Voting, _CopiedStep):
    """Work for a specialist, or for several at once.

    The specialist is named (``agent``), or found by what it must be able to do (``requires``). With ``agents`` each of
    them does the work, at the same time; the output is an object of theirs, by name, or that of the vote's winner.
    """

    type: Literal["agent"] = "agent"
    task: Text | None = None
    """What is to be done, self-contained, in words; the id says it where this is absent."""
    agent: Name | None = None
    """Name of the specialist."""
    agents: tuple[Name, ...] = ()
    """Names of several specialists, in place of ``agent``."""
    requires: tuple[Name, ...] = ()
    """Capabilities, all of which the specialist must have; used where ``agent`` is absent."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    """Arguments; strings may hold expressions such as ``{{ steps.read.output.rows }}``."""
    timeout: Seconds | None = None
    """Seconds for one attempt, counted from the moment the step really starts."""
    retry: Retry | None = None
    """How often it is tried; absent: as the execution policy says."""
    fallback: tuple[Name, ...] = ()
    """Specialists to try, in this order, once the first one's attempts are used up."""
    constraints: tuple[Text, ...] = ()
    """Free text the specialist must heed, such as ``"under 1000 words"``."""
    min_confidence: Annotated[float, Field(ge=0, le=1, strict=True)] | None = None
    """Below this confidence the outcome counts as weak and the answer as degraded."""


class HumanApprovalStep(_Step):
    """A human says yes or no; a no fails the step, so that what depends on it does not run.

    Its output is ``{"approved": true, "comment": ...}``.
    """

    type: Literal["human_approval"] = "human_approval"
    prompt: Text
    """The question; may hold expressions."""
    assignee: Text | None = None
    """Who is asked; may be an expression."""
    deadline: Duration | None = None
    """How long after the step's turn has come the answer may take."""
    on_timeout: Literal["reject", "approve", "escalate"] = "reject"
    """What a passed deadline means; ``escalate`` asks once more, marked as such and without a deadline."""


class HumanInputStep(_CopiedStep):
    """A human fills something in; the output is the answer."""

    type: Literal["human_input"] = "human_input"
    prompt: Text
    """The question; may hold expressions."""
    answer_schema: dict[str, JsonValue] = Field(
        default_factory=dict, validation_alias="schema", serialization_alias="schema"
    )
    """JSON Schema of the answer; what does not fit is asked again."""
    assignee: Text | None = None
    """Who is asked; may be an expression."""
    deadline: Duration | None = None
    """How long after the step's turn has come the answer may take; then the step has failed."""


class ConditionStep(_Step):
    """A fork: the steps of the branch that is not taken are skipped; the output is true or false."""

    type: Literal["condition"] = "condition"
    test: Text = Field(validation_alias="if", serialization_alias="if")
    """Expression that decides."""
    then: "tuple[Branch, ...]" = ()
    """Steps that run only if it is true: ids of steps that stand elsewhere, or the steps themselves."""
    otherwise: "tuple[Branch, ...]" = Field(default=(), validation_alias="else", serialization_alias="else")
    """Steps that run only if it is false."""


class ParallelStep(Voting, _Step):
    """Branches that run at the same time, and their end in common.

    The output is an object with the output of each branch, by the id of its last step, or what ``output`` says.
    """

    type: Literal["parallel"] = "parallel"
    branches: "tuple[_Branches, ...]" = Field(min_length=1)
    """Each a step, the id of one that stands elsewhere, or a list of them that run one after the other."""
    concurrency: Count | None = None
    """Most branches at work at the same time; absent: all."""
    on_failure: OnFailure = "wait_all"
    """What a failed branch means for the others, and for the group."""
    timeout: Seconds | None = None
    """Seconds for all branches together, counted from the start of the first one."""
    output: JsonValue = None
    """What the output is, with expressions; absent: the branches' outputs by id."""


class MapStep(_CopiedStep):
    """One step for every item of a list; the output is the list of their outputs, in the order of the items."""

    type: Literal["map"] = "map"
    over: "_Items"
    """The list, or an expression that gives it."""
    variable: Variable = Field(default="item", validation_alias="as", serialization_alias="as")
    """What the step's expressions call the item; ``index`` counts them from 0."""
    step: "Step"
    """What is done with each item, with an id of its own choice."""
    concurrency: Count | None = None
    """Most items at work at the same time; absent: all."""
    on_failure: OnFailure = "wait_all"
    """What a failed item means for the others, and for the map."""
    timeout: Seconds | None = None
    """Seconds for all items together, counted from the start of the first one."""


class WaitStep(_Step):
    """Waits for a duration, until a time, or for an event; exactly one of them. Takes nobody's place meanwhile.

    The output is the time it waited for (ISO 8601), or what came with the event.
    """

    type: Literal["wait"] = "wait"
    duration: Duration | None = None
    """Counted from the end of what the step depends on, or from the start of the run."""
    until: Annotated[str, AfterValidator(checked_time)] | None = None
    """ISO 8601 with a time zone (UTC where there is none), or an expression that gives it."""
    event: Name | None = None
    """Name of the event."""
    timeout: Seconds | None = None
    """Seconds after which a wait for an event has failed."""


class SubPlanStep(_CopiedStep):
    """A whole plan as one step.

    Inside, ``input`` is this step's input over the plan's own defaults, and ``steps`` are the plan's own. The output is
    the plan's ``output``; without one, that of its last step, or of its last steps by id.
    """

    type: Literal["sub_plan"] = "sub_plan"
    plan: "_SubPlan"
    """Alias in the library of plans, with a version if wanted (``"intake@2"``), or the plan itself."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    """Values of the plan's inputs; may hold expressions."""
    timeout: Seconds | None = None
    """Seconds for all of it, counted from the start of its first step."""


class TransformStep(_CopiedStep):
    """Computes its output from what is there already, with expressions alone."""

    type: Literal["transform"] = "transform"
    output: JsonValue
    """Any JSON, with expressions in its strings."""


_UNION: tuple[type[_Step], ...] = (
    AgentStep,
    HumanApprovalStep,
    HumanInputStep,
    ConditionStep,
    ParallelStep,
    MapStep,
    WaitStep,
    SubPlanStep,
    TransformStep,
)


def _kind(value: object) -> str | None:
    """Type of a step that may be data or an object; one that says none is an agent's."""
    if isinstance(value, Mapping):
        named: object = cast("Mapping[str, object]", value).get("type", "agent")
        return named if isinstance(named, str) else None
    return str(vars(value)["type"]) if isinstance(value, _UNION) else None


Step = Annotated[
    Annotated[AgentStep, Tag("agent")]
    | Annotated[HumanApprovalStep, Tag("human_approval")]
    | Annotated[HumanInputStep, Tag("human_input")]
    | Annotated[ConditionStep, Tag("condition")]
    | Annotated[ParallelStep, Tag("parallel")]
    | Annotated[MapStep, Tag("map")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[SubPlanStep, Tag("sub_plan")]
    | Annotated[TransformStep, Tag("transform")],
    Discriminator(_kind),
]
"""Any step of a plan."""


def _form(value: object) -> str:
    """Whether something is named, listed, or stands there itself."""
    if isinstance(value, str):
        return "name"
    return "list" if isinstance(value, (list, tuple)) else "step"


def _named_or_whole(value: object) -> str:
    return "name" if isinstance(value, str) else "whole"


Branch = Annotated[Annotated[StepId, Tag("name")] | Annotated[Step, Tag("whole")], Discriminator(_named_or_whole)]
"""A step, or the id of one that stands elsewhere in the plan."""

_Branches = Annotated[
    Annotated[StepId, Tag("name")]
    | Annotated[Step, Tag("step")]
    | Annotated[Annotated[tuple[Branch, ...], Field(min_length=1)], Tag("list")],
    Discriminator(_form),
]
_Items = Annotated[
    Annotated[str, Tag("name")] | Annotated[list[JsonValue], Tag("whole")], Discriminator(_named_or_whole)
]


class BudgetGuardrail(_Stored):
    """No new step starts once the run's model calls have cost this much."""

    type: Literal["budget"] = "budget"
    max_cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
    """In USD, above 0."""


class TimeoutGuardrail(_Stored):
    """What is not done this long after the start of the run is cancelled."""

    type: Literal["timeout"] = "timeout"
    max_seconds: Seconds
    """Above 0."""


class ApprovalGuardrail(_Stored):
    """A human is asked before these steps run."""

    type: Literal["approval"] = "approval"
    require_for: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Ids of steps, names of specialists, or capabilities."""


Guardrail = Annotated[BudgetGuardrail | TimeoutGuardrail | ApprovalGuardrail, Field(discriminator="type")]


class Coordinator(_Stored):
    """How the plan as a whole is run."""

    id: Annotated[str, StringConstraints(max_length=200)] = ""
    """A name for people; nothing depends on it."""
    strategy: Literal["parallel", "sequential"] = "parallel"
    """``sequential``: one step at a time, in plan order as far as dependencies allow."""
    guardrails: tuple[Guardrail, ...] = ()
    """Bounds that the plan brings along; the stricter of them and the caller's own hold."""


class Plan(Estimable, _Stored):
    """A validated-on-use graph of steps; the order of ``steps`` is the order they are shown in."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""
    """For people, at most 200 characters."""
    description: Annotated[str, StringConstraints(max_length=20_000)] = ""
    """For people: what the plan is for."""
    inputs: dict[str, JsonValue] = Field(default_factory=dict)
    """Default values of the plan's inputs, by name; a run's own values win."""
    coordinator: Coordinator = Coordinator()
    """How the plan as a whole is run."""
    roles: tuple[Role, ...] = ()
    """Specialists that are made for this plan, where the caller allows it: a list, or a mapping by name."""
    steps: tuple[Step, ...] = ()
    """At least one, or the plan is not valid."""
    output: JsonValue = None
    """What the plan's result is, with expressions; None: the synthesis of its outcomes."""

    @classmethod
    def json_schema(cls) -> dict[str, JsonValue]:
        """Return the JSON Schema of plan documents, in both of their styles, for editors and other tools."""
        from goalgraph.planner.documents.schema import plan_schema  # here, because it is made from this class

        return plan_schema()

    def step(self, step_id: str) -> Step:
        """Return the step of the id ``step_id``.

        Raises:
            KeyError: The plan has no such step.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


_PlanName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150)]
_SubPlan = Annotated[Annotated[_PlanName, Tag("name")] | Annotated[Plan, Tag("whole")], Discriminator(_named_or_whole)]

for _model in (ConditionStep, ParallelStep, MapStep, SubPlanStep, Plan):
    _model.model_rebuild()
