"""Roles out of a draft, and in the form of one."""

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue, ValidationError

from goalgraph.errors import PlanProblem
from goalgraph.planner.drafts.form import ROLE
from goalgraph.planner.drafts.item import STAND_IN, clean, missing, surplus, wrong
from goalgraph.planner.roles import Role

__all__ = ["drafted_role", "read_roles"]


def read_roles(value: object) -> tuple[tuple[Role, ...], list[PlanProblem]]:
    """Read the list that `roles_schema` describes; an absent one is an empty one.

    Args:
        value: Anything; nothing raises.

    Returns:
        All with a usable name, where a stand-in takes the place of what cannot be read; and all that is wrong.
    """
    if value is None:
        return (), []
    if not isinstance(value, list):
        return (), [wrong("roles", "a list of roles", value)]
    roles: list[Role] = []
    problems: list[PlanProblem] = []
    for number, written in enumerate(cast("list[object]", value)):
        role, found = _read(written, f"roles[{number}]")
        roles += [role] if role is not None else []
        problems += found
    return tuple(roles), problems


def drafted_role(role: Role) -> dict[str, JsonValue]:
    """Return a role in the form that a model fills in."""
    return {
        "name": role.name,
        "description": role.description,
        "instructions": role.instructions,
        "tools": list(role.tools),
    }


def _read(written: object, place: str) -> tuple[Role | None, list[PlanProblem]]:
    if not isinstance(written, Mapping):
        return None, [wrong(place, f"an object with {', '.join(ROLE)}", written)]
    given = cast("Mapping[object, object]", written)
    problems = [surplus(key, None, place, ", ".join(ROLE)) for key in given if key not in ROLE]
    values: dict[str, object] = {"instructions": STAND_IN}
    for name in ("name", "description", "instructions"):
        found = given.get(name)
        if isinstance(found, str) and (clean(found).strip() or name == "description"):
            values[name] = clean(found)
        elif found is None and name != "description":
            problems.append(missing(f"{place}.{name}", None))
        elif found is not None:
            problems.append(wrong(f"{place}.{name}", "text", found))
    tools = given.get("tools")
    if (names := _texts(tools)) is not None:
        values["tools"] = names
    elif tools is not None:
        problems.append(wrong(f"{place}.tools", "a list of texts", tools))
    if "name" not in values:
        return None, problems
    return _made(values, place, problems), problems


def _texts(value: object) -> tuple[str, ...] | None:
    """Return a list of texts, each once; None for anything else."""
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    texts = [clean(one).strip() for one in items if isinstance(one, str)]
    return tuple(dict.fromkeys(texts)) if len(texts) == len(items) else None


def _made(values: dict[str, object], place: str, problems: list[PlanProblem]) -> Role | None:
    """Make the role; stand-ins take the place of what is too long or has another form."""
    try:
        return Role.model_validate(values)
    except ValidationError as error:
        names = dict.fromkeys(str(one["loc"][0]) for one in error.errors(include_url=False))
    problems += [wrong(f"{place}.{name}", _EXPECTED[name], values[name]) for name in names]
    if "name" in names:
        return None
    readable = {name: value for name, value in values.items() if name not in names}
    return Role.model_validate({"instructions": STAND_IN, **readable})


_EXPECTED = {
    "name": "letters, digits, '_', '-' and '.', at most 64 of them",
    "description": "at most 2000 characters",
    "instructions": "at most 20000 characters",
    "tools": "at most 100 names of at most 128 characters",
}
