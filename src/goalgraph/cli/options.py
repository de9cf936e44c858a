"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AlternativesOption",
    "AnswerOption",
    "ApproveOption",
    "AvailableOption",
    "ConstraintOption",
    "DataOption",
    "EagerOption",
    "FailureOption",
    "Goal",
    "InputOption",
    "JsonOption",
    "LeastOption",
    "LibraryOption",
    "MaxCostOption",
    "MaxTokensOption",
    "ModelOption",
    "MoreFiles",
    "OwnOption",
    "PromptsOption",
    "RequireOption",
    "ReviseOption",
    "RunName",
]

Goal = Annotated[str | None, typer.Argument(metavar="GOAL", help="What is to be done, in quotes.", show_default=False)]
MoreFiles = Annotated[list[Path] | None, typer.Argument(metavar="FILE", hidden=True)]
DataOption = Annotated[
    list[Path] | None,
    typer.Option("--data", "-d", metavar="FILE", help="Table, document or folder to work on; may be repeated."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(metavar="PROVIDER:NAME", help="Chat model, such as openai:gpt-5-mini; none: rules, offline."),
]
OwnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--specialists", metavar="MODULE:NAME", help="Specialists of your own, one or a list; may be repeated."
    ),
]
LibraryOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of saved plans; GOALGRAPH_PLANS or goalgraph-plans if not given."),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="NAME=VALUE",
        help="Input of the plan: NAME=text, NAME:=JSON or NAME=@file; may be repeated.",
    ),
]
AnswerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        metavar="STEP=VALUE",
        help="Answer for a step that asks: yes or no, text, or STEP:=JSON; used when it asks; may be repeated.",
    ),
]
AlternativesOption = Annotated[
    int, typer.Option(metavar="N", help="Draft N plans at the same time, and take the best.", show_default=False)
]
ConstraintOption = Annotated[
    list[str] | None,
    typer.Option("--constraint", metavar="TEXT", help="What the plan must heed, for a model; may be repeated."),
]
AvailableOption = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Use only these specialists; names with commas between them.")
]
RequireOption = Annotated[
    bool, typer.Option("--require-approval", help="The plan must ask a human before it is through.")
]
LeastOption = Annotated[
    str,
    typer.Option(
        metavar="WHAT",
        help="What will do where no good plan can be made: full (nothing else), simple, or single (one step).",
    ),
]
PromptsOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of prompts in your words, as <name>.md, for the model.")
]
ReviseOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Change the plan when a step fails or is unsure, up to N times; then ask."),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option(metavar="USD", help="Ask models for no more than this; then answer with what there is."),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Ask models for no more tokens than this, prompts and answers together."),
]
EagerOption = Annotated[
    bool,
    typer.Option("--eager", help="Begin first steps while the model writes the plan, which nobody is asked about."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON and nothing else to stdout.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Folder of the run, or its name in goalgraph-runs.")]
FailureOption = Annotated[
    str,
    typer.Option(metavar="WHAT", help="When a step fails: continue, fail-fast (stop all), or wait-all (run fails)."),
]
ApproveOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="Ask before a step, or any step of this specialist or capability; may be repeated."
    ),
]
