"""The roles of a plan and of the plans inside of it, among the specialists that there are."""

from collections.abc import Iterable, Iterator

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.naming import inner_steps
from goalgraph.planner.plan import Plan
from goalgraph.planner.roles import Role, card_of_role

__all__ = ["roles_in", "roles_of", "with_roles"]


def roles_of(plan: Plan) -> tuple[Role, ...]:
    """Return all roles that a plan may work with, by name the first: its own, then those of the plans inside of it."""
    found: dict[str, Role] = {}
    for _, role in roles_in(plan):
        found.setdefault(role.name, role)
    return tuple(found.values())


def roles_in(plan: Plan, place: str | None = None) -> Iterator[tuple[str | None, Role]]:
    """Yield the roles of a plan and of those inside of it, each with the qualified id of the step it stands in.

    Args:
        plan: As it is written, or flat.
        place: Qualified id of the step that the plan stands in; None for the outermost.
    """
    for role in plan.roles:
        yield place, role
    left = [(step, f"{place}.{step.id}" if place is not None else step.id) for step in reversed(plan.steps)]
    while left:
        step, path = left.pop()
        if step.type == "sub_plan" and isinstance(step.plan, Plan):
            yield from roles_in(step.plan, path)
        elif step.type == "map":
            left.append((step.step, f"{path}[*]"))
        elif step.type in ("condition", "parallel"):
            left += reversed([(inner, f"{path}.{inner.id}") for inner in inner_steps(step)])


def with_roles(cards: Iterable[SpecialistCard], plan: Plan) -> tuple[SpecialistCard, ...]:
    """Return the specialists with the roles of a plan among them; a name that is there already stays what it is."""
    known = tuple(cards)
    names = {card.name for card in known}
    return (*known, *(card_of_role(role) for role in roles_of(plan) if role.name not in names))
