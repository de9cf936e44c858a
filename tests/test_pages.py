"""The pages of the documentation: what is written there in Python works, and names that it uses are there."""

import re
from pathlib import Path

import pytest

import goalgraph
from goalgraph import errors

FOLDER = Path(__file__).parent.parent / "docs"
PAGES = [
    "humans.md",
    "durability.md",
    "revision.md",
    "planning.md",
    "coordination.md",
    "synthesis.md",
    "code.md",
    "specialists.md",
    "embedding.md",
]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = [
    pytest.param(code, id=f"{page}-{number}")
    for page in PAGES
    for number, code in enumerate(BLOCK.findall((FOLDER / page).read_text("utf-8")))
]


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_a_page_works(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "page", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    told = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert said or "\nassert " in code, "the example shows something"
    assert said[: len(told)] == told


def test_errors_and_policies_that_pages_name_are_ours() -> None:
    pages = "".join((FOLDER / page).read_text("utf-8") for page in PAGES)
    pattern = (
        r"`([A-Z]\w+(?:Run|Request|Answer|Answered|Paused|Busy|Policy|Reviser|Truncated|Refused|Filtered|Empty))\b"
    )
    names = set(re.findall(pattern, pages)) - {"RetryPolicy"}  # which is LangGraph's
    assert len(names) > 10
    assert [name for name in names if not (hasattr(errors, name) or hasattr(goalgraph, name))] == []
