"""What a run asks, asked and answered on a real terminal."""

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.screens import Screen

Begin = Callable[..., Screen]

_OWN = ("--specialists", "mine:everybody", "--yes", "--out", "here")
_YES_OR_NO = "[a]pprove, [r]eject, [s]kip for now: "
_OR_EDIT = "[a]pprove, [e]dit, [r]eject, [s]kip for now: "
_ANSWER = "Answer (text, or JSON after ':='; Ctrl-D skips it for now): "
_EVENT = "What came with it (text, or JSON after ':='; empty: nothing; Ctrl-D skips it for now): "


@pytest.fixture
def begin(screen: Callable[..., Screen], workplace: Path) -> Begin:
    """Begin a run of some steps on a terminal."""

    def begun(*steps: str, arguments: tuple[str, ...] = (), **extra: str) -> Screen:
        (workplace / "plan.yaml").write_text("\n".join(["name: asking", "steps:", *(f"  - {step}" for step in steps)]))
        return screen("run", "--plan", "plan.yaml", *_OWN, *arguments, **extra)

    return begun


def _record(workplace: Path) -> Any:
    return json.loads((workplace / "here" / "run.json").read_text("utf-8"))


def _decided(workplace: Path) -> list[tuple[str, str, object]]:
    return [(one["subject"], one["chosen"], one["answer"]) for one in _record(workplace)["decisions"]]


def _editor(workplace: Path, *scripts: str) -> str:
    """Make an editor that changes its file each time in the next way, each a Python expression of ``text``."""
    program = workplace / "editor.py"
    program.write_text(
        "import pathlib, sys\n"
        "here = pathlib.Path(__file__).parent\n"
        "done = here / 'edits'\n"
        "count = len(done.read_text()) if done.exists() else 0\n"
        "done.write_text('x' * (count + 1))\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "text = path.read_text()\n"
        f"changes = [{', '.join(f'lambda text: {script}' for script in scripts)}]\n"
        "path.write_text(changes[count](text))\n"
    )
    return f"'{sys.executable}' '{program}'"


def test_everything_that_is_asked_is_answered_in_turn(begin: Begin, workplace: Path) -> None:
    shown = begin(
        "{id: note, agent: noter}",
        "{id: many, type: human_input, prompt: How many?, schema: {type: integer}}",
        '{id: who, type: human_input, prompt: "Who?"}',
        "{id: news, type: wait, event: published}",
        '{id: sign, type: human_approval, prompt: "Is {{ steps.note.output }} right?", assignee: ann, deadline: 1h}',
    )
    shown.until('1 of 4: many (question)\n  How many?\n  the answer must fit: {"type": "integer"}\n')
    assert re.search(r"✓ note +noter", shown.text)
    shown.answer(_ANSWER, "three\r")
    shown.answer("that cannot be used: the answer does not fit: 'three' is not of type 'integer'\n" + _ANSWER, ":=3x\r")
    shown.answer("that cannot be used: the answer: expected JSON after ':='", "3\r")
    shown.answer("2 of 4: who (question)\n  Who?\n" + _ANSWER, "\r")
    shown.answer(_ANSWER, ':="Ann"\r')
    shown.answer("3 of 4: news (event)\n  Waits for the event `published`.\n" + _EVENT, "\r")
    shown.until("4 of 4: sign (approval, for ann, until 2")
    shown.answer("  Is noted note ✓ right?\n" + _YES_OR_NO, "yes please\r")
    shown.answer(_YES_OR_NO, "y\r")
    assert shown.ended() == 0
    assert "complete: 5 of 5 steps succeeded" in shown.text
    assert sorted(_decided(workplace)) == [
        ("many", "answer", 3),
        ("news", "answer", None),
        ("sign", "approve", None),
        ("who", "answer", "Ann"),
    ]
    assert (workplace / "tally.txt").read_text().split() == ["note"]


def test_what_is_skipped_waits_while_the_rest_goes_on(begin: Begin, workplace: Path) -> None:
    shown = begin(
        "{id: a, type: human_approval, prompt: A?}",
        "{id: b, type: human_approval, prompt: B?}",
        "{id: c, type: human_approval, prompt: C?}",
        "{id: after, agent: noter, depends_on: [c]}",
    )
    shown.answer("1 of 3: a (approval)\n  A?\n" + _YES_OR_NO, "s\r")
    shown.answer("2 of 3: b (approval)\n  B?\n" + _YES_OR_NO, "\x04")
    shown.answer("3 of 3: c (approval)\n  C?\n" + _YES_OR_NO, "a\r")
    assert shown.ended() == 4
    assert "waiting for 2 answers: 2 of 4 steps done\n" in shown.text
    assert "  answer with: goalgraph answer here a=yes\n" in shown.text
    assert shown.text.count(_YES_OR_NO) == 3
    assert (workplace / "tally.txt").read_text().split() == ["after"]


def test_a_no_is_asked_for_its_reason_which_cannot_steer_the_terminal(begin: Begin, workplace: Path) -> None:
    shown = begin(
        '{id: a, type: human_approval, prompt: "A \\e[31mred\\e[0m word?"}'.replace("\\e", "\\x1b"),
        NO_COLOR="1",
    )
    shown.answer(_YES_OR_NO, "r\r")
    shown.answer("Why? (may be empty) ", "too red\r")
    assert shown.ended() == 1
    assert "A �[31mred�[0m word?" in shown.text
    assert "\x1b[31m" not in shown.raw
    assert [one["rationale"] for one in _record(workplace)["decisions"]] == ["too red"]


def test_ctrl_c_keeps_the_answers_that_were_given_before(begin: Begin, screen: Any, workplace: Path) -> None:
    shown = begin("{id: a, type: human_approval, prompt: A?}", "{id: b, type: human_approval, prompt: B?}")
    shown.answer("1 of 2: ", "")
    shown.answer(_YES_OR_NO, "a\r")
    shown.answer("2 of 2: ", "")
    shown.answer(_YES_OR_NO, "\x03")
    assert shown.ended() == 130
    assert shown.text.endswith("\nstopped; 0 of 2 steps done; answer on a terminal with: goalgraph answer here\n")
    assert _record(workplace)["status"] == "waiting"
    later = screen("answer", "here", "--by", "ann")
    later.answer("1 of 1: b (approval)", "")
    later.answer(_YES_OR_NO, "a\r")
    assert later.ended() == 0
    assert sorted((one["subject"], one["by"]) for one in _record(workplace)["decisions"]) == [("a", None), ("b", "ann")]


def test_sigterm_at_a_question_stops_as_ctrl_c_does(begin: Begin) -> None:
    shown = begin("{id: a, type: human_approval, prompt: A?}")
    shown.until(_YES_OR_NO)
    shown.process.send_signal(signal.SIGTERM)
    assert shown.ended() == 143
    assert shown.text.endswith("\nstopped; 0 of 1 steps done; answer on a terminal with: goalgraph answer here\n")


def test_a_drained_run_asks_nothing_more(begin: Begin, workplace: Path) -> None:
    shown = begin("{id: a, type: human_approval, prompt: A?}", "{id: w, agent: waiter}")
    shown.until("waiting for go")
    shown.process.send_signal(signal.SIGTERM)
    shown.until("stopping once the steps at work are done")
    (workplace / "go").touch()
    assert shown.ended() in (4, 143)
    assert _YES_OR_NO not in shown.text
    assert (workplace / "tally.txt").read_text().split() == ["w"]


def test_a_plan_is_edited_in_the_editor_until_it_is_valid(screen: Any, workplace: Path) -> None:
    editor = _editor(workplace, "text.replace('noter', 'nobody')", "text.replace('nobody', 'talker')")
    shown = screen("run", "--plan", "one.yaml", *_OWN[:2], "--out", "here", EDITOR=editor)
    shown.answer("only  noter", "")
    shown.answer(_OR_EDIT, "e\r")
    shown.answer("the edited plan:5:5: unknown_specialist: ", "")
    shown.answer(_OR_EDIT, "e\r")
    shown.answer("only  talker", "")
    shown.answer(_OR_EDIT, "a\r")
    assert shown.ended() == 0
    assert re.search(r"✓ only +talker", shown.text)
    assert not (workplace / "tally.txt").exists()
    assert "agent: talker" in (workplace / "here" / "plan.yaml").read_text()


def test_with_json_nothing_is_asked_on_a_terminal(begin: Begin) -> None:
    shown = begin("{id: a, type: human_approval, prompt: A?}", arguments=("--json",))
    assert shown.ended() == 4
    assert _YES_OR_NO not in shown.text


def test_items_are_asked_about_one_by_one_and_what_is_asked_next_comes_next(begin: Begin, workplace: Path) -> None:
    with (workplace / "mine.py").open("a") as file:
        file.write(
            "\n@specialist\ndef curious(task, context):\n"
            "    return [context.ask('First?'), context.ask('Second?')]\n\neverybody.append(curious)\n"
        )
    shown = begin(
        "{id: each, type: map, over: [x, y], step: {id: ok, type: human_approval, prompt: 'Keep {{ item }}?'}}",
        "{id: a, agent: curious}",
    )
    shown.answer("1 of 3: each[0] (approval)\n  Keep x?\n" + _YES_OR_NO, "a\r")
    shown.answer("2 of 3: each[1] (approval)\n  Keep y?\n" + _YES_OR_NO, "n\r")
    shown.answer("Why? (may be empty) ", "\r")
    shown.answer("3 of 3: a (question)\n  First?\n" + _ANSWER, "one\r")
    shown.answer("1 of 1: a (question)\n  Second?\n" + _ANSWER, "two\r")
    shown.ended()
    assert sorted(_decided(workplace)) == [
        ("a", "answer", "one"),
        ("a", "answer", "two"),
        ("each[0]", "approve", None),
        ("each[1]", "reject", None),
    ]
