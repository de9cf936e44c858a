"""The flat form in which a model writes a change of a plan, and its compilation into a patch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue

from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.draft import as_draft, read_steps, steps_schema
from goalgraph.planner.drafts.form import FIELDS
from goalgraph.planner.drafts.item import Item, clean, missing, surplus, wrong
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import Plan, Step

__all__ = ["PATCH_NAME", "PatchDraft", "compile_patch_draft", "patch_schema", "read_patch_draft"]

PATCH_NAME = "patch"
"""Title of the schema, and so the name of the tool a model calls to give its change."""

_MAX_RATIONALE = 2_000
_IDS: dict[str, JsonValue] = {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchDraft:
    """A change as far as it can be read."""

    patch: PlanPatch
    """With stand-ins for unreadable fields of its steps, to check the rest by."""
    problems: tuple[PlanProblem, ...]
    """All that could not be read. A patch with problems must not be applied."""


def patch_schema(cards: Iterable[SpecialistCard]) -> dict[str, JsonValue]:
    """JSON Schema of a change: no unions, no free-form objects, every field required, as strict modes ask for.

    Steps stand in the lists of a plan's draft, those that are new and those that take another's place alike: the id
    tells them apart.

    Args:
        cards: The specialists that a step may name.
    """
    wire: dict[str, JsonValue] = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Id of a step of the plan."},
            "depends_on": {**_IDS, "description": "All ids that it is to depend on."},
        },
        "required": ["id", "depends_on"],
        "additionalProperties": False,
    }
    properties: dict[str, JsonValue] = {
        "rationale": {"type": "string", "description": "One or two sentences: what was wrong, why this helps."},
        **steps_schema(cards),
        "drop": {**_IDS, "description": "Ids of the steps to take out; empty where none is."},
        "rewire": {
            "type": "array",
            "items": wire,
            "description": "New dependencies of steps; empty where none.",
        },
    }
    return {
        "title": PATCH_NAME,
        "description": "A change of the plan: steps that are new or take another's place; all empty where none helps.",
        "type": "object",
        "properties": properties,
        "required": list[JsonValue](properties),
        "additionalProperties": False,
    }


def compile_patch_draft(data: object, plan: Plan) -> PlanPatch | tuple[PlanProblem, ...]:
    """Turn what a model filled in into a patch, or say all that is wrong with its form.

    Whether the change makes sense, and may be made, is for `apply_patch` and the check of the run to say.

    Args:
        data: Anything at all; nothing raises.
        plan: The flat plan that is to be changed.
    """
    draft = read_patch_draft(data, plan)
    return draft.problems or draft.patch


def read_patch_draft(data: object, plan: Plan) -> PatchDraft:
    """Read as much of a change as there is, with all problems of its form; an absent list is an empty one.

    A step that takes another's place has, where its type is the same, that one's values in all that the draft does not
    show or the model left as it was shown: limits, retries, input. What is written as it is already is no change, so
    that nothing comes of a model that writes the whole plan again.
    """
    if not isinstance(data, Mapping):
        expected = "an object with 'rationale' and what is to be different"
        return PatchDraft(patch=PlanPatch(), problems=(wrong("rationale", expected, data),))
    written = cast("Mapping[str, object]", data)
    known = ("rationale", *FIELDS, "drop", "rewire")
    problems = [surplus(key, None, "the change", ", ".join(known)) for key in written if key not in known]
    rationale = _rationale(written.get("rationale"), problems)
    drafted = read_steps(written)
    problems += drafted.problems
    drop = _dropped(written.get("drop"), problems)
    rewire = _rewired(written.get("rewire"), problems)
    old = {step.id: step for step in plan.steps}
    shown = {step.id: step for step in read_steps(as_draft(plan)).steps}
    replaced = [
        _merged(step, before, shown.get(step.id)) for step in drafted.steps if (before := old.get(step.id)) is not None
    ]
    patch = PlanPatch(
        add=tuple(step for step in drafted.steps if step.id not in old),
        replace=tuple(step for step in replaced if step != old[step.id]),
        drop=drop,
        rewire={one: needs for one, needs in rewire.items() if one not in old or needs != old[one].depends_on},
        rationale=rationale,
    )
    return PatchDraft(patch=patch, problems=tuple(problems))


def _merged(new: Step, old: Step, shown: Step | None) -> Step:
    """Make a drafted step out of the one whose place it takes: what the model has not changed is as it was.

    Args:
        new: As it is drafted.
        old: As it is in the plan.
        shown: What comes back of the old one when the draft that the model was shown of the plan is read: a draft
            cannot say everything.
    """
    if new.type != old.type or shown is None or shown.type != old.type:
        return new
    kept = {name: getattr(old, name) for name in type(old).model_fields if getattr(new, name) == getattr(shown, name)}
    merged = new.model_copy(update=kept)
    if merged.type == "agent" and old.type == "agent" and merged.agent != old.agent:
        return merged.model_copy(update={"fallback": ()})  # whoever was to stand in for the old one
    return merged


def _rationale(value: object, problems: list[PlanProblem]) -> str:
    if isinstance(value, str) and (text := " ".join(clean(value).split())):
        return text[:_MAX_RATIONALE]
    expected = "a sentence or two that say why"
    problems.append(missing("rationale", None) if value is None else wrong("rationale", expected, value))
    return ""


def _dropped(value: object, problems: list[PlanProblem]) -> tuple[str, ...]:
    if value is None:
        return ()
    item = Item({"id": "_", "drop": value}, "drop", ("id", "drop"))
    found = item.ids("drop")
    problems += (replace(problem, step=None) for problem in item.problems)
    return found


def _rewired(value: object, problems: list[PlanProblem]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    expected = "objects with 'id' and 'depends_on'"
    if value is not None and not isinstance(value, list):
        problems.append(wrong("rewire", f"a list of {expected}", value))
        return found
    for position, written in enumerate(cast("list[object]", value or [])):
        place = f"rewire[{position}]"
        if not isinstance(written, Mapping):
            problems.append(wrong(place, expected, written))
            continue
        item = Item(cast("Mapping[object, object]", written), place, ("id", "depends_on"))
        needs = item.ids("depends_on")
        if item.id is not None and found.setdefault(item.id, needs) != needs:
            message = "it is given different dependencies several times"
            item.add("conflicting_changes", "rewire", message, "say once what it is to depend on")
        problems += item.problems
    return found
