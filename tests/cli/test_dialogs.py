"""Questions asked line by line, and what becomes of the lines that are typed."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Interrupt
from pydantic import JsonValue

from goalgraph.cli.dialogs import Dialog, Skipped
from goalgraph.cli.terminal import Terminal
from goalgraph.graph.humans.requests import event_request, gate_request, input_request
from goalgraph.graph.humans.thread import Request

Asked = Callable[..., tuple[JsonValue, str]]

_GATE = gate_request(
    run="r", step="a", specialists=("mailer",), arguments={"instruction": "do it", "input": {"n": 1}}, assignee="ann"
)
_ALL = ("approve", "edit", "reject", "respond")


def _request(value: dict[str, Any], kind: str) -> Request:
    actions: list[dict[str, Any]] = value.get("action_requests") or [{}]
    return Request(
        id="id",
        kind=kind,
        step="a",
        prompt=value.get("prompt", "?"),
        arguments=actions[0].get("args", {}),
        schema=value.get("schema") or {},
        assignee=value.get("assignee"),
        deadline=None,
        problem=None,
        escalated=False,
        digest="",
        interrupt=Interrupt(value=value, id="i"),
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    """Ask, with these lines typed; gives the answer and what was shown. No editor is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)

    def ask(value: dict[str, Any], kind: str, *lines: str) -> tuple[JsonValue, str]:
        shown = io.StringIO()
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr(sys, "stdout", shown)

        def unused(_: object) -> Any:
            raise AssertionError("no plan is asked about")

        dialog = Dialog(terminal=Terminal(), show_plan=unused, check_plan=unused)
        return dialog.ask(_request(value, kind), "1 of 1"), shown.getvalue()

    return ask


def _editor(folder: Path, *texts: str) -> str:
    """Make an editor that puts the next of these texts in place of what is there."""
    for number, text in enumerate(texts):
        (folder / f"edit{number}").write_text(text)
    program = folder / "editor.py"
    program.write_text(
        "import pathlib, sys\n"
        "new = min(pathlib.Path(__file__).parent.glob('edit[0-9]'))\n"
        "pathlib.Path(sys.argv[1]).write_text(new.read_text() or pathlib.Path(sys.argv[1]).read_text())\n"
        "new.unlink()\n"
    )
    return f"'{sys.executable}' '{program}'"


def test_a_gate_shows_whom_it_asks_and_all_that_the_step_is_about_to_do(asked: Asked) -> None:
    answer, shown = asked(_GATE, "gate", "what", "a")
    assert answer is True
    assert shown == (
        "\n1 of 1: a (approval before it runs, for ann)\n"
        "  May step `a` run by `mailer`?\n"
        "  instruction:\n    do it\n"
        '  input:\n    {\n      "n": 1\n    }\n'
        "[a]pprove, [e]dit, [r]eject, [s]kip for now: [a]pprove, [e]dit, [r]eject, [s]kip for now: "
    )


def test_arguments_are_edited_until_they_can_be_used_and_approved_as_they_are_shown(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", _editor(tmp_path, "", "{", '{"disk": 1}', '{"input": {"n": 2}}'))
    answer, shown = asked(_GATE, "gate", *"eeeea")
    assert answer == {"type": "edit", "args": {"input": {"n": 2}}}
    after = [part.strip() for part in shown.split("[a]pprove, [e]dit, [r]eject, [s]kip for now:")][1:]
    assert after[0] == "nothing is changed"
    assert after[1].startswith("that cannot be used: the arguments: expected JSON")
    assert after[2].startswith("that cannot be used: the step has no 'disk'")
    assert after[3] == (
        'May step `a` run by `mailer`?\n  instruction:\n    do it\n  input:\n    {\n      "n": 2\n    }'
    )


def test_what_was_edited_can_still_be_rejected(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", _editor(tmp_path, '{"input": {"n": 2}}'))
    assert asked(_GATE, "gate", "e", "r", "no time")[0] == {"type": "reject", "message": "no time"}


@pytest.mark.parametrize(("editor", "said"), [("false", "ended with code 1"), ("no-such-editor", "cannot edit with")])
def test_an_editor_that_fails_is_told_and_the_question_stays(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, editor: str, said: str
) -> None:
    monkeypatch.setenv("EDITOR", editor)
    answer, shown = asked(_GATE, "gate", "e", "a")
    assert answer is True
    assert f"that cannot be used: {'the editor ' * (editor == 'false')}" in shown
    assert said in shown


def test_without_an_editor_arguments_are_typed_or_come_from_a_file(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text('{"instruction": "do more"}')
    for line in ("new.json", '{"instruction": "do more"}'):
        answer, shown = asked(_GATE, "gate", "e", "nowhere.json", "e", line, "a")
        assert answer == {"type": "edit", "args": {"instruction": "do more"}}
        assert "cannot read 'nowhere.json'" in shown
        assert "instruction:\n    do more\n" in shown


@pytest.mark.parametrize("lines", [["s"], [], ["r"], ["e", "{}", "skip"]], ids=str)
def test_skipping_and_the_end_of_input_are_no_answer(asked: Asked, lines: list[str]) -> None:
    with pytest.raises(Skipped):
        asked(_GATE, "gate", *lines)


def test_text_is_taken_as_it_is_and_json_after_its_sign(asked: Asked) -> None:
    text = input_request(run="r", step="a", prompt="Who?", schema={"type": "string"})
    assert asked(text, "input", "", ":=", "Ann")[0] == "Ann"
    assert asked(text, "input", ':=""')[0] == ""
    event = event_request(run="r", step="a", event="e")
    assert asked(event, "event", "")[0] == ""
    assert asked(event, "event", ":=null")[0] is None
    assert asked({"which": ["a", "b"]}, "specialist", ':={"which": "a"}')[0] == {"which": "a"}


def test_calls_of_a_specialist_are_decided_on_one_by_one(asked: Asked) -> None:
    calls = [{"name": name, "args": {"to": "ann"}} for name in ("mail", "call", "wipe", "ask")]
    configs = [{"action_name": one["name"], "allowed_decisions": list(_ALL)} for one in calls]
    answer, shown = asked(
        {"action_requests": calls, "review_configs": configs},
        "specialist",
        *("a", "e", '{"to": "bob"}', "r", "never", "t", "ask me later"),
    )
    assert answer == {
        "decisions": [
            {"type": "approve"},
            {"type": "edit", "args": {"to": "bob"}},
            {"type": "reject", "message": "never"},
            {"type": "respond", "message": "ask me later"},
        ]
    }
    assert shown.count('"to": "ann"') == 4
    assert "wipe: [a]pprove, [e]dit, [r]eject, [t]ell something in its place, [s]kip for now: " in shown


def test_only_what_is_allowed_is_offered_and_taken(asked: Asked) -> None:
    value: dict[str, Any] = {
        "action_requests": [{"name": "wipe", "args": {}}],
        "review_configs": [{"action_name": "wipe", "allowed_decisions": ["reject"]}],
    }
    answer, shown = asked(value, "specialist", "a", "e", "r", "")
    assert answer == {"decisions": [{"type": "reject"}]}
    assert shown.count("wipe: [r]eject, [s]kip for now: ") == 3
