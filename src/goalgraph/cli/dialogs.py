"""Asking on the terminal what a run asks."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any, Literal, cast

from pydantic import JsonValue

from goalgraph.cli.asked import body_lines, heading
from goalgraph.cli.assignments import json_value
from goalgraph.cli.editor import edit_text
from goalgraph.cli.endings import BadInput, UnusablePlan, one_line_of, problem_line
from goalgraph.cli.forms import Choice, choices_of, picked
from goalgraph.cli.questions import question_of, reply_to
from goalgraph.cli.records import Question
from goalgraph.cli.terminal import Terminal
from goalgraph.graph.humans.answers import Problem
from goalgraph.graph.humans.thread import Request
from goalgraph.planner.documents import dump_plan, read_document
from goalgraph.planner.plan import Plan

__all__ = ["Dialog", "Skipped"]

_Choice = Literal["approve", "edit", "reject", "respond"]
_SHOWN: Mapping[str, str] = {
    "approve": "[a]pprove",
    "edit": "[e]dit",
    "reject": "[r]eject",
    "respond": "[t]ell something in its place",
}
_WORDS: Mapping[str, str] = {
    "a": "approve",
    "y": "approve",
    "yes": "approve",
    "r": "reject",
    "n": "reject",
    "no": "reject",
    "e": "edit",
    "t": "respond",
    "tell": "respond",
    "s": "skip",
}


class Skipped(Exception):
    """Somebody wants to answer another time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """Asks whoever sits at a terminal."""

    terminal: Terminal
    show_plan: Callable[[Plan], None]
    check_plan: Callable[[str], Plan]
    """Reads a plan that was edited; raises `UnusablePlan`."""

    def ask(self, request: Request, place: str) -> JsonValue:
        """Ask until there is an answer that can be used, and return it in a form that `reply_to` reads.

        Args:
            request: What is asked.
            place: Which one it is of how many, in words.

        Raises:
            Skipped: There is none for now.
        """
        question = question_of(request)
        self.terminal.line()
        self.terminal.text(f"{place}: {heading(question)}")
        if question.problem is not None:
            self._refuse(question.problem)
        if question.kind == "plan":
            self.show_plan(_plan_of(question))
        else:
            self._show(body_lines(question))
        while True:
            try:
                said = self._said(request, question)
            except BadInput as error:
                self._refuse(one_line_of(error))
                continue
            found = reply_to(request, question, said)
            if not isinstance(found, Problem):
                return said
            self._refuse(found.message)

    def _said(self, request: Request, question: Question) -> JsonValue:
        """Return what is said this time."""
        if question.kind == "specialist" and question.arguments is not None:
            return self._decisions(request)
        if "approve" in question.allowed:
            return self._chosen(request, question)
        if choices := choices_of(question.form):
            return self._picked(choices)
        if question.kind == "event":
            return self._typed("What came with it (text, or JSON after ':='; empty: nothing; Ctrl-D skips it for now):")
        return self._typed("Answer (text, or JSON after ':='; Ctrl-D skips it for now):", needed=True)

    def _picked(self, choices: Sequence[Choice]) -> JsonValue:
        """Return one of a few answers, with what is to be said in it."""
        names = ", ".join(f"{one.name} ..." if one.field is not None else one.name for one in choices)
        while True:
            said = self._line(f"Answer ({names}; Ctrl-D skips it for now):")
            if said.startswith(":="):
                return json_value(said[2:], "the answer")
            if (choice := picked(choices, said)) is not None:
                return choice.with_text(self._line(f"{choice.name}:") if choice.field is not None else "")

    def _typed(self, what: str, *, needed: bool = False) -> JsonValue:
        said = self._line(what)
        while needed and not said:
            said = self._line(what)
        return json_value(said[2:], "the answer") if said.startswith(":=") else said

    def _chosen(self, request: Request, question: Question) -> JsonValue:
        """Return a yes or a no; a yes is to what was shown last, the changes that were made included."""
        answer: JsonValue = True
        draft = before = _text_of(question)
        while True:
            choice = self._choice(question.allowed)
            if choice == "approve":
                return answer
            if choice == "reject":
                return self._rejected()
            try:
                text = edit_text(draft, "plan.yaml" if question.kind == "plan" else "arguments.json", self.terminal)
                if text is None or text.strip() == before.strip():
                    answer, draft = True, before
                    self.terminal.line("nothing is changed")
                    continue
                draft = text
                answer = self._changed(request, question, text)
            except UnusablePlan as error:
                for problem in error.problems:
                    self.terminal.text(problem_line(error.source, problem))
            except BadInput as error:
                self._refuse(one_line_of(error))

    def _changed(self, request: Request, question: Question, text: str) -> JsonValue:
        """Show what was edited, and return it as an answer.

        Raises:
            BadInput: It cannot be used.
            UnusablePlan: It is no plan that may run.
        """
        if question.kind == "plan":
            self.show_plan(self.check_plan(text))
            return {"type": "edit", "args": {"plan": text}}
        arguments = json_value(text, "the arguments")
        answer: JsonValue = {"type": "edit", "args": arguments}
        if isinstance(found := reply_to(request, question, answer), Problem):
            raise BadInput(found.message)
        merged = {**cast("dict[str, JsonValue]", question.arguments), **cast("dict[str, JsonValue]", arguments)}
        self._show(body_lines(question.model_copy(update={"arguments": merged})))
        return answer

    def _decisions(self, request: Request) -> JsonValue:
        """Decide on each of the calls that a specialist wants to make."""
        value = cast("Mapping[str, Any]", request.interrupt.value)
        allowed = {one["action_name"]: tuple(one["allowed_decisions"]) for one in value.get("review_configs") or ()}
        decisions: list[JsonValue] = []
        for action in cast("list[dict[str, Any]]", value["action_requests"]):
            name = str(action.get("name"))
            choice = self._choice(allowed.get(name, ("approve", "reject")), f"{name}: ")
            if choice == "respond":
                decisions.append({"type": "respond", "message": self._line("What it is to be told:")})
            elif choice == "edit":
                before = json.dumps(action.get("args"), ensure_ascii=False, indent=2, default=str)
                text = edit_text(before, "arguments.json", self.terminal)
                decisions.append({"type": "edit", "args": json_value(text or before, "the arguments")})
            else:
                said = self._rejected() if choice == "reject" else True
                decisions.append(said if isinstance(said, dict) else {"type": choice})
        return {"decisions": decisions}

    def _choice(self, allowed: tuple[str, ...], about: str = "") -> _Choice:
        known = [one for one in _SHOWN if one in allowed]
        while True:
            said = self._line(f"{about}{', '.join([*(_SHOWN[one] for one in known), '[s]kip for now'])}:")
            word = said.strip().lower()
            choice = _WORDS.get(word, word)
            if choice == "skip":
                raise Skipped
            if choice in known:
                return cast("_Choice", choice)

    def _rejected(self) -> JsonValue:
        reason = self._line("Why? (may be empty)").strip()
        return {"type": "reject", "message": reason} if reason else False

    def _line(self, question: str) -> str:
        said = self.terminal.ask(question)
        if said is None:
            raise Skipped
        return said

    def _show(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.terminal.text(indent(line, "  "))

    def _refuse(self, problem: str) -> None:
        self.terminal.text(f"that cannot be used: {problem}")


def _plan_of(question: Question) -> Plan:
    arguments = cast("Mapping[str, Mapping[str, object]]", question.arguments)
    return read_document(arguments["plan"]).plan


def _text_of(question: Question) -> str:
    """Return what can be edited, as text."""
    if question.kind == "plan":
        return dump_plan(_plan_of(question))
    return json.dumps(question.arguments, ensure_ascii=False, indent=2)
