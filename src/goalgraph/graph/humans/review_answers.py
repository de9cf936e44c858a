"""What people want a plan that they review to be, in place of the one that they were shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.graph.humans.answers import Problem
from goalgraph.graph.humans.replies import PLAN_EDIT
from goalgraph.planner.documents import PlanDocument, parse_document, parse_patch, read_document, read_patch
from goalgraph.planner.documents.faults import found_text
from goalgraph.planner.patch import PlanPatch, apply_patch, digest_of
from goalgraph.planner.plan import Plan

__all__ = ["Edited", "Unchanged", "UnusablePlan", "read_plan_edit"]

_FIELDS = ("plan", "patch")


@dataclass(frozen=True, slots=True)
class Unchanged:
    """It is the very plan that was shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """Another plan may run, if it is valid."""

    plan: Plan
    """As it is to be; of the form of a plan, not yet validated."""
    document: PlanDocument | None = None
    """What it was read from, to locate problems in; None where it is the shown plan with a patch, or came as a plan."""
    patch: PlanPatch | None = None
    """What makes it of the shown plan; None where it was given as a whole."""


@dataclass(frozen=True, slots=True)
class UnusablePlan(Problem):
    """An edit that is no plan, or does not go with the one that was shown."""

    problems: tuple[PlanProblem, ...]


def read_plan_edit(arguments: Mapping[str, object], plan: Plan) -> Unchanged | Edited | Problem:
    """Read the plan that somebody wants in place of the one that was shown.

    Args:
        arguments: ``plan``: all of it, or ``patch``: what is to be different; data, or text in YAML or JSON, which is
            all that some screens can send.
        plan: The one that was shown.
    """
    if unknown := [name for name in arguments if name not in _FIELDS]:
        return Problem(f"an edit of a plan has no {str(unknown[0])[:80]!r}; {PLAN_EDIT}")
    given = {name: value for name, value in arguments.items() if not _is_empty(value)}
    if len(given) != 1:
        return Problem(f"found {'both of them' if given else 'neither of them, or an empty one'}; {PLAN_EDIT}")
    try:
        found = _patched(given["patch"], plan) if "patch" in given else _read(given["plan"])
    except InvalidPlan as error:
        return UnusablePlan(str(error), error.problems)
    if isinstance(found, Edited) and digest_of(found.plan) == digest_of(plan):
        return Unchanged()
    return found


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, (str, Mapping, list)) and not value)


def _read(value: object) -> Edited | Problem:
    if isinstance(value, Plan):
        return Edited(plan=value)
    if isinstance(value, str):
        document = parse_document(value, source="the edited plan")
    elif isinstance(value, Mapping):
        document = read_document(cast("Mapping[str, object]", value))
    else:
        return Problem(f"expected the plan as an object or as text, found {found_text(value)}; {PLAN_EDIT}")
    return Edited(plan=document.plan, document=document)


def _patched(value: object, plan: Plan) -> Edited | Problem:
    if isinstance(value, str):
        patch = parse_patch(value)
    elif isinstance(value, (Mapping, PlanPatch)):
        patch = read_patch(cast("Mapping[str, object] | PlanPatch", value))
    else:
        return Problem(f"expected the patch as an object or as text, found {found_text(value)}; {PLAN_EDIT}")
    if not patch:
        return Problem(f"the patch changes nothing; {PLAN_EDIT}")
    return Edited(plan=apply_patch(plan, patch), patch=patch)
