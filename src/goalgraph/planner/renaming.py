"""Steps written anew with qualified ids, in their dependencies and in their expressions."""

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from goalgraph.planner.chains import rewritten
from goalgraph.planner.fields import renamed
from goalgraph.planner.naming import Names, ids_of, template
from goalgraph.planner.plan import MapStep, Step
from goalgraph.planner.templates import ExpressionError

__all__ = ["changes_of", "once", "renamed_output", "renamed_template"]


def changes_of(step: Step, prefix: str, names: Names, above: Sequence[str]) -> dict[str, object]:
    """Fields of a step that differ in the flat plan: dependencies, and names in expressions."""
    changes = renamed(step, names.renaming(prefix))
    needs = once((*above, *(names.resolve(need, prefix) for need in step.depends_on)))
    if needs != step.depends_on:
        changes["depends_on"] = needs
    return changes


def renamed_template(step: MapStep, prefix: str, names: Names) -> Step:
    """Write a map's step with qualified ids for what it names outside of itself."""
    whole = template(step, "*")
    inside = Names("", frozenset(ids_of((whole,))), names.inputs, (names, prefix))
    found = _inside(whole, "", inside)
    return step.step if found is whole else found.model_copy(update={"id": step.step.id})


def _inside(step: Step, prefix: str, names: Names) -> Step:
    changes = changes_of(step, prefix, names, ())
    inside = f"{prefix}{step.id}."

    def one(branch: Step | str) -> Step | str:
        return names.resolve(branch, prefix) if isinstance(branch, str) else _inside(branch, inside, names)

    if step.type == "condition":
        changes |= {"then": tuple(map(one, step.then)), "otherwise": tuple(map(one, step.otherwise))}
    elif step.type == "parallel":
        changes["branches"] = tuple(
            tuple(map(one, branch)) if isinstance(branch, tuple) else one(branch) for branch in step.branches
        )
    elif step.type == "map":
        changes["step"] = renamed_template(step, prefix, names)
    changes = {name: value for name, value in changes.items() if value != getattr(step, name)}
    return step.model_copy(update=changes) if changes else step


def renamed_output(output: JsonValue, names: Names, prefix: str) -> JsonValue:
    """Write the output of a plan or a group with qualified ids, seen from inside; as it is, where it cannot be read."""
    try:
        return rewritten(output, names.renaming(prefix)) if output is not None else None
    except ExpressionError:
        return output


def once(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids without repetitions, in order."""
    return tuple(dict.fromkeys(ids))
