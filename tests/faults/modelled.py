"""A plain model of a run: which steps are at work, what is asked, and how each has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

__all__ = ["Model", "Step", "documents", "plans"]

Kind = Literal["work", "gated", "approval", "input", "raw"]
_KINDS: tuple[Kind, ...] = ("work", "work", "gated", "approval", "input", "raw")
_FORMS: Mapping[Kind, Mapping[str, Any]] = {
    "work": {"agent": "worker"},
    "gated": {"agent": "careful"},
    "approval": {"type": "human_approval", "prompt": "May it?"},
    "input": {"type": "human_input", "prompt": "What?", "schema": {"type": "string"}},
    "raw": {"agent": "asker"},
}


@dataclass(frozen=True, slots=True)
class Step:
    kind: Kind
    needs: tuple[str, ...]


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    for number in range(draw(st.integers(2, 7))):
        needs = draw(st.sets(st.sampled_from(sorted(steps)), max_size=2)) if steps else set[str]()
        steps[f"s{number}"] = Step(draw(st.sampled_from(_KINDS)), tuple(sorted(needs)))
    return steps


class Model:
    """What a run should be like: each step's end, and what people have said."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self.steps = steps
        self.status: dict[str, str] = {}
        self.said: dict[str, str] = {}

    def working(self) -> set[str]:
        """Steps that somebody works at."""
        return {step for step in self._ready() if self._works(step)}

    def asking(self) -> set[str]:
        """Steps that wait for an answer."""
        return {step for step in self._ready() if self.steps[step].kind != "work" and step not in self.said}

    def heard_by_specialists(self) -> set[str]:
        """Steps that are not over, and have asked in a way of their own: nobody can give them their answers again."""
        return {step for step in self.said if self.steps[step].kind == "raw" and step not in self.status}

    def go_on(self) -> None:
        """Take in what follows from what is known."""
        for step, about in self.steps.items():
            if step in self.status:
                continue
            if any(self.status.get(need) in ("failed", "blocked") for need in about.needs):
                self.status[step] = "blocked"
            elif step in self._ready() and step in self.said and not self._works(step):
                self.status[step] = "failed" if self.said[step] == "no" else "succeeded"

    def is_over(self) -> bool:
        return len(self.status) == len(self.steps)

    def _ready(self) -> set[str]:
        return {
            step
            for step, about in self.steps.items()
            if step not in self.status and all(self.status.get(need) == "succeeded" for need in about.needs)
        }

    def _works(self, step: str) -> bool:
        kind = self.steps[step].kind
        return kind == "work" or (kind == "gated" and self.said.get(step) == "yes")


def documents(steps: Mapping[str, Step]) -> list[dict[str, Any]]:
    """Write a plan out."""
    return [{"id": step, **_FORMS[one.kind], "depends_on": one.needs} for step, one in steps.items()]
