"""The clock is set back, and right again, between processes: no run is lost, none is done twice."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("sqlite", "async sqlite", "postgres", "async postgres pool")
ANSWER = "last(d(c(b(a()))),yes)"

Act = Callable[..., Any]
"""Acts in a process of its own whose clock is so many hours off, and returns how the run stands."""


@pytest.fixture(scope="module")
def ordered() -> Iterator[Callable[[list[object]], Any]]:
    """Processes to be had by order."""
    command = [sys.executable, "-m", "tests.graph.clocked"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None

        def order(about: list[object]) -> Any:
            orders.write(json.dumps(about) + "\n")
            orders.flush()
            return json.loads(answers.readline())

        yield order
        orders.close()


@pytest.fixture(params=KINDS)
def act(request: pytest.FixtureRequest, tmp_path: Path, ordered: Callable[[list[object]], Any]) -> Act:
    kind: str = request.param
    database: str = request.getfixturevalue("postgres") if "postgres" in kind else ""

    def acted(hours: float, action: str, goal: str = "g") -> Any:
        told, code = ordered([kind, str(tmp_path), database, hours, action, goal])
        assert code == (9 if action == "killed" else 0)
        return told

    return acted


def ledger(folder: Path) -> list[str]:
    return (folder / "ledger").read_text().split()


def test_a_run_that_is_paused_goes_on_and_is_not_done_again_once_it_is_finished(act: Act, tmp_path: Path) -> None:
    paused = act(0, "begin", "first")
    assert paused["asked"] == ["go on?"]
    assert act(-1, "look") == paused
    done = act(-1, "answer")
    assert done["answer"] == ANSWER
    assert done["done"] == ["a", "ask", "b", "c", "d", "last"]
    assert ledger(tmp_path) == ["a", "b", "c", "d", "last"]
    for hours in (-1, -2, 0, -1.5, 1, 0):
        assert act(hours, "go-on") == done
    assert ledger(tmp_path) == ["a", "b", "c", "d", "last"]


def test_a_run_that_was_killed_goes_on_where_it_was(act: Act, tmp_path: Path) -> None:
    paused = act(0, "begin", "first")
    act(-1, "answer")
    act(-2, "begin", "second")  # on the same thread, from the beginning
    assert ledger(tmp_path) == [*"abcd", "last", *"abcd"]
    assert act(-3, "answer")["goal"] == "second"
    assert ledger(tmp_path) == [*"abcd", "last", *"abcd", "last"]
    assert act(-1, "begin", "third")["asked"] == paused["asked"]


def test_runs_that_are_killed_with_clocks_all_over_the_place_do_no_recorded_step_again(
    act: Act, tmp_path: Path
) -> None:
    act(0, "begin", "first")
    act(0, "answer")
    act(-1, "begin", "second")
    (tmp_path / "ledger").unlink()
    act(-2, "fork", "third")
    for hours, begun in ((-1, "ab"), (0, "bc"), (-3, "cd")):
        before = len(ledger(tmp_path)) if (tmp_path / "ledger").exists() else 0
        act(hours, "killed")
        assert "".join(ledger(tmp_path)[before:]) == begun
    paused = act(-1, "go-on")
    assert (paused["goal"], paused["asked"]) == ("third", ["go on?"])
    assert act(-2, "answer")["answer"] == ANSWER
    assert act(0, "go-on")["answer"] == ANSWER
    assert ledger(tmp_path) == ["a", "b", "b", "c", "c", "d", "d", "last"]


@pytest.mark.parametrize("hours", [0, -1, 1])
def test_a_fork_is_the_latest_and_goes_on_from_where_it_was_made(act: Act, tmp_path: Path, hours: float) -> None:
    act(0, "begin", "first")
    act(0, "answer")
    forked = act(hours, "fork", "other")
    assert forked == {"goal": "other", "answer": None, "done": [], "next": ["gather"], "asked": []}
    assert act(0, "look") == forked
    assert act(hours / 2, "go-on")["asked"] == ["go on?"]
    assert ledger(tmp_path) == ["a", "b", "c", "d", "last", "a", "b", "c", "d"]
