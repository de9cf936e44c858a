"""What is kept of a run beside its checkpoints: the content of ``run.json``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from goalgraph.cli.endings import BadInput
from goalgraph.cli.terminal import as_json_text
from goalgraph.errors.codes import StepErrorCode
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Artifact, Outcome, Status, Usage

__all__ = ["KeptAnswer", "Question", "RunOptions", "RunRecord", "StepRecord", "read_record", "step_records"]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunOptions(_Stored):
    """How the steps of a run are done; a resumed run is done in the same way."""

    max_concurrency: Annotated[int, Field(ge=1)] | None = None
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Seconds for one attempt of a step."""
    idle_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Seconds that an attempt may go on without a sign of life."""
    on_failure: Literal["continue", "fail_fast", "wait_all"] = "continue"
    review: bool = False
    """Whether a human is asked before the plan runs."""
    approve: tuple[str, ...] = ()
    """Steps, specialists and capabilities that a human is asked about before they are at work."""
    revise: Annotated[int, Field(ge=1)] | None = None
    """How often the plan may be changed while it runs; None: never."""
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Most USD for models, planning included."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of prompts and answers, planning included."""
    eager: bool = False
    """Whether first steps may begin while the plan is being written."""
    least: Literal["full", "simple", "single"] = "full"
    """How good a plan must be."""
    constraints: tuple[str, ...] = ()
    """What plans must heed, in free words."""
    require_approval: bool = False
    """Whether plans must ask a human before they are through."""
    available: tuple[str, ...] | None = None
    """Names of the specialists that plans may use; None: all."""
    prompts: str = ""
    """Folder of templates in the caller's own words; empty: the built-in ones."""
    specialists: tuple[str, ...] = ()
    """The caller's own, as ``module:attribute``."""
    directory: str = ""
    """Where those modules are imported from."""


class StepRecord(_Stored):
    """What became of a step."""

    id: str
    status: Status | Literal["waiting"]
    """``waiting``: it has not been done."""
    specialist: str | None = None
    attempts: int = 0
    seconds: float = 0.0
    usage: Usage | None = None
    """What it asked of models; None where it has not been done, or an earlier version did it."""
    error: str | None = None
    code: StepErrorCode | None = None
    """Of the error; None where there is none, or an earlier version recorded it."""
    artifacts: tuple[Artifact, ...] = ()


class Question(_Stored):
    """What a run waits for: the answer of a human, or an event."""

    id: str
    """Of the request."""
    step: str
    """Id of the step; empty for the plan; for a specialist's own question, the specialist."""
    kind: Literal["plan", "approval", "gate", "input", "event", "specialist"]
    """As for `goalgraph.Request`."""
    prompt: str
    arguments: JsonValue = None
    """What is asked about, where the prompt does not say it: the plan, the step's arguments, a specialist's calls."""
    allowed: tuple[str, ...] = ()
    """Decisions that may be given: ``approve``, ``edit``, ``reject``, ``respond``; none of them where any answer will
    do."""
    assignee: str | None = None
    deadline: str | None = None
    """ISO 8601."""
    escalated: bool = False
    """Whether it is asked once more because nobody answered in time."""
    form: dict[str, JsonValue] = {}
    """JSON Schema that the answer must fit; empty where any will do."""
    problem: str | None = None
    """Why the last answer was refused."""

    @property
    def name(self) -> str:
        """What it is answered by, where no other question is called the same."""
        return "plan" if self.kind == "plan" else self.step


class KeptAnswer(_Stored):
    """An answer that waits for its question."""

    answer: JsonValue
    by: str | None = None


class RunRecord(_Stored):
    """A run, from its first moment to its end."""

    version: str
    """Of goalgraph."""
    run: str
    thread: str
    """Of the checkpoints."""
    goal: str
    data: tuple[str, ...] = ()
    """Absolute paths."""
    model: str | None = None
    options: RunOptions = RunOptions()
    inputs: dict[str, JsonValue] = {}
    """Values of the plan's inputs, by name."""
    planned: bool = False
    """Whether the plan was made of the goal, so that another one can be made where a human does not want it."""
    answers: dict[str, KeptAnswer] = {}
    """Answers that were given and wait for their questions, by step or id of the question."""
    started: str
    """ISO 8601, UTC."""
    finished: str | None = None
    """When the run ended, was interrupted, or began to wait."""
    status: Literal["running", "interrupted", "waiting", "complete", "degraded", "failed", "halted"] = "running"
    """A run whose process was killed stays ``running``; one that is ``waiting`` has questions."""
    questions: tuple[Question, ...] = ()
    decisions: tuple[Decision, ...] = ()
    """How the plan was made and changed, and what people answered."""
    revisions: int = 0
    """How often the plan was changed while it ran."""
    degraded: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    planning: Usage = Usage()
    """What the planner's model was asked for."""
    usage: Usage = Usage()
    """All of it, planning included."""

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.status not in ("running", "interrupted", "waiting")

    @property
    def done(self) -> int:
        """Number of steps that have an outcome."""
        return sum(1 for step in self.steps if step.status != "waiting")

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files that steps wrote."""
        return tuple(dict.fromkeys(artifact.path for step in self.steps for artifact in step.artifacts))

    def text(self) -> str:
        """The content of ``run.json``."""
        return as_json_text(self.model_dump(mode="json"))


def read_record(path: Path) -> RunRecord:
    """Read a ``run.json``.

    Raises:
        BadInput: It cannot be read, or is no record of a run.
    """
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(
            f"cannot read {str(path)!r}: {error.strerror}", hint="check the path and its permissions"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise BadInput(
            f"{str(path)!r} is no record of a run of this version: {where}: {first['msg']}", hint="run the goal again"
        ) from error


def step_records(doers: Mapping[str, str], outcomes: Mapping[str, Outcome], folder: Path) -> tuple[StepRecord, ...]:
    """Record every step of a plan.

    Args:
        doers: Who is to do it, by step id, in plan order.
        outcomes: Those there are, by step id; those of a map's items are not steps of the plan, and their files are
            the map's.
        folder: Of the run; files in it are recorded relative to it, so that it can be moved.
    """
    items: dict[str, list[Artifact]] = {}
    for step_id, outcome in outcomes.items():
        map_id, bracket, _ = step_id.partition("[")
        if bracket:
            items.setdefault(map_id, []).extend(outcome.artifacts)
    return tuple(
        _recorded(outcomes[step_id], who, items.get(step_id, ()), folder)
        if step_id in outcomes
        else StepRecord(
            id=step_id, status="waiting", specialist=who, artifacts=_relative(items.get(step_id, ()), folder)
        )
        for step_id, who in doers.items()
    )


def _recorded(outcome: Outcome, who: str, items: Sequence[Artifact], folder: Path) -> StepRecord:
    return StepRecord(
        id=outcome.step,
        status=outcome.status,
        specialist=outcome.specialist or who,
        attempts=outcome.attempts,
        seconds=round(outcome.seconds, 3),
        usage=outcome.usage,
        error=outcome.error.message if outcome.error is not None else None,
        code=outcome.error.code if outcome.error is not None else None,
        artifacts=_relative((*outcome.artifacts, *items), folder),
    )


def _relative(artifacts: Sequence[Artifact], folder: Path) -> tuple[Artifact, ...]:
    found = {artifact.path: artifact for artifact in artifacts}
    return tuple(
        artifact.model_copy(update={"path": _inside(Path(artifact.path), folder)}) for artifact in found.values()
    )


def _inside(path: Path, folder: Path) -> str:
    full, root = path.resolve(), folder.resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else str(path)
