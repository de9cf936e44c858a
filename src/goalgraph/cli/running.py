"""The commands ``run`` and ``resume``."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import cast
from uuid import uuid4

from pydantic import JsonValue, ValidationError

from goalgraph import __version__
from goalgraph.cli.asked import asked_lines
from goalgraph.cli.assignments import read_assignments
from goalgraph.cli.crew import Crew, gather_crew
from goalgraph.cli.endings import COMPLETE, BadInput, Stopped, exit_code_of, one_line_of
from goalgraph.cli.execution import Ended, Execution, RunBroken
from goalgraph.cli.folders import RunFolder, find_run, new_run
from goalgraph.cli.planning import checked_goal, make_plan, show_plan
from goalgraph.cli.questions import check_steps
from goalgraph.cli.records import RunOptions, RunRecord, step_records
from goalgraph.cli.signals import run_stoppable
from goalgraph.cli.sources import checked_plan, library_at, read_file, read_given
from goalgraph.cli.terminal import Terminal
from goalgraph.errors import MissingExtra
from goalgraph.planner.outcome import Usage
from goalgraph.planner.plan import Plan

__all__ = ["RunRequest", "resume_run", "start_run"]

_MOST_FILES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What ``goalgraph run`` was given."""

    goal: str | None
    data: tuple[Path, ...]
    model: str | None
    out: Path | None
    plan: str | None
    """A file or an alias."""
    library: Path | None
    inputs: tuple[str, ...]
    answers: tuple[str, ...]
    own: tuple[str, ...]
    max_concurrency: int | None
    timeout: float | None
    yes: bool
    overwrite: bool
    as_json: bool


def start_run(request: RunRequest) -> int:
    """Plan a goal and do it; see ``goalgraph run --help``."""
    terminal = Terminal(as_json=request.as_json)
    with terminal.guarded():
        given, goal, library = None, request.goal, library_at(request.library)
        inputs = read_assignments("--input", request.inputs, files=True)
        answers = read_assignments("--answer", request.answers)
        if request.plan is not None:
            given = read_given(request.plan, library)
            goal = goal if goal is not None else given.plan.description or given.plan.name or given.name
        goal = checked_goal(goal)
        options = _options(request)
        folder = new_run(request.out, goal, datetime.now(UTC))
        folder.make()
        try:
            with folder.held():
                folder.check_free(overwrite=request.overwrite)
                crew = gather_crew(request.data, folder.path.resolve(), request.model, request.own, Path.cwd())
                if given is not None:
                    plan, planning = checked_plan(given, library, crew.registry.cards, inputs), Usage()
                else:
                    plan, planning = make_plan(goal, crew, terminal, inputs)
                check_steps(answers, crew.flat(plan), crew.registry.cards)
                show_plan(plan, crew, terminal)
                if terminal.asks and not request.yes and not terminal.confirms("Run it?"):
                    terminal.line("not run")
                    return COMPLETE
                folder.clear()
                record = RunRecord(
                    version=__version__,
                    run=folder.path.resolve().name,
                    thread=uuid4().hex,
                    goal=goal,
                    data=tuple(str(path.resolve()) for path in request.data),
                    model=request.model,
                    options=options,
                    inputs=inputs,
                    answers=answers,
                    started=datetime.now(UTC).isoformat(timespec="seconds"),
                    steps=step_records(crew.doers(plan), {}, folder.path),
                    planning=planning,
                    usage=planning,
                )
                folder.write_plan(plan)
                folder.write_record(record)
                return _carried_out(folder, record, plan, crew, terminal)
        finally:
            folder.abandon()


def resume_run(name: str, *, answers: tuple[str, ...] = (), as_json: bool) -> int:
    """Go on with a run that was interrupted or killed, or that waits; see ``goalgraph resume --help``."""
    terminal = Terminal(as_json=as_json)
    with terminal.guarded():
        given = read_assignments("--answer", answers)
        folder = find_run(name)
        with folder.held():
            record = folder.record
            if record.over:
                if not as_json:
                    terminal.line(f"this run is over: {record.status}")
                return _concluded(folder, Ended(record=record, answer=folder.answer(), unused=tuple(given)), terminal)
            if find_spec("langgraph.checkpoint.sqlite") is None:
                raise MissingExtra("going on with a run", "sqlite")
            options = record.options
            crew = gather_crew(
                tuple(map(Path, record.data)),
                folder.path.resolve(),
                record.model,
                options.specialists,
                Path(options.directory),
            )
            plan = checked_plan(read_file(folder.plan), None, crew.registry.cards)
            check_steps(given, crew.flat(plan), crew.registry.cards)
            if given:
                record = record.model_copy(update={"answers": {**record.answers, **given}})
                folder.write_record(record)
            return _carried_out(folder, record, plan, crew, terminal)


def _options(request: RunRequest) -> RunOptions:
    try:
        return RunOptions(
            max_concurrency=request.max_concurrency,
            timeout=request.timeout,
            specialists=request.own,
            directory=str(Path.cwd()),
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise BadInput(
            f"--{name}: {first['msg']}, found {first['input']!r}", hint="give a number above 0, or leave it out"
        ) from error


def _carried_out(folder: RunFolder, record: RunRecord, plan: Plan, crew: Crew, terminal: Terminal) -> int:
    try:
        ended = run_stoppable(Execution(folder, record, plan, crew, terminal).carry_out())
    except Stopped as stopped:
        left = folder.record
        if terminal.as_json:
            terminal.document(_document(left, None))
        sys.stderr.write(f"stopped; {left.done} of {len(left.steps)} steps done; {_way_on(folder)}\n")
        return stopped.exit_code
    except (BadInput, RunBroken):
        raise
    except Exception as error:
        raise RunBroken(f"the run in {str(folder)!r} broke off: {one_line_of(error)}", hint=_way_on(folder)) from error
    return _concluded(folder, ended, terminal)


def _way_on(folder: RunFolder, more: str = "") -> str:
    if find_spec("langgraph.checkpoint.sqlite") is None:
        return "going on with a run needs pip install 'goalgraph[sqlite]' before it starts"
    return f"go on with: goalgraph resume {shlex.quote(str(folder))} {more}".rstrip()


def _concluded(folder: RunFolder, ended: Ended, terminal: Terminal) -> int:
    """Show what a run came to, or what it waits for."""
    record = ended.record
    if terminal.as_json:
        terminal.document(_document(record, ended.answer if record.over else None))
    elif record.over:
        _show_end(folder, record, ended.answer, terminal)
    else:
        terminal.line()
        for line in asked_lines(record):
            terminal.text(line)
        terminal.line(_way_on(folder, "--answer STEP=..."))
    for step in ended.unused:
        sys.stderr.write(f"goalgraph: note: the answer for {step!r} was not used, because the step did not ask\n")
    if record.status == "failed":
        sys.stderr.write(
            f"goalgraph: error: the run failed: no step succeeded; see {str(folder.path / 'run.json')!r}\n"
        )
    return exit_code_of(record.status)


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
    kept = [path.name for path in (folder.report,) if path.exists()]
    files = list(dict.fromkeys((*kept, *record.files)))
    rest = [f"and {len(files) - _MOST_FILES} more"] if len(files) > _MOST_FILES else []
    terminal.text(f"files in {folder}:")
    for name in (*files[:_MOST_FILES], *rest, "plan.yaml", "run.json"):
        terminal.text(f"  {name}")


def _document(record: RunRecord, answer: str | None) -> JsonValue:
    return {**cast("Mapping[str, JsonValue]", record.model_dump(mode="json")), "answer": answer}
