"""What can be wrong with expressions: unreadable, or naming what is not there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.chains import chains
from goalgraph.planner.checks.declared import declared_output, missing_field
from goalgraph.planner.checks.scopes import Scope, Use
from goalgraph.planner.checks.suggestions import Suggestions, listed
from goalgraph.planner.expressions import ExpressionError, References, references
from goalgraph.planner.naming import FIELDS, Names, reference
from goalgraph.planner.plan import Step
from goalgraph.planner.templates import Expression, read, segments

__all__ = ["expression_problems", "output_problems"]

_Path = tuple[str | int, ...]


def expression_problems(
    scope: Scope, cards: Mapping[str, SpecialistCard], suggestions: Suggestions
) -> Iterator[PlanProblem]:
    """Find what is wrong with the expressions of all steps, those that maps repeat included."""
    yield from _of_scope(scope, {}, cards, suggestions)


def output_problems(
    output: JsonValue, scope: Scope, cards: Mapping[str, SpecialistCard], suggestions: Suggestions
) -> Iterator[PlanProblem]:
    """Find what is wrong with the expressions of a plan's own output.

    Args:
        output: Of the flat plan.
        scope: The plan's.
        cards: The specialists, by name.
        suggestions: For names that are not there.
    """
    if output is None:
        return
    try:
        found: References | ExpressionError = references(output)
    except ExpressionError as error:
        found = error
    outputs = _Outputs({step.id: step for step in scope.steps}, cards)
    yield from _of_use(Use("output", found, output), _Site(scope, None, "output", scope.names), outputs, suggestions)


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What is known of the outputs of steps."""

    steps: Mapping[str, Step]
    cards: Mapping[str, SpecialistCard]
    known: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def of(self, step_id: str) -> JsonValue:
        if step_id not in self.known:
            step = self.steps.get(step_id)
            self.known[step_id] = declared_output(step, self.steps, self.cards) if step is not None else {}
        return self.known[step_id]


@dataclass(frozen=True, slots=True)
class _Site:
    """Where an expression stands."""

    scope: Scope
    step: str | None
    """Id of the flat step; None for the plan itself."""
    field: str
    """In the written step."""
    names: Names

    def problem(self, code: ProblemCode, message: str, hint: str) -> PlanProblem:
        step = self.scope.owner(self.step) if self.step is not None else None
        return PlanProblem(code=code, step=step, field=self.field, message=message, hint=hint)

    def known(self) -> dict[str, str]:
        """Ids of all steps that can be named here, as they are written here, with the qualified ones."""
        found: dict[str, str] = {}
        names: Names | None = self.names
        while names is not None:
            found |= {step_id.removeprefix(names.root): step_id for step_id in names.known if "[" not in step_id}
            names = names.around[0] if names.around is not None else None
        return dict(sorted(found.items()))

    def shown(self, step_id: str) -> str:
        """Write an id as it is written here."""
        roots = self.names.root, self.names.around[0].root if self.names.around is not None else ""
        return step_id.removeprefix(roots[0]).removeprefix(roots[1])


def _of_scope(
    scope: Scope, around: Mapping[str, Step], cards: Mapping[str, SpecialistCard], suggestions: Suggestions
) -> Iterator[PlanProblem]:
    steps = {**around, **{step.id: step for step in scope.steps}}
    outputs = _Outputs(steps, cards)
    for step, uses in zip(scope.steps, scope.uses, strict=True):
        if step.type == "human_approval" and step.id in scope.origins:
            continue  # its expressions are copies of those of the step it is for
        for use in uses:
            site = _Site(scope, step.id, scope.field_of(step.id, use.field), scope.names_of(step.id, use.field))
            yield from _of_use(use, site, outputs, suggestions)
        if step.id in scope.inner:
            yield from _of_scope(scope.inner[step.id], steps, cards, suggestions)


def _of_use(use: Use, site: _Site, outputs: _Outputs, suggestions: Suggestions) -> Iterator[PlanProblem]:
    found = use.found
    if isinstance(found, ExpressionError):
        yield site.problem("bad_expression", str(found), "correct the expression")
        return
    dashed: set[str] = set()
    unknown: set[str] = set()
    for name in sorted(found.steps) if len(found.steps) > 1 else found.steps:
        if name == site.step or name in site.scope.within or (site.step and name == site.scope.owner(site.step)):
            unknown.add(name)
            message = "an expression of the step names the step itself"
            yield site.problem("self_dependency", message, "name another step")
        elif not _is_visible(name, site.names):
            unknown.add(name)
            yield _unknown_step(name, site, suggestions, dashed)
    for path in sorted(found.paths, key=repr) if len(found.paths) > 1 else found.paths:
        if len(path) > 1 and path[0] not in unknown:
            yield from _of_path(path, use, site, outputs, suggestions)
    if found.names:
        for name in sorted(found.names - site.scope.variables - dashed):
            yield _unknown_name(name, site, suggestions)
        if use.field == "over" and "now" in found.names:
            yield site.problem(
                "unstable_list",
                "the list depends on now(), and would be another one when the run goes on after a stop",
                "compute it in a transform step, and name that step's output here",
            )


def _is_visible(name: str, names: Names) -> bool:
    """Whether a step can be named; a sub-plan's input is a step of ours, that ``input`` means."""
    return (
        name in names.known or name == names.inputs or (names.around is not None and _is_visible(name, names.around[0]))
    )


def _unknown_step(name: str, site: _Site, suggestions: Suggestions, dashed: set[str]) -> PlanProblem:
    shown, known = site.shown(name), site.known() if suggestions.are_left else {}
    longer = next((one for one in known if one.startswith(f"{shown}-")), None)
    if longer is not None:
        dashed |= set(longer.split("-"))
        hint = f"write steps[{longer!r}], as '-' is a minus in expressions"
    else:
        hint = suggestions.hint(shown, known, "name a step of this plan")
    return site.problem("unknown_reference", f"an expression names a step {shown!r} that the plan does not have", hint)


def _unknown_name(name: str, site: _Site, suggestions: Suggestions) -> PlanProblem:
    known = site.known() if suggestions.are_left else {}
    variables = sorted(site.scope.variables)
    dashed = next((one for one in known if "-" in one and name in one.split("-")), None)
    if dashed is not None:
        hint = f"write steps[{dashed!r}], as '-' is a minus in expressions"
    elif name in known:
        hint = f"write {reference(name)}.output"
    else:
        there = ", ".join(("input", "steps", *variables))
        hint = suggestions.hint(name, ("input", "steps", *variables), f"there are: {there}; text stands in quotes")
    return site.problem("unknown_name", f"an expression names {name!r}, which is nothing here", hint)


def _of_path(path: _Path, use: Use, site: _Site, outputs: _Outputs, suggestions: Suggestions) -> Iterator[PlanProblem]:
    step_id, name = str(path[0]), path[1]
    if name in FIELDS and len(path) == 2:
        return
    schema: JsonValue = outputs.of(step_id) if name == "output" else {"type": "string"}
    if name in FIELDS and not schema:
        return
    whole = reference(site.shown(step_id))
    if name not in FIELDS:
        hint = suggestions.hint(str(name), FIELDS, f"write {whole}.output{_dotted((name,))}")
        message = f"a step has {', '.join(FIELDS)}, found {whole}{_dotted((name,))}"
        yield site.problem("unknown_field", message, hint)
        return
    missing = missing_field(schema, path[2:])
    if missing is None or _provides(use, path):
        return
    origin = site.scope.origins.get(step_id)
    if origin is not None and origin.field == "input" and not missing.place:
        yield PlanProblem(
            code="missing_input",
            step=origin.step,
            field="input",
            message=f"the plan in it uses the input {path[2]!r}, which has neither a value here nor a default there",
            hint=suggestions.hint(str(path[2]), missing.known, f"add {path[2]!r} to the input"),
        )
        return
    parent = f"{whole}.{name}{_dotted(path[2 : 2 + missing.place])}"
    part = path[2 + missing.place]
    if missing.known:
        hint = suggestions.hint(str(part), missing.known, f"there are: {listed(missing.known)}")
        yield site.problem("unknown_field", f"{parent} has no field {part!r}", hint)
    else:
        message = f"{parent} has no {'field' if isinstance(part, str) else 'place'} {part!r}"
        yield site.problem(
            "unknown_field", message, f"end the reference at {parent}, or say otherwise what the output is"
        )


def _provides(use: Use, path: _Path) -> bool:
    """Whether the expression itself says what is to be in place of a field that is not there."""
    found = [chain for one in _expressions(use.value) for chain in chains(one, "steps") if chain.parts[1:] == path]
    return all(chain.lenient for chain in found)


def _expressions(value: JsonValue) -> Iterator[Expression]:
    if isinstance(value, str):
        if "{{" not in value:
            yield read(value)
        else:
            yield from (part for part in segments(value) if isinstance(part, Expression))
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            if not isinstance(item, str) or "{{" in item:
                yield from _expressions(item)


def _dotted(parts: _Path) -> str:
    return "".join(f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{part!r}]" for part in parts)
