"""A plan as validation sees it: steps as they are written, beside the flat steps that they become."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import Compiled, Origin, compiled, compiled_item
from goalgraph.planner.expressions import ExpressionError, References
from goalgraph.planner.fields import expression_fields
from goalgraph.planner.naming import Names, free_id, ids_of, inner_steps, template
from goalgraph.planner.plan import MapStep, Plan, Step

__all__ = ["MOST_LEVELS", "Scope", "Size", "Use", "Written", "scope_of_plan", "size_of"]

MOST_LEVELS = 16
"""Steps inside of each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a plan is."""

    steps: int
    """Steps inside of steps and of sub-plans included; a map counts as what it repeats."""
    deepest: str | None
    """Qualified id of the first step that stands in too many others; None where there is none."""
    is_whole: bool
    """Whether all were counted; counting ends where the limit is passed by far."""


@dataclass(frozen=True, slots=True)
class Written:
    """A step as it is written, and where."""

    id: str
    """Qualified."""
    step: Step
    prefix: str
    """Qualified id of what it stands in, with a dot; empty at the top."""
    names: Names
    """What its own names mean."""
    inner: Names | None = None
    """What names mean in the plan that it is, where it is one."""

    def meant(self, name: str) -> str:
        """Return the qualified id that a name means here, whether there is such a step or not."""
        names, prefix = self.names, self.prefix
        while (found := names.find(name, prefix)) is None and names.around is not None:
            names, prefix = names.around
        return found if found is not None else names.root + name


@dataclass(frozen=True, slots=True)
class Use:
    """A field of a flat step whose expressions name something, or cannot be read."""

    field: str
    found: References | ExpressionError
    value: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The plan, or the step that one of its maps repeats."""

    written: tuple[Written, ...]
    steps: Sequence[Step]
    """Flat."""
    uses: Sequence[tuple[Use, ...]]
    """One for each flat step."""
    origins: Mapping[str, Origin]
    by_id: Mapping[str, Written]
    names: Names
    """Of its outermost steps."""
    variables: frozenset[str]
    """Names that expressions may use beside ``input`` and ``steps``."""
    within: tuple[str, ...] = ()
    """Ids of the maps that this is repeated by, the outermost first."""
    inner: "dict[str, Scope]" = field(default_factory=dict[str, "Scope"])
    """What its own maps repeat, by the map's id."""

    def everywhere(self) -> "Iterator[Scope]":
        """This one and all inside of it."""
        yield self
        for scope in self.inner.values():
            yield from scope.everywhere()

    def names_of(self, step_id: str, field: str) -> Names:
        """What the names in a flat step's field mean."""
        written = self.by_id.get(self.owner(step_id))
        if written is None:
            return self.names
        return (
            written.inner if written.inner is not None and (step_id, field) == (written.id, "output") else written.names
        )

    def owner(self, step_id: str) -> str:
        """Id of the written step that a flat one is told as."""
        origin = self.origins.get(step_id)
        return origin.step if origin is not None else step_id

    def field_of(self, step_id: str, name: str) -> str:
        """Name, in the written step, of a flat step's field."""
        origin = self.origins.get(step_id)
        if origin is not None and origin.field is not None and name in ("if", "output"):
            return origin.field
        written = self.by_id.get(step_id)
        nested = written is not None and written.step.type == "sub_plan"
        return "plan.output" if nested and name == "output" else name


def size_of(plan: Plan, enough: int) -> Size:
    """Count a plan's steps, and find one that stands in too many others.

    Args:
        plan: Any, however deep.
        enough: Steps after which the count may end.
    """
    left: list[tuple[Step, str, int]] = [(step, step.id, 1) for step in reversed(plan.steps)]
    count, deepest = 0, None
    while left:
        step, step_id, level = left.pop()
        count += step.type != "map"
        if level > MOST_LEVELS:
            deepest = deepest or step_id
            continue
        if count > enough:
            return Size(steps=count, deepest=deepest, is_whole=not left)
        if step.type in ("agent", "parallel", "condition"):
            inner = [(one, f"{step_id}.{one.id}", level + 1) for one in inner_steps(step)]
        elif step.type == "sub_plan" and isinstance(step.plan, Plan):
            inner = [(one, f"{step_id}.{one.id}", level + 1) for one in step.plan.steps]
        else:
            inner = [(step.step, f"{step_id}[*]", level + 1)] if step.type == "map" else []
        left += reversed(inner)
    return Size(steps=count, deepest=deepest, is_whole=True)


def scope_of_plan(plan: Plan, cards: Sequence[SpecialistCard]) -> tuple[Scope, Compiled]:
    """Look a plan through: the plan and, inside, what its maps repeat; and the flat plan."""
    flat = compiled(plan, cards)
    names = Names("", frozenset(ids_of(plan.steps)))
    written = tuple(_written(plan.steps, "", names))
    return _scope(written, names, flat, frozenset(("now", "range")), (), cards), flat


def _scope(
    written: tuple[Written, ...],
    names: Names,
    flat: Compiled,
    variables: frozenset[str],
    within: tuple[str, ...],
    cards: Sequence[SpecialistCard],
) -> Scope:
    by_id: dict[str, Written] = {}
    for one in written:
        by_id.setdefault(one.id, one)
    steps = flat.plan.steps
    scope = Scope(
        written=written,
        steps=steps,
        # Steps that nobody wrote, such as the end of a condition in a branch, use nothing that could be wrong.
        uses=[tuple(_uses(step)) if step.id in by_id or step.id in flat.origins else () for step in steps],
        origins=flat.origins,
        by_id=by_id,
        names=names,
        variables=variables,
        within=within,
    )
    for step in steps:
        if step.type == "map" and (place := by_id.get(step.id)) is not None and place.step.type == "map":
            inner = tuple(_written_template(place, place.step))
            seen = variables | {step.variable, "index"}
            items = compiled_item(step, "*", cards)
            items = Compiled(items.plan, {**flat.origins, **items.origins})
            scope.inner[step.id] = _scope(inner, inner[0].names, items, seen, (*within, step.id), cards)
    return scope


def _uses(step: Step) -> Iterator[Use]:
    for one in expression_fields(step):
        try:
            found = one.references()
            if found.steps or found.inputs or found.names:
                yield Use(one.name, found, one.value)
        except ExpressionError as error:
            yield Use(one.name, error, one.value)


def _written(steps: Iterable[Step], prefix: str, names: Names) -> Iterator[Written]:
    for step in steps:
        full = prefix + step.id
        if step.type == "sub_plan" and isinstance(step.plan, Plan):
            inside = f"{full}."
            known = frozenset(ids_of(step.plan.steps, inside))
            inner = Names(inside, known, free_id(f"{full}.input", known))
            yield Written(full, step, prefix, names, inner)
            yield from _written(step.plan.steps, inside, inner)
        else:
            yield Written(full, step, prefix, names)
            if step.type in ("parallel", "condition"):
                yield from _written(inner_steps(step), f"{full}.", names)


def _written_template(place: Written, step: MapStep) -> Iterator[Written]:
    whole = template(step.model_copy(update={"id": place.id}), "*")
    around = place.names
    names = Names("", frozenset(ids_of((whole,))), around.inputs, (around, place.prefix))
    yield from _written((whole,), "", names)
