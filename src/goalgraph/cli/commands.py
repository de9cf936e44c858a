"""The commands and their options; what they do is loaded when one of them is called."""

from pathlib import Path
from typing import Annotated

import typer

from goalgraph.cli.endings import BadInput
from goalgraph.cli.options import (
    AlternativesOption,
    AnswerOption,
    ApproveOption,
    AvailableOption,
    ConstraintOption,
    DataOption,
    EagerOption,
    FailureOption,
    Goal,
    InputOption,
    JsonOption,
    LeastOption,
    LibraryOption,
    MaxCostOption,
    MaxTokensOption,
    ModelOption,
    MoreFiles,
    OwnOption,
    PromptsOption,
    RequireOption,
    ReviseOption,
    RunName,
)

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A goal in plain words becomes a validated plan, a parallel run, and one answer.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from goalgraph import __version__

        typer.echo(f"goalgraph {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def plan(
    goal: Goal = None,
    more: MoreFiles = None,
    data: DataOption = None,
    model: ModelOption = None,
    plan: Annotated[
        str | None, typer.Option(metavar="FILE|ALIAS", help="Take this plan instead of making one.")
    ] = None,
    inputs: InputOption = None,
    alternatives: AlternativesOption = 1,
    require_approval: RequireOption = False,
    constraint: ConstraintOption = None,
    available: AvailableOption = None,
    least: LeastOption = "full",
    prompts: PromptsOption = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the plan as YAML.")] = None,
    save: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Save the plan in the library under this name.")
    ] = None,
    library: LibraryOption = None,
    specialists: OwnOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make a plan and show it with what it is likely to take, without running it.

    With --plan nothing is made: a plan that was edited is checked, shown, and saved with --save.
    """
    goal, files = _goal_and_files(goal, more, data, has_plan=False)
    from goalgraph.cli.planning import PlanningRequest, start_plan
    from goalgraph.cli.wishes import Wishes

    return start_plan(
        PlanningRequest(
            goal=goal,
            data=files,
            model=model,
            plan=plan,
            inputs=tuple(inputs or ()),
            wishes=Wishes(
                alternatives=alternatives,
                approval=require_approval,
                constraints=tuple(constraint or ()),
                available=available,
                least=least,
                prompts=prompts,
            ),
            own=tuple(specialists or ()),
            out=out,
            save=save,
            library=library,
            as_json=as_json,
        )
    )


@app.command()
def plans(
    alias: Annotated[str | None, typer.Argument(metavar="ALIAS[@VERSION]", show_default=False)] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="V2", hidden=True)] = None,
    diff: Annotated[
        str | None,
        typer.Option(metavar="V1 [V2]", help="What is different in version V2, or in the newest, from V1."),
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """List the saved plans.

    With an alias: its versions and the plan itself, or what is different between two versions.
    """
    from goalgraph.cli.listing import list_plans

    given = [one for one in (alias, *(more or ())) if one is not None]
    return list_plans(given, diff=diff, library=library, as_json=as_json)


@app.command()
def validate(
    plans: Annotated[list[str], typer.Argument(metavar="FILE|ALIAS", show_default=False)],
    library: LibraryOption = None,
    specialists: OwnOption = None,
    any_specialist: Annotated[
        bool, typer.Option("--any-specialist", help="Do not check the names and capabilities of specialists.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Check plans without running them.

    Each problem is on a line of its own, with file, line and column.

    Exit codes: 0 no problems, 1 problems, 2 bad usage, or a file that cannot be read.
    """
    from goalgraph.cli.validating import validate_plans

    return validate_plans(
        plans, own=tuple(specialists or ()), any_specialist=any_specialist, library=library, as_json=as_json
    )


@app.command()
def run(
    goal: Goal = None,
    more: MoreFiles = None,
    data: DataOption = None,
    model: ModelOption = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; goalgraph-runs/<time and goal> if not given."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="FILE|ALIAS", help="Run this plan instead of making one; ALIAS@2 is its version 2."),
    ] = None,
    inputs: InputOption = None,
    answers: AnswerOption = None,
    library: LibraryOption = None,
    specialists: OwnOption = None,
    max_concurrency: Annotated[int | None, typer.Option(metavar="N", help="Most steps at the same time.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="For one attempt of a step.")] = None,
    idle_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For one attempt, without a sign of life.")
    ] = None,
    on_failure: FailureOption = "continue",
    revise: ReviseOption = None,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    eager: EagerOption = False,
    least: LeastOption = "full",
    prompts: PromptsOption = None,
    constraint: ConstraintOption = None,
    require_approval: RequireOption = False,
    available: AvailableOption = None,
    review: Annotated[
        bool, typer.Option("--review", help="Ask before the plan runs; on a terminal that is so without it.")
    ] = False,
    approve: ApproveOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the plan runs.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in DIR.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Plan a goal, run the plan, and show the answer.

    What the run asks is asked on a terminal, once nothing else can run; elsewhere, and with --json, the run stops and
    says how to answer.

    Exit codes: 0 complete, 1 failed, 2 bad usage or input, 3 degraded, 4 waiting for an answer or an event.
    """
    goal, files = _goal_and_files(goal, more, data, has_plan=plan is not None)
    from goalgraph.cli.running import RunRequest, start_run
    from goalgraph.cli.wishes import Wishes

    return start_run(
        RunRequest(
            goal=goal,
            data=files,
            model=model,
            out=out,
            plan=plan,
            library=library,
            inputs=tuple(inputs or ()),
            answers=tuple(answers or ()),
            own=tuple(specialists or ()),
            max_concurrency=max_concurrency,
            timeout=timeout,
            idle_timeout=idle_timeout,
            on_failure=on_failure,
            revise=revise,
            max_cost=max_cost,
            max_tokens=max_tokens,
            eager=eager,
            wishes=Wishes(
                approval=require_approval,
                constraints=tuple(constraint or ()),
                available=available,
                least=least,
                prompts=prompts,
            ),
            review=review,
            approve=tuple(approve or ()),
            yes=yes,
            overwrite=overwrite,
            as_json=as_json,
        )
    )


@app.command()
def resume(name: RunName, answers: AnswerOption = None, as_json: JsonOption = False) -> int:
    """Go on with a run that was stopped, or that waits."""
    from goalgraph.cli.running import resume_run

    return resume_run(name, answers=tuple(answers or ()), as_json=as_json)


@app.command()
def answer(
    name: RunName,
    answers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STEP=VALUE",
            help="STEP=yes, STEP=no, STEP='no: why', STEP=text or STEP:=JSON; plan=@FILE is an edited plan.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who answers; kept with the answers.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Answer what a run asks, and go on with it.

    Without answers it is asked on a terminal, one by one; elsewhere it is listed.

    Exit codes: as for run.
    """
    from goalgraph.cli.running import resume_run

    return resume_run(name, answers=tuple(answers or ()), option="goalgraph answer", by=by, as_json=as_json)


@app.command()
def decisions(
    name: RunName,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to a file, not to stdout.")
    ] = None,
) -> int:
    """Write what was decided in a run, and by whom, as JSON lines."""
    from goalgraph.cli.deciding import write_decisions

    return write_decisions(name, out)


@app.command()
def report(
    name: RunName,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="File to write, - for stdout; RUN/report.html if not given."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE also where it is not an earlier report.")
    ] = False,
) -> int:
    """Write one HTML page about a run: answer, plan, timeline, changes, decisions, costs.

    It needs neither other files nor a network. A run that waits or was interrupted has one too.
    """
    from goalgraph.cli.reporting import write_report

    return write_report(name, out, overwrite=overwrite)


def _goal_and_files(
    goal: str | None, more: list[Path] | None, data: list[Path] | None, *, has_plan: bool
) -> tuple[str | None, tuple[Path, ...]]:
    """Tell the goal from files that follow ``--data`` without it, as a shell's ``*.csv`` gives them."""
    files = [*(data or ()), *(more or ())]
    if more and not data:
        raise BadInput(
            f"did not expect {str(more[0])!r} after the goal", hint="put the goal in quotes; give files with --data"
        )
    if has_plan and data and goal is not None and Path(goal).is_file():
        return None, (*files, Path(goal))
    return goal, tuple(files)
