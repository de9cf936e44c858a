"""The commands ``run``, ``resume`` and ``answer``."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import JsonValue, ValidationError

from goalgraph import __version__
from goalgraph.cli.assignments import read_assignments
from goalgraph.cli.checkpoints import are_durable, opened
from goalgraph.cli.conversation import converse
from goalgraph.cli.crew import Crew, gather_crew
from goalgraph.cli.decided import planning_lines
from goalgraph.cli.endings import BadInput, Stopped, one_line_of
from goalgraph.cli.execution import Ended, Execution, RunBroken
from goalgraph.cli.folders import RunFolder, find_run, new_run
from goalgraph.cli.planning import checked_goal, make_plan, show_plan
from goalgraph.cli.questions import check_gates, check_names
from goalgraph.cli.records import KeptAnswer, RunOptions, RunRecord, step_records
from goalgraph.cli.results import show_ended, show_stopped, way_on
from goalgraph.cli.sources import checked_plan, library_at, read_file, read_given
from goalgraph.cli.terminal import Terminal
from goalgraph.cli.wishes import Wishes, limits_of, planning_of
from goalgraph.errors import CorruptRun, MissingExtra
from goalgraph.graph.policies import Limits
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Usage
from goalgraph.planner.plan import Plan

__all__ = ["RunRequest", "resume_run", "start_run"]

_NO_MODEL = (
    "goalgraph: note: without --model rules plan, and only work on files is done (--data); "
    "for any other goal give --model, such as openai:gpt-5-mini, or specialists of your own\n"
)


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
    idle_timeout: float | None
    on_failure: str
    revise: int | None
    max_cost: float | None
    max_tokens: int | None
    eager: bool
    wishes: Wishes
    review: bool
    approve: tuple[str, ...]
    yes: bool
    overwrite: bool
    as_json: bool


def start_run(request: RunRequest) -> int:
    """Plan a goal and do it; see ``goalgraph run --help``."""
    terminal = Terminal(as_json=request.as_json)
    with terminal.guarded():
        given, goal, library = None, request.goal, library_at(request.library)
        inputs = read_assignments("--input", request.inputs, files=True)
        options = _options(request, terminal)
        answers = _answers("--answer", request.answers, options)
        if request.plan is not None:
            given = read_given(request.plan, library)
            goal = goal if goal is not None else given.plan.description or given.plan.name or given.name
        goal = checked_goal(goal)
        folder = new_run(request.out, goal, datetime.now(UTC))
        folder.make()
        try:
            with folder.held():
                folder.check_free(overwrite=request.overwrite)
                crew = gather_crew(
                    request.data,
                    folder.path.resolve(),
                    request.model,
                    request.own,
                    Path.cwd(),
                    prompts=options.prompts,
                    least=options.least,
                    available=options.available,
                )
                cards = crew.registry.cards
                for name in options.available or ():
                    crew.registry.get(name)
                plan: Plan | None = None
                planning, decisions = Usage(), tuple[Decision, ...]()
                if given is not None:
                    policy = planning_of(options).of(Limits())
                    plan = checked_plan(given, library, cards, inputs, policy)
                elif not options.eager:
                    plan, planning, decisions = make_plan(
                        goal, crew, terminal, inputs, request.wishes, limits_of(options)
                    )
                flat = crew.flat(plan) if plan is not None else None
                check_gates(options.approve, flat, cards)
                if flat is not None:
                    check_names("--answer", answers, flat, cards, options)
                if given is None and request.model is None and not (request.data or request.own):
                    sys.stderr.write(_NO_MODEL)
                if plan is not None and not options.review:
                    show_plan(plan, crew, terminal)
                for line in planning_lines(decisions):
                    terminal.text(line)
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
                    planned=given is None,
                    answers=_kept(answers, None),
                    started=datetime.now(UTC).isoformat(timespec="seconds"),
                    decisions=decisions,
                    steps=step_records(crew.doers(plan), {}, folder.path) if plan is not None else (),
                    planning=planning,
                    usage=planning,
                )
                if plan is not None:
                    folder.write_plan(plan)
                folder.write_record(record)
                return _carried_out(folder, record, plan, crew, terminal)
        finally:
            folder.abandon()


def resume_run(
    name: str, *, answers: tuple[str, ...] = (), option: str = "--answer", by: str | None = None, as_json: bool
) -> int:
    """Go on with a run that was interrupted or killed, or that waits; see ``goalgraph answer --help``.

    Args:
        name: Of the run, or its folder.
        answers: As they were typed.
        option: How they were given, for messages.
        by: Who answers.
        as_json: Write JSON and ask nothing.
    """
    terminal = Terminal(as_json=as_json)
    with terminal.guarded():
        folder = find_run(name)
        with folder.held():
            record = folder.record
            given = _answers(option, answers, record.options)
            if record.over:
                if not as_json:
                    terminal.line(f"this run is over: {record.status}")
                return show_ended(folder, Ended(record=record, answer=folder.answer(), unused=tuple(given)), terminal)
            if not are_durable():
                raise MissingExtra("going on with a run", "sqlite")
            options = record.options
            crew = gather_crew(
                tuple(map(Path, record.data)),
                folder.path.resolve(),
                record.model,
                options.specialists,
                Path(options.directory),
                prompts=options.prompts,
                least=options.least,
                available=options.available,
            )
            plan: Plan | None = None
            if folder.plan.exists() or not options.eager:
                plan = checked_plan(read_file(folder.plan), None, crew.registry.cards)
                others = [one.id for one in record.steps] if record.revisions else []
                check_names(option, given, crew.flat(plan), crew.registry.cards, options, others)
            if given:
                record = record.model_copy(update={"answers": {**record.answers, **_kept(given, by)}})
                folder.write_record(record)
            return _carried_out(folder, record, plan, crew, terminal, by)


def _answers(option: str, given: Sequence[str], options: RunOptions) -> dict[str, JsonValue]:
    """Read answers by name; that for a plan in review may be the file of an edited one, ``plan=@FILE``."""
    found = read_assignments(option, given)
    if options.review and isinstance(said := found.get("plan"), str) and said.startswith("@"):
        path = Path(said[1:])
        try:
            found["plan"] = {"type": "edit", "args": {"plan": path.read_text("utf-8")}}
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{option} 'plan': cannot read {str(path)!r}: {error}", hint="check the path") from error
    return found


def _kept(answers: Mapping[str, JsonValue], by: str | None) -> dict[str, KeptAnswer]:
    return {name: KeptAnswer(answer=answer, by=by) for name, answer in answers.items()}


def _options(request: RunRequest, terminal: Terminal) -> RunOptions:
    """Read how the run is to be done; on a terminal a human sees its plan first, unless that is not wanted."""
    if request.review and request.yes:
        raise BadInput("--review asks before the plan runs, and --yes does not", hint="give one of the two")
    wishes = request.wishes
    wishes.check()
    if request.plan is not None and (surplus := wishes.only_for_making()):
        raise BadInput(f"--plan takes a plan as it is, and {surplus[0]} is for making one", hint="give one of the two")
    review = request.review or (terminal.asks and not request.yes)
    if request.eager:
        _check_eager(request, review)
    try:
        return RunOptions.model_validate(
            {
                "max_concurrency": request.max_concurrency,
                "timeout": request.timeout,
                "idle_timeout": request.idle_timeout,
                "on_failure": request.on_failure.replace("-", "_"),
                "revise": request.revise,
                "max_cost": request.max_cost,
                "max_tokens": request.max_tokens,
                "eager": request.eager,
                "least": wishes.least,
                "constraints": wishes.constraints,
                "require_approval": wishes.approval,
                "available": wishes.names,
                "prompts": str(wishes.prompts.resolve()) if wishes.prompts is not None else "",
                "review": review,
                "approve": request.approve,
                "specialists": request.own,
                "directory": str(Path.cwd()),
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        hint = "see goalgraph run --help" if name == "on-failure" else "give a number above 0, or leave it out"
        raise BadInput(f"--{name}: {first['msg']}, found {first['input']!r}", hint=hint) from error


def _check_eager(request: RunRequest, review: bool) -> None:
    """See that steps can begin while the plan is being written.

    Raises:
        BadInput: They cannot.
    """
    if request.plan is not None:
        raise BadInput("--eager begins while the plan is made, and --plan has one", hint="give one of the two")
    if request.model is None:
        raise BadInput("--eager begins while a model writes the plan, and there is none", hint="give --model")
    if review:
        raise BadInput(
            "--eager begins before the plan is there to be asked about",
            hint="give --yes, and leave out --review; --approve NAME asks before single steps",
        )


def _carried_out(
    folder: RunFolder, record: RunRecord, plan: Plan | None, crew: Crew, terminal: Terminal, by: str | None = None
) -> int:
    try:
        with opened(folder.checkpoints) as saver:
            execution = Execution(folder, record, plan, crew, terminal, saver)
            ended = converse(execution, crew, terminal, by)
    except Stopped as stopped:
        return show_stopped(folder, stopped, terminal)
    except CorruptRun as error:
        found = str(error).removesuffix(f"; {error.hint}")
        raise BadInput(
            f"{str(folder.checkpoints)!r} cannot be used: {found}",
            hint="restore it from a backup, or run the goal again",
        ) from error
    except (BadInput, RunBroken):
        raise
    except Exception as error:
        raise RunBroken(
            f"the run in {str(folder)!r} broke off: {one_line_of(error)}", hint=way_on(folder, folder.record)
        ) from error
    return show_ended(folder, ended, terminal, execution.plan, crew)
