"""The pages of the documentation: what they say for Python and the shell works, and the names on them are ours."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.pages import ALL, DOCS, ROOT, blocks

import goalgraph
from goalgraph import errors
from goalgraph.cli.commands import app
from goalgraph.planner.documents import parse_plan

OTHER_TESTS = {DOCS / "plan-language.md", ROOT / "README.md"}
"""Pages whose Python is run, with more, by tests of their own: test_plan_language.py, test_readme.py."""


def commands_of(page: Path) -> Iterator[str]:
    """Yield the command lines of a page: in blocks for the shell, and in backticks within the text."""
    text = page.read_text("utf-8")
    for block in blocks(page, "sh"):
        yield from (line for line in block.splitlines() if line.startswith("goalgraph "))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`]+)`", prose):
        if found := re.search(r"(?:^|\.\. |=)\s*(goalgraph [a-z]+.*)", " ".join(code.split())):
            yield found[1]


def parsed(line: str) -> None:
    """Have the real command line read a line, and run nothing."""
    words = shlex.split(line, comments=True)[1:]
    group: Any = typer.main.get_command(app)
    group.make_context("goalgraph", [*words], resilient_parsing=False).close()
    name, command, rest = group.resolve_command(group.make_context("goalgraph", [*words]), words)
    command.make_context(name, [*rest]).close()


PYTHON = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in ALL
    if page not in OTHER_TESTS
    for number, code in enumerate(blocks(page, "python"))
]
PLANS = [
    pytest.param(text, id=f"{page.stem}-{number}") for page in ALL for number, text in enumerate(blocks(page, "yaml"))
]
COMMANDS = [
    pytest.param(line, id=f"{page.parent.name}-{page.stem}-{number}")
    for page in ALL
    for number, line in enumerate(commands_of(page))
]


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_a_page_works(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "page", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    told = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert said or "\nassert " in code, "the example shows something"
    assert said[: len(told)] == told


@pytest.mark.parametrize("text", PLANS)
def test_the_yaml_of_a_page_is_a_plan(text: str) -> None:
    assert parse_plan(text).steps


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_line_of_a_page_is_one(line: str) -> None:
    parsed(line)


def test_a_command_line_that_is_none_is_refused() -> None:
    for wrong in ("goalgraph plan x --no-such-option", "goalgraph fly", "goalgraph resume"):
        with pytest.raises(Exception, match=r"No such|Missing parameter"):
            parsed(wrong)


def test_blocks_are_in_languages_that_are_tested_or_say_that_they_are_text() -> None:
    languages = {
        (page.name, language)
        for page in ALL
        for language in re.findall(r"^```(\w*)\n.*?^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    }
    assert {language for _, language in languages} <= {"python", "yaml", "sh", "json", "text"}, languages


def test_errors_and_policies_that_pages_name_are_ours() -> None:
    pages = "".join(page.read_text("utf-8") for page in ALL)
    pattern = (
        r"`([A-Z]\w+(?:Run|Request|Answer|Answered|Paused|Busy|Policy|Reviser|Truncated|Refused|Filtered|Empty))\b"
    )
    names = set(re.findall(pattern, pages)) - {"RetryPolicy"}  # which is LangGraph's
    assert len(names) > 10
    assert [name for name in names if not (hasattr(errors, name) or hasattr(goalgraph, name))] == []
