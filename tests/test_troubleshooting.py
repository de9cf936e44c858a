"""The page on troubleshooting: it names every error, code and exit code that there is, and none that is not."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import get_args

from tests.pages import DOCS

import goalgraph
from goalgraph import GoalgraphError
from goalgraph.cli.endings import USAGE, exit_code_of
from goalgraph.errors.codes import AnswerCode, ProblemCode, StepErrorCode

PAGE = (DOCS / "troubleshooting.md").read_text("utf-8")
OF_COMMANDS = "goalgraph.cli."
"""Errors of the command line are told on stderr and as an exit code, and raised to nobody."""


def named(heading: str) -> list[str]:
    """Return the names in the first columns of the tables under a heading, those of its subheadings included."""
    (part,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    cells = re.findall(r"^\| (`[^|]*) \|", part, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def kinds(root: type[GoalgraphError]) -> Iterator[type[GoalgraphError]]:
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def test_every_error_of_the_library_is_on_the_page_once_and_no_other() -> None:
    for module in pkgutil.walk_packages(goalgraph.__path__, "goalgraph."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = {
        kind.__name__
        for kind in kinds(GoalgraphError)
        if kind.__module__.startswith("goalgraph.")
        and not kind.__module__.startswith(OF_COMMANDS)
        and not kind.__name__.startswith("_")
    }
    assert sorted(named("Errors")) == sorted(ours)


def test_every_code_of_a_plans_problem_is_on_the_page_once_and_no_other() -> None:
    assert sorted(named("Problems of plans")) == sorted(get_args(ProblemCode))


def test_every_code_of_a_step_is_on_the_page_once_and_no_other() -> None:
    assert sorted(named("Steps that did not succeed")) == sorted(get_args(StepErrorCode))


def test_every_code_of_an_answer_is_on_the_page_once_and_no_other() -> None:
    assert sorted(named("Answers that were refused")) == sorted(get_args(AnswerCode))


def test_every_exit_code_is_on_the_page_once_and_no_other() -> None:
    statuses = ("complete", "failed", "degraded", "halted", "waiting")
    known = {str(code) for code in (USAGE, *map(exit_code_of, statuses))} | {"128"}
    assert sorted(named("Exit codes of the command line")) == sorted(known)
