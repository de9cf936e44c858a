"""The README's Python example runs as shown."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_the_python_example_runs_and_plans_the_research_in_parallel(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert found is not None
    source = found[1]
    assert len([line for line in source.splitlines() if line.strip()]) <= 15
    exec(compile(source, str(README), "exec"), {})
    plan, status, *answer = capsys.readouterr().out.splitlines()
    assert plan.count("'researcher', ()") == 2
    assert plan.count("'writer'") == 1
    assert status == "complete"
    assert answer[0].startswith("Summary of:")


def test_the_two_commands_are_at_the_top() -> None:
    top = README.read_text("utf-8").splitlines()[:12]
    assert any(line.startswith("make demo") for line in top)
    assert any(line.startswith("make test") for line in top)


def test_what_it_links_to_is_there() -> None:
    text = README.read_text("utf-8")
    linked = {*re.findall(r"\]\((?!https?:|#)([^)#]+)", text), *re.findall(r'(?:src|srcset)="([^"]+)"', text)}
    assert len(linked) > 10
    assert [path for path in sorted(linked) if not (README.parent / path).exists()] == []
