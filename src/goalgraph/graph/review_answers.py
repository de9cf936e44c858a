"""What people answer to the review of a plan: that it may run, that it may not, or how it is to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.graph.answers import Problem, read_approval, read_edit
from goalgraph.planner.documents import PlanDocument, parse_document, parse_patch, read_document, read_patch
from goalgraph.planner.documents.faults import found_text
from goalgraph.planner.documents.shapes import as_mapping
from goalgraph.planner.patch import PlanPatch, apply_patch, digest_of
from goalgraph.planner.plan import Plan
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json

__all__ = [
    "Approved",
    "Edited",
    "Rejected",
    "Review",
    "UnusablePlan",
    "edit_arguments",
    "read_plan_edit",
    "read_review",
]

_FIELDS = ("plan", "patch")
_EDIT = "to change the plan, send {'plan': all of it} or {'patch': {'add', 'replace', 'drop', 'rewire'}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The plan may run as it was shown."""

    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The plan may not run."""

    reason: str | None = None
    """None where none was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """Another plan may run, if it is valid."""

    plan: Plan
    """As it is to be; of the form of a plan, not yet validated."""
    document: PlanDocument | None = None
    """What it was read from, to locate problems in; None where it is the shown plan with a patch, or came as a plan."""
    patch: PlanPatch | None = None
    """What makes it of the shown plan; None where it was given as a whole."""


Review = Approved | Rejected | Edited


@dataclass(frozen=True, slots=True)
class UnusablePlan(Problem):
    """An edit that is no plan, or does not go with the one that was shown."""

    problems: tuple[PlanProblem, ...]


def read_review(answer: object, plan: Plan) -> Review | Problem:
    """Read the answer to the review of a plan.

    A yes and a no are what they are to any approval. An edit is a decision of LangChain's screens (``edited_action``)
    or of the agent inbox (``args`` with an ``action``), or just ``{"plan": ...}`` or ``{"patch": ...}``; see
    `read_plan_edit`.

    Args:
        answer: As it came.
        plan: The one that was shown.
    """
    edit = edit_arguments(answer)
    if isinstance(edit, Problem):
        return Problem(f"{edit.message}; {_EDIT}")
    if edit is not None:
        return read_plan_edit(edit, plan)
    found = read_approval(answer)
    if isinstance(found, Problem):
        return Problem(f"{found.message}; {_EDIT}")
    return Approved(comment=found.comment) if found.approved else Rejected(reason=found.comment)


def read_plan_edit(arguments: Mapping[str, object], plan: Plan) -> Approved | Edited | Problem:
    """Read the plan that somebody wants in place of the one that was shown.

    The very plan that was shown is an approval of it.

    Args:
        arguments: ``plan``: all of it, or ``patch``: what is to be different; data, or text in YAML or JSON, which is
            all that some screens can send.
        plan: The one that was shown.
    """
    if unknown := [name for name in arguments if name not in _FIELDS]:
        return Problem(f"an edit of a plan has no {str(unknown[0])[:80]!r}; {_EDIT}")
    given = {name: value for name, value in arguments.items() if not _is_empty(value)}
    if len(given) != 1:
        return Problem(f"found {'both of them' if given else 'neither of them, or an empty one'}; {_EDIT}")
    try:
        found = _patched(given["patch"], plan) if "patch" in given else _read(given["plan"])
    except InvalidPlan as error:
        return UnusablePlan(str(error), error.problems)
    if isinstance(found, Edited) and digest_of(found.plan) == digest_of(plan):
        return Approved()
    return found


def edit_arguments(answer: object) -> Mapping[str, object] | Problem | None:
    """Return what an edit carries: plain JSON, or plans and patches as they are; None where the answer is no edit."""
    given = as_mapping(answer)
    if not given or not set(given) <= set(_FIELDS):
        return read_edit(answer)
    try:
        return {name: one if isinstance(one, (Plan, PlanPatch)) else as_json(one) for name, one in given.items()}
    except (InvalidOutput, OutputTooLarge) as error:
        return Problem(f"the edit cannot be kept: {error}")


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
        return Problem(f"expected the plan as an object or as text, found {found_text(value)}; {_EDIT}")
    return Edited(plan=document.plan, document=document)


def _patched(value: object, plan: Plan) -> Edited | Problem:
    if isinstance(value, str):
        patch = parse_patch(value)
    elif isinstance(value, (Mapping, PlanPatch)):
        patch = read_patch(cast("Mapping[str, object] | PlanPatch", value))
    else:
        return Problem(f"expected the patch as an object or as text, found {found_text(value)}; {_EDIT}")
    if not patch:
        return Problem(f"the patch changes nothing; {_EDIT}")
    return Edited(plan=apply_patch(plan, patch), patch=patch)
