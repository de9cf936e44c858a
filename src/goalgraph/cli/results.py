"""What a run came to, or what it waits for, as the command shows it."""

import shlex
import sys
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from goalgraph.cli.asked import asked_lines, commands_for
from goalgraph.cli.checkpoints import are_durable
from goalgraph.cli.crew import Crew
from goalgraph.cli.decided import course_lines
from goalgraph.cli.endings import Stopped, exit_code_of
from goalgraph.cli.execution import Ended
from goalgraph.cli.folders import RunFolder
from goalgraph.cli.planning import plan_lines
from goalgraph.cli.records import RunRecord
from goalgraph.cli.terminal import Terminal
from goalgraph.planner.plan import Plan

__all__ = ["show_ended", "show_stopped", "way_on"]

_MOST_FILES = 20


def show_ended(
    folder: RunFolder, ended: Ended, terminal: Terminal, plan: Plan | None = None, crew: Crew | None = None
) -> int:
    """Show what a run came to, or what it waits for; return the exit code.

    Args:
        folder: Of the run.
        ended: How it stands.
        terminal: Where it is shown.
        plan: Of the run; shown where it is asked about.
        crew: Who there is.
    """
    record = ended.record
    if terminal.as_json:
        terminal.document(_document(folder, record, ended.answer if record.over else None))
    elif record.over:
        _show_end(folder, record, ended.answer, terminal)
    else:
        terminal.line()
        lines = plan_lines(plan, crew) if plan is not None and crew is not None else ()
        for line in asked_lines(record, str(folder), lines):
            terminal.text(line)
        terminal.line(way_on(folder, record))
    for name in ended.unused:
        sys.stderr.write(f"goalgraph: note: the answer for {name!r} was not used, because the step did not ask\n")
    if record.status == "failed":
        sys.stderr.write(
            f"goalgraph: error: the run failed: no step succeeded; see {str(folder.path / 'run.json')!r}\n"
        )
    return exit_code_of(record.status)


def show_stopped(folder: RunFolder, stopped: Stopped, terminal: Terminal) -> int:
    """Show how far a run came until a signal stopped it; return the exit code."""
    left = folder.record
    if terminal.as_json:
        terminal.document(_document(folder, left, None))
    sys.stderr.write(f"stopped; {left.done} of {len(left.steps)} steps done; {way_on(folder, left)}\n")
    return stopped.exit_code


def way_on(folder: RunFolder, record: RunRecord) -> str:
    """Say how to go on with a run."""
    if not are_durable():
        return "going on with a run needs pip install 'goalgraph[sqlite]' before it starts"
    if record.status == "waiting":
        return f"answer on a terminal with: goalgraph answer {shlex.quote(str(folder))}"
    return f"go on with: goalgraph resume {shlex.quote(str(folder))}"


def _show_end(folder: RunFolder, record: RunRecord, answer: str, terminal: Terminal) -> None:
    if answer.strip():
        terminal.line()
        terminal.answer(answer)
    terminal.line()
    succeeded, skipped = (sum(1 for one in record.steps if one.status == status) for status in ("succeeded", "skipped"))
    more = f", {skipped} skipped" if skipped else ""
    terminal.line(f"{record.status}: {succeeded} of {len(record.steps)} steps succeeded{more}")
    for reason in record.degraded:
        terminal.text(f"  - {reason}")
    if record.revisions:
        times = "once" if record.revisions == 1 else f"{record.revisions} times"
        terminal.line(f"the plan was revised {times}; see plan.revised.yaml")
    for line in course_lines(record.decisions):
        terminal.text(f"  {line}")
    kept = [path.name for path in (folder.report,) if path.exists()]
    files = list(dict.fromkeys((*kept, *record.files)))
    rest = [f"and {len(files) - _MOST_FILES} more"] if len(files) > _MOST_FILES else []
    terminal.text(f"files in {folder}:")
    plans = ["plan.yaml", *([folder.revised.name] if folder.revised.exists() else [])]
    for name in (*files[:_MOST_FILES], *rest, *plans, "run.json"):
        terminal.text(f"  {name}")
    terminal.text(f"as one page: goalgraph report {shlex.quote(str(folder))}")


def _document(folder: RunFolder, record: RunRecord, answer: str | None) -> JsonValue:
    found = cast("Mapping[str, JsonValue]", record.model_dump(mode="json"))
    questions = [
        {**one.model_dump(mode="json"), "answer_with": list(commands_for(one, record.questions, str(folder)))}
        for one in record.questions
    ]
    return {**found, "questions": cast("list[JsonValue]", questions), "answer": answer}
