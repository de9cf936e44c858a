"""Which inputs a plan has a use for."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from goalgraph.errors import PlanProblem
from goalgraph.planner.chains import chains
from goalgraph.planner.checks.scopes import Scope, scope_of_plan
from goalgraph.planner.checks.suggestions import Suggestions, listed
from goalgraph.planner.expressions import ExpressionError, References
from goalgraph.planner.fields import ExpressionField, expression_fields
from goalgraph.planner.plan import Plan
from goalgraph.planner.templates import Expression, read, segments

__all__ = ["unknown_inputs"]


def unknown_inputs(plan: Plan, given: Mapping[str, JsonValue]) -> tuple[PlanProblem, ...]:
    """Find the inputs that a plan neither declares nor uses, as they are most likely misspelt.

    Args:
        plan: A valid one.
        given: The run's inputs, by name.
    """
    scope, flat = scope_of_plan(plan, ())
    fields = [*_fields(scope), ExpressionField("output", flat.plan.output, False)]
    if any(_takes_all(field) for field in fields):
        return ()
    known = {*plan.inputs, *(name for field in fields for name in _named(field).inputs)}
    suggestions = Suggestions()
    return tuple(
        PlanProblem(
            code="unknown_input",
            field="inputs",
            message=f"the plan neither declares nor uses the input {name!r}",
            hint=suggestions.hint(name, sorted(known), f"it has: {listed(sorted(known))}"),
        )
        for name in given
        if name not in known
    )


def _fields(scope: Scope) -> Iterator[ExpressionField]:
    for one in scope.everywhere():
        for step in one.steps:
            yield from expression_fields(step)


def _named(field: ExpressionField) -> References:
    try:
        return field.references()
    except ExpressionError:
        return References()


def _takes_all(field: ExpressionField) -> bool:
    """Whether an expression takes the inputs as a whole, as ``{{ input }}`` does, and so may use any of them."""
    return any(
        len(chain.parts) < 2 for expression in _expressions(field.value, field) for chain in chains(expression, "input")
    )


def _expressions(value: JsonValue, field: ExpressionField) -> Iterator[Expression]:
    if isinstance(value, str):
        parts = (read(value),) if field.is_condition else segments(value)
        yield from (part for part in parts if isinstance(part, Expression))
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item, field)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _expressions(item, field)
