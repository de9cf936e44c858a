"""Which fields of a step hold expressions."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from goalgraph.planner.chains import Renaming, rewritten, rewritten_condition
from goalgraph.planner.expressions import ExpressionError, References, condition, is_template, references
from goalgraph.planner.plan import Step

__all__ = ["ExpressionField", "expression_fields", "renamed"]

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "agent": ("task", "input"),
    "human_approval": ("prompt", "assignee", "deadline"),
    "human_input": ("prompt", "assignee", "deadline"),
    "condition": (),
    "parallel": ("output",),
    "map": ("over",),
    "wait": ("duration", "until"),
    "sub_plan": ("input",),
    "transform": ("output",),
}


@dataclass(frozen=True, slots=True)
class ExpressionField:
    """A field that holds expressions."""

    name: str
    """As documents write it."""
    value: JsonValue
    is_condition: bool
    """Whether it is one expression, braces or not."""

    def references(self) -> References:
        """Find what it names.

        Raises:
            ExpressionError: It cannot be read.
        """
        return condition(cast("str", self.value)) if self.is_condition else references(self.value)


def expression_fields(step: Step) -> Iterator[ExpressionField]:
    """Find a step's own fields that hold expressions; those of steps inside it are not among them."""
    if step.when is not None:
        yield ExpressionField("when", step.when, True)
    if step.type == "condition":
        yield ExpressionField("if", step.test, True)
    for name in _TEMPLATES[step.type]:
        value: JsonValue = getattr(step, name)
        if value and is_template(value):
            yield ExpressionField(name, value, False)


def renamed(step: Step, renaming: dict[str, Renaming]) -> dict[str, object]:
    """Write a step's expressions with other names, and return the fields that change, by their names in Python.

    A field with an expression that cannot be read stays as it is; validation finds it again and tells it.
    """
    changes: dict[str, object] = {}
    conditions = ("when", "test") if step.type == "condition" else ("when",)
    for name in conditions:
        text: str | None = getattr(step, name)
        with suppress(ExpressionError):
            if text is not None and (new := rewritten_condition(text, renaming)) != text:
                changes[name] = new
    for name in _TEMPLATES[step.type]:
        value: JsonValue = getattr(step, name)
        with suppress(ExpressionError):
            if value and (found := rewritten(value, renaming)) is not value:
                changes[name] = found
    return changes
