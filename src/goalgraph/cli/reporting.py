"""The command ``report``: one HTML page about a run, over or not."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from langgraph.types import Interrupt

from goalgraph.cli.checkpoints import are_durable, opened
from goalgraph.cli.endings import COMPLETE, BadInput
from goalgraph.cli.folders import RunFolder, find_run, write_text
from goalgraph.cli.records import Question, RunRecord, StepRecord
from goalgraph.cli.terminal import Terminal
from goalgraph.graph.storage.values import stored_values
from goalgraph.planner.documents import load_plan
from goalgraph.planner.outcome import Artifact, Outcome, StepError, Usage
from goalgraph.planner.run_metrics import metrics_of
from goalgraph.views.report import MARKER, report_page

__all__ = ["write_report"]


def write_report(name: str, out: str | None, *, overwrite: bool = False) -> int:
    """Write the report of a run, and say where it is; return the exit code.

    Args:
        name: Folder of the run, or its name.
        out: The file; ``-`` for stdout, None for ``report.html`` in the run's folder.
        overwrite: Whether it may replace a file that is no report.

    Raises:
        UnknownRun: There is no such run.
        BadInput: Its record cannot be read, or the file cannot be written, or is something else.
        CorruptRun: Its checkpoints cannot be read.
    """
    terminal = Terminal()
    folder = find_run(name)
    target = folder.page if out is None else Path(out)
    if out != "-" and not overwrite:
        _check_free(target)
    html = report_page(_values(folder, folder.record), folder.path).html
    if out == "-":
        terminal.line(html)
        return COMPLETE
    try:
        write_text(target, html)
    except OSError as error:
        raise BadInput(f"cannot write {str(target)!r}: {error.strerror}", hint="check the path and space") from error
    terminal.text(str(target))
    return COMPLETE


def _check_free(target: Path) -> None:
    """See that nothing is lost: what is written over may only be an earlier report."""
    try:
        with target.open(encoding="utf-8", errors="replace") as file:
            is_report = MARKER in file.read(2_000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"cannot write {str(target)!r}: {error.strerror}", hint="give another -o") from error
    if not is_report:
        raise BadInput(f"{str(target)!r} is there, and is no report of a run", hint="give another -o, or --overwrite")


def _values(folder: RunFolder, record: RunRecord) -> Mapping[str, Any]:
    """Values of the run's state: by its checkpoints, and where these are not there by its record."""
    found: Mapping[str, Any] = {}
    if are_durable() and folder.checkpoints.exists():
        with opened(folder.checkpoints) as saver:
            found = stored_values(saver, record.thread)
    if found.get("plan") is None:
        found = _recorded(folder, record)
    elif record.over:
        found = {**found, "usage": record.usage}
    elif not record.options.eager:
        found = {**found, "usage": (found.get("usage") or Usage()) + record.planning}
    found = {**found, "outcomes": _at_home(found.get("outcomes") or {}, record.files)}
    asked = [Interrupt(value=_payload(one)) for one in record.questions]
    return {**found, "goal": record.goal, "status": record.status, "__interrupt__": asked}


def _at_home(outcomes: Mapping[str, Outcome], files: Collection[str]) -> dict[str, Outcome]:
    """Name files in the run's folder from there, as its record does: the folder may have been moved since."""
    inside = [name for name in files if not Path(name).is_absolute()]

    def moved(artifact: Artifact) -> Artifact:
        path = Path(artifact.path).as_posix()
        name = max((one for one in inside if path.endswith(f"/{one}")), key=len, default=artifact.path)
        return artifact.model_copy(update={"path": name})

    return {
        step: one.model_copy(update={"artifacts": tuple(map(moved, one.artifacts))}) if one.artifacts else one
        for step, one in outcomes.items()
    }


def _recorded(folder: RunFolder, record: RunRecord) -> dict[str, Any]:
    plan = next((load_plan(path) for path in (folder.revised, folder.plan) if path.exists()), None)
    outcomes = {one.id: _outcome(one) for one in record.steps if one.status != "waiting"}
    return {
        "answer": folder.answer() if record.over else "",
        "degraded": record.degraded,
        "plan": plan,
        "outcomes": outcomes,
        "decisions": record.decisions,
        "usage": record.usage,
        "metrics": metrics_of(outcomes.values()),
    }


def _outcome(step: StepRecord) -> Outcome:
    """Make an outcome of what is recorded of it; when it began, and what it gave, is not."""
    return Outcome.model_validate(
        {
            "step": step.id,
            "status": step.status,
            "specialist": step.specialist,
            "attempts": step.attempts,
            "seconds": step.seconds,
            "usage": step.usage or Usage(),
            "error": StepError(code=step.code or "raised", message=step.error) if step.error is not None else None,
            "artifacts": step.artifacts,
        }
    )


def _payload(question: Question) -> dict[str, Any]:
    """Write a question as an interrupt carries it."""
    return {
        "action_requests": [{"name": question.name, "args": question.arguments}],
        "review_configs": [{"action_name": question.name, "allowed_decisions": list(question.allowed)}],
        **question.model_dump(mode="json", include={"kind", "step", "prompt", "assignee", "deadline"}),
    }
