"""The flat form in which a model writes a plan, and its compilation into a plan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.drafts.feed import StepFeed
from goalgraph.planner.drafts.form import FIELDS, MOST_SIMPLE, roles_schema, steps_schema
from goalgraph.planner.drafts.item import clean, missing, surplus, wrong
from goalgraph.planner.drafts.proposing import read_roles
from goalgraph.planner.drafts.reading import DraftedSteps, read_steps
from goalgraph.planner.drafts.showing import as_draft, problems_as_drafted
from goalgraph.planner.plan import Plan

__all__ = [
    "DRAFT_NAME",
    "MOST_SIMPLE",
    "Draft",
    "DraftedSteps",
    "StepFeed",
    "as_draft",
    "compile_draft",
    "draft_schema",
    "problems_as_drafted",
    "read_draft",
    "read_steps",
    "steps_schema",
]

DRAFT_NAME = "plan"
"""Title of the schema, and so the name of the tool a model calls to give its plan."""


def draft_schema(
    cards: Iterable[SpecialistCard],
    *,
    simple: bool = False,
    approvals: bool = False,
    max_roles: int = 0,
    tools: Iterable[str] = (),
) -> dict[str, JsonValue]:
    """JSON Schema of a draft: no unions, no free-form objects, every field required, as strict modes ask for.

    Args:
        cards: The specialists that a step may name.
        simple: Whether there are only specialists' steps, and few of them.
        approvals: Whether a simple plan may have approvals too.
        max_roles: How many roles the plan may propose; then a step may name them too.
        tools: Names of the tools that roles may work with.
    """
    properties: dict[str, JsonValue] = {
        "name": {"type": "string", "description": "A few words that say what the plan is for."},
        **({"roles": roles_schema(tools, max_roles)} if max_roles else {}),
        **steps_schema(cards, simple=simple, approvals=approvals, roles=bool(max_roles)),
    }
    return {
        "title": DRAFT_NAME,
        "description": "A plan that reaches the goal: steps that depend on each other, as a graph without cycles.",
        "type": "object",
        "properties": properties,
        "required": list[JsonValue](properties),
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft as far as it can be read."""

    plan: Plan
    """Every step with a usable id; a stand-in takes the place of each unreadable field, to check the graph by."""
    problems: tuple[PlanProblem, ...]
    """All that could not be read. A plan with problems must not run."""


def compile_draft(data: object) -> Plan | tuple[PlanProblem, ...]:
    """Turn what a model filled in into a plan, or say all that is wrong with its form.

    An absent name is no problem, nor is an absent list of anything but steps; see `read_steps` for what is read how.
    Whether the plan makes sense is for `validate_plan` to say.

    Args:
        data: Anything at all; nothing raises.
    """
    draft = read_draft(data)
    return draft.problems or draft.plan


def read_draft(data: object) -> Draft:
    """Read as much of a draft as there is, with all problems of its form."""
    if not isinstance(data, Mapping):
        return Draft(plan=Plan(), problems=(wrong("steps", "an object with 'name' and 'steps'", data),))
    plan = cast("Mapping[str, object]", data)
    known = ("name", *FIELDS)
    roles, problems = read_roles(plan.get("roles"))
    problems += [surplus(key, None, "the plan", ", ".join(known)) for key in plan if key not in (*known, "roles")]
    name = plan.get("name")
    if name is not None and not isinstance(name, str):
        problems.append(wrong("name", "text", name))
    if plan.get("steps") is None:
        problems.append(missing("steps", None))
    drafted = read_steps(plan)
    title = clean(name)[:200] if isinstance(name, str) else ""
    return Draft(plan=Plan(name=title, roles=roles, steps=drafted.steps), problems=(*problems, *drafted.problems))
