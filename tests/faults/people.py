"""The humans of the made-up plans: what they say depends on the question alone, and says which one it is for."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from tests.faults.checker import token
from tests.faults.ledger import Line
from tests.faults.plans import Case

from goalgraph import Request

__all__ = ["Question", "question_of", "times_answered", "verdict"]

_OFFSETS = {"gate": 0, "plan": 0, "approval": 100, "input": 100, "event": 100, "specialist": 200}
"""What keeps the numbers of a step's questions apart that are of different kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, and which question of which step it is."""

    request: Request
    step: str
    number: int

    @property
    def ask(self) -> Line:
        """That somebody sees it."""
        return Line("ask", self.step, self.number, self.request.id)

    def words(self, case: Case, time: int) -> str:
        """The token of its answer."""
        if self.request.kind == "plan":
            return token("yes", self.step, self.number, time)
        if self.request.kind not in ("approval", "gate"):
            return token("say", self.step, self.number, time)
        return token(verdict(case, self.step), self.step, self.number, time)

    def answer(self, case: Case, words: str) -> object:
        """Say that, in one of the shapes that screens send."""
        if words.startswith("say:"):
            return words
        approves = words.startswith("yes:")
        chance = _chance(case, self.step, "shape")
        if (
            approves
            and self.request.kind == "gate"
            and "instruction" in self.request.arguments
            and chance.random() < 0.2
        ):
            given = cast("Mapping[str, object]", self.request.arguments["input"])
            own = {name: value for name, value in given.items() if name != "of"}  # in which others' words may be
            return {"type": "edit", "args": {"input": {**own, "said": words}}}
        decision = {"type": "approve" if approves else "reject", "message": words}
        older = [{"type": "accept" if approves else "ignore", "args": words}]
        return chance.choice([decision, {"decisions": [decision]}, older])


def question_of(request: Request) -> Question:
    """Find out which question a request is."""
    value: Mapping[str, Any] = request.interrupt.value
    number: int = value["asked"] if request.kind != "specialist" else value["number"]
    return Question(request=request, step=value["step"] or "-", number=_OFFSETS[request.kind] + number)


def verdict(case: Case, step: str) -> Literal["yes", "no"]:
    """What is said where a step asks for a yes or a no."""
    return "no" if _chance(case, step, "fate").random() < 0.15 else "yes"


def times_answered(lines: tuple[Line, ...], question: Question) -> int:
    """How often somebody has tried to answer it."""
    return sum(1 for line in lines if line.event == "answer" and line.key == question.request.id)


def _chance(case: Case, step: str, about: str) -> random.Random:
    return random.Random(f"{case.seed} {step} {about}")
