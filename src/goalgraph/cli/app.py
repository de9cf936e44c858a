"""The commands and their options; what they do is loaded when one of them is called."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from goalgraph.cli.endings import BadInput, Stopped, debugging, report
from goalgraph.cli.terminal import steady_streams

__all__ = ["app", "call", "main"]

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A goal in plain words becomes a validated plan, a parallel run, and one answer.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_Goal = Annotated[str | None, typer.Argument(metavar="GOAL", help="What is to be done, in quotes.", show_default=False)]
_More = Annotated[list[Path] | None, typer.Argument(metavar="FILE", hidden=True)]
_Data = Annotated[
    list[Path] | None,
    typer.Option("--data", "-d", metavar="FILE", help="Table, document or folder to work on; may be repeated."),
]
_Model = Annotated[
    str | None,
    typer.Option(metavar="PROVIDER:NAME", help="Chat model, such as openai:gpt-5-mini; none: rules, offline."),
]
_Own = Annotated[
    list[str] | None,
    typer.Option(
        "--specialists", metavar="MODULE:NAME", help="Specialists of your own, one or a list; may be repeated."
    ),
]
_Library = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of saved plans; GOALGRAPH_PLANS or goalgraph-plans if not given."),
]
_Input = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="NAME=VALUE",
        help="Input of the plan: NAME=text, NAME:=JSON or NAME=@file; may be repeated.",
    ),
]
_Answer = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        metavar="STEP=VALUE",
        help="Answer for a step that asks: yes or no, text, or STEP:=JSON; used when it asks; may be repeated.",
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Write JSON and nothing else to stdout.")]


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
    goal: _Goal = None,
    more: _More = None,
    data: _Data = None,
    model: _Model = None,
    plan: Annotated[
        str | None, typer.Option(metavar="FILE|ALIAS", help="Take this plan instead of making one.")
    ] = None,
    inputs: _Input = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the plan as YAML.")] = None,
    save: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Save the plan in the library under this name.")
    ] = None,
    library: _Library = None,
    specialists: _Own = None,
    as_json: _Json = False,
) -> int:
    """Make a plan and show it, without running it.

    With --plan nothing is made: a plan that was edited is checked, shown, and saved with --save.
    """
    goal, files = _goal_and_files(goal, more, data, has_plan=False)
    from goalgraph.cli.planning import PlanningRequest, start_plan

    return start_plan(
        PlanningRequest(
            goal=goal,
            data=files,
            model=model,
            plan=plan,
            inputs=tuple(inputs or ()),
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
    library: _Library = None,
    as_json: _Json = False,
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
    library: _Library = None,
    specialists: _Own = None,
    any_specialist: Annotated[
        bool, typer.Option("--any-specialist", help="Do not check the names and capabilities of specialists.")
    ] = False,
    as_json: _Json = False,
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
    goal: _Goal = None,
    more: _More = None,
    data: _Data = None,
    model: _Model = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; goalgraph-runs/<time and goal> if not given."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="FILE|ALIAS", help="Run this plan instead of making one; ALIAS@2 is its version 2."),
    ] = None,
    inputs: _Input = None,
    answers: _Answer = None,
    library: _Library = None,
    specialists: _Own = None,
    max_concurrency: Annotated[int | None, typer.Option(metavar="N", help="Most steps at the same time.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="For one attempt of a step.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before running.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in DIR.")] = False,
    as_json: _Json = False,
) -> int:
    """Plan a goal, run the plan, and show the answer.

    Exit codes: 0 complete, 1 failed, 2 bad usage or input, 3 degraded, 4 waiting for an answer or an event.
    """
    goal, files = _goal_and_files(goal, more, data, has_plan=plan is not None)
    from goalgraph.cli.running import RunRequest, start_run

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
            yes=yes,
            overwrite=overwrite,
            as_json=as_json,
        )
    )


@app.command()
def resume(
    name: Annotated[str, typer.Argument(metavar="DIR", help="Folder of the run, or its name in goalgraph-runs.")],
    answers: _Answer = None,
    as_json: _Json = False,
) -> int:
    """Go on with a run that was stopped, or that waits.

    Without an answer, a run that waits says again what it asks.
    """
    from goalgraph.cli.running import resume_run

    return resume_run(name, answers=tuple(answers or ()), as_json=as_json)


def main() -> int:
    """Run the command of this process and return its exit code."""
    if not debugging():
        logging.disable()
        warnings.simplefilter("ignore")
        sys.unraisablehook = lambda _: None
        threading.excepthook = lambda _: None
    code = call(sys.argv[1:])
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    if any(not thread.daemon for thread in others):
        os._exit(code)  # a step that timed out or was stopped may block its thread for ever
    return code


def call(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors become one line on stderr."""
    try:
        with steady_streams():
            try:
                command = typer.main.get_command(app)
                code: object = command.main([*arguments] or ["--help"], prog_name="goalgraph", standalone_mode=False)
                return code if isinstance(code, int) else 0
            except Stopped as stopped:
                sys.stderr.write("stopped; nothing was run\n")
                return stopped.exit_code
            except Exception as error:
                return report(error)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return report(error)


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
