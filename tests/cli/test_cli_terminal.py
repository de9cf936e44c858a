"""What the real command shows on a real terminal, and how it begins and stops there."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.screens import Screen

_OWN = ("--specialists", "mine:everybody")
_CHOICE = "[a]pprove, [e]dit, [r]eject, [s]kip for now: "


@pytest.mark.parametrize("answer", ["a\r", "y\r", "\rwhat?\rYES\r"], ids=["a", "y", "first nonsense"])
def test_a_terminal_shows_the_tree_asks_and_draws_the_answer(
    screen: Callable[..., Screen], workplace: Path, answer: str
) -> None:
    (workplace / "go").touch()
    shown = screen("run", "--plan", "two.yaml", *_OWN, "--out", "here")
    shown.until(_CHOICE)
    assert "├── layer 1\n│   └── first  noter\n" in shown.text
    assert (
        "\n3 steps in 3 layers, the longest way is first > second > third\nwork for noter (2), waiter (1)\n"
        in shown.text
    )
    assert shown.text.count("layer 1") == 1
    assert "waiting" not in shown.text
    shown.type(answer)
    assert shown.ended() == 0
    assert re.search(r"✓ second waiter +\d+\.\d s", shown.text)
    assert "## do first" not in shown.text
    assert "do first" in shown.text
    assert "complete: 3 of 3 steps succeeded\nfiles in here:\n  report.md\n" in shown.text


def test_a_plan_that_is_rejected_is_not_run(screen: Callable[..., Screen], workplace: Path) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "--out", "here")
    shown.answer(_CHOICE, "n\r")
    shown.answer("Why? (may be empty) ", "too short\r")
    assert shown.ended() == 4
    assert "halted: 0 of 1 steps succeeded\n  - the plan was rejected: too short\n" in shown.text
    assert not (workplace / "tally.txt").exists()


@pytest.mark.parametrize("answer", ["s\r", "\x04"], ids=["s", "end of input"])
def test_a_plan_that_is_skipped_waits_for_its_answer(
    screen: Callable[..., Screen], workplace: Path, answer: str
) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "--out", "deep/here")
    shown.answer(_CHOICE, answer)
    assert shown.ended() == 4
    assert "  answer with: goalgraph answer deep/here plan=yes\n" in shown.text
    assert not (workplace / "tally.txt").exists()
    later = screen("resume", "deep/here")
    later.answer(_CHOICE, "a\r")
    assert later.ended() == 0
    assert (workplace / "tally.txt").read_text().split() == ["only"]


def test_ctrl_c_at_the_question_runs_nothing_and_keeps_the_plan(screen: Callable[..., Screen], workplace: Path) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "--out", "here")
    shown.answer(_CHOICE, "\x03")
    assert shown.ended() == 130
    assert "Traceback" not in shown.text
    assert shown.text.endswith("\nstopped; 0 of 1 steps done; answer on a terminal with: goalgraph answer here\n")
    assert not (workplace / "tally.txt").exists()
    assert screen("answer", "here", "plan=yes").ended() == 0


def test_ctrl_c_stops_a_live_run_and_resume_draws_what_was_done_before(
    screen: Callable[..., Screen], workplace: Path
) -> None:
    shown = screen("run", "--plan", "two.yaml", *_OWN, "--out", "here", "--yes")
    shown.until("waiting for go")
    assert "[a]pprove" not in shown.text
    shown.type("\x03")
    assert shown.ended() == 130
    assert "stopped; 1 of 3 steps done; go on with: goalgraph resume here\n" in shown.text
    assert shown.raw.rindex("\x1b[?25h") > shown.raw.rindex("\x1b[?25l")
    (workplace / "go").touch()
    later = screen("resume", "here")
    assert later.ended() == 0
    assert re.search(r"✓ first +noter +\d+\.\d s", later.text)
    assert (workplace / "tally.txt").read_text().split() == ["first", "second", "third"]


def test_a_narrow_plain_terminal_gets_plain_signs(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "half.yaml", *_OWN, "-y", columns=30, NO_COLOR="1", PYTHONIOENCODING="ascii")
    assert shown.ended() == 3
    assert re.search(r"x bad +breaker", shown.text)
    assert "\x1b[3" not in shown.raw
    assert "\x1b[1;3" not in shown.raw
    assert all(ord(letter) < 128 for letter in shown.text)
    drawn = shown.text.partition("\ndegraded: ")[0].split("\n")
    assert max(map(len, drawn)) <= 30


def test_a_dumb_terminal_gets_plain_lines(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "-y", TERM="dumb")
    assert shown.ended() == 0
    assert "\x1b" not in shown.raw
    assert "started only (noter)\nsucceeded only after " in shown.text


def test_words_of_a_specialist_cannot_steer_the_terminal(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "broken.yaml", *_OWN, "-y", NO_COLOR="1")
    assert shown.ended() == 1
    assert "on fire" in shown.text
    assert "\x1b[31m" not in shown.raw


def test_json_on_a_terminal_still_ends_with_the_document(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "--json")
    assert shown.ended() == 0
    assert "[a]pprove" not in shown.text
    assert json.loads(shown.text[shown.text.index("\n{\n") :])["answer"] == "noted only ✓"
