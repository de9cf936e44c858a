"""The command ``decisions``: what was decided in a run, as lines of JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Called = Callable[[list[str]], tuple[int, str, str]]

_PLAN = """\
name: a question
steps:
  - {id: ok, type: human_approval, prompt: "May it be noted?"}
  - {id: note, task: note it, agent: noter, depends_on: [ok]}
"""


@pytest.fixture
def asked(called: Called, workplace: Path) -> Path:
    """A run in which somebody has said yes."""
    (workplace / "ask.yaml").write_text(_PLAN)
    code, _, _ = called(["run", "--plan", "ask.yaml", "--specialists", "mine:everybody", "--out", "here"])
    assert code == 4
    code, _, _ = called(["answer", "here", "ok=yes", "--by", "Åsa"])
    assert code == 0
    return workplace


def test_the_decisions_of_a_run_are_written_as_lines(called: Called, asked: Path) -> None:
    code, out, err = called(["decisions", "here"])
    assert (code, err) == (0, "")
    (line,) = [json.loads(one) for one in out.splitlines()]
    assert list(line) == ["kind", "subject", "chosen", "alternatives", "rationale", "by", "digest", "at"]
    assert (line["kind"], line["subject"], line["chosen"], line["by"]) == ("approval", "ok", "approve", "Åsa")
    code, out, _ = called(["decisions", "here", "-o", "decided.jsonl"])
    assert (code, out) == (0, "")
    assert json.loads((asked / "decided.jsonl").read_text("utf-8")) == line


def test_a_run_without_decisions_has_no_lines(called: Called, workplace: Path) -> None:
    called(["run", "--plan", "one.yaml", "--specialists", "mine:everybody", "--out", "here"])
    assert called(["decisions", "here"]) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nowhere"], "there is no run 'nowhere'"), (["here", "-o", "no/such/folder"], "cannot write 'no/such/folder'")],
    ids=["no run", "no folder"],
)
def test_what_cannot_be_read_or_written_is_told(called: Called, asked: Path, arguments: list[str], said: str) -> None:
    code, out, err = called(["decisions", *arguments])
    assert (code, out) == (2, "")
    assert said in err
