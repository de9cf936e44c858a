"""What can be wrong with the roles that a plan proposes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.suggestions import Suggestions, listed, lookalike
from goalgraph.planner.plan import Plan
from goalgraph.planner.proposed import roles_in
from goalgraph.planner.roles import Role

__all__ = ["Allowed", "role_problems"]


class Allowed(Protocol):
    """What the caller allows."""

    @property
    def max_roles(self) -> int:
        """How many."""
        ...

    @property
    def tools(self) -> Mapping[str, str]:
        """With which tools: what they do, by name."""
        ...


def role_problems(plan: Plan, allowed: Allowed, cards: Iterable[SpecialistCard]) -> Iterator[PlanProblem]:
    """Find what is wrong with the roles of a plan, and of the plans inside of it.

    The very same role in several of these plans is one. A role that no step has is none too many: a revision may have
    dropped the step; nothing is made of it.

    Args:
        plan: As it is written, or flat.
        allowed: What the caller allows.
        cards: The specialists that there are without it.
    """
    names = [card.name for card in cards]
    if not allowed.max_roles:
        yield from _none_allowed(plan, names)
        return
    suggestions = Suggestions()
    known: dict[str, tuple[str | None, Role]] = {}
    for place, role in roles_in(plan):
        field = f"{_place(place)[1]}.{role.name}"
        before = known.get(role.name)
        if before is None:
            yield from _of_name(place, field, role.name, names, known)
            yield from _of_tools(place, field, role, allowed.tools, suggestions)
            known[role.name] = place, role
        elif before[0] == place:
            yield _problem("duplicate_role", place, field, f"two roles are called {role.name!r}", "rename one of them")
        elif before[1] != role:
            message = f"another plan of this run has another role that is called {role.name!r}"
            yield _problem("duplicate_role", place, field, message, "rename one of them, or make them the same")
    if len(known) > allowed.max_roles:
        first, most = next(iter(known.values()))[0], allowed.max_roles
        message = f"at most {most} role{'s are' if most > 1 else ' is'} allowed, found {len(known)}: {listed(known)}"
        yield _problem("too_many_roles", *_place(first), message, "give the work of several to one")


def _of_name(
    place: str | None, field: str, name: str, names: Iterable[str], others: Iterable[str]
) -> Iterator[PlanProblem]:
    taken = tuple(names)
    if name in taken:
        hint = "name that one in the steps, or choose another name"
        yield _problem("role_name_taken", place, field, f"there is a specialist called {name!r}", hint)
    elif (one := _alike(name, taken)) or (one := _alike(name, others)):
        message = f"the name {name!r} looks like {one!r}"
        yield _problem("role_name_taken", place, field, message, "choose a name that nobody takes for another")


def _alike(name: str, names: Iterable[str]) -> str:
    return next((one for one in names if lookalike(name, (one,))), "")


def _of_tools(
    place: str | None, field: str, role: Role, tools: Mapping[str, str], suggestions: Suggestions
) -> Iterator[PlanProblem]:
    for name in dict.fromkeys(role.tools):
        if name not in tools:
            hint = suggestions.hint(name, tools, f"roles may have: {listed(tools)}")
            yield _problem("unknown_tool", place, f"{field}.tools", f"roles may not have a tool {name!r}", hint)


def _none_allowed(plan: Plan, names: Iterable[str]) -> Iterator[PlanProblem]:
    found = list(roles_in(plan))
    if found:
        message = f"a plan may not propose roles here, found {listed(role.name for _, role in found)}"
        yield _problem("roles_not_allowed", *_place(found[0][0]), message, f"name specialists: {listed(names)}")


def _place(place: str | None) -> tuple[str | None, str]:
    return place, "roles" if place is None else "plan.roles"


def _problem(code: ProblemCode, step: str | None, field: str, message: str, hint: str) -> PlanProblem:
    return PlanProblem(code=code, step=step, field=field, message=message, hint=hint)
