"""The pages of the documentation: what is written there in Python works, and names that it uses are there."""

import re
from pathlib import Path

import pytest

import goalgraph
from goalgraph import errors

FOLDER = Path(__file__).parent.parent / "docs"
PAGES = ["humans.md", "durability.md"]
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
    assert said, "the example shows something"
    assert said[: len(told)] == told


@pytest.mark.parametrize("page", PAGES)
def test_errors_that_a_page_names_are_ours(page: str) -> None:
    names = set(
        re.findall(r"`([A-Z]\w+(?:Run|Request|Answer|Answered|Paused|Busy))`", (FOLDER / page).read_text("utf-8"))
    )
    assert names
    assert all(hasattr(errors, name) or hasattr(goalgraph, name) for name in names)
