"""Patches of plans as YAML and JSON documents, with the steps in any form that plans take."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.documents.document import read_document
from goalgraph.planner.documents.faults import Fault, Refused, found_text, readable, suggestion
from goalgraph.planner.documents.json_reader import json_data, looks_like_json
from goalgraph.planner.documents.limits import MAX_BYTES
from goalgraph.planner.documents.plain_data import plain
from goalgraph.planner.documents.shapes import as_mapping
from goalgraph.planner.documents.yaml_reader import yaml_data
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import Plan

__all__ = ["parse_patch", "read_patch"]

_FIELDS = ("add", "replace", "drop", "rewire", "rationale")
_MAX_RATIONALE = 2_000
_SOURCE = "the patch"


def parse_patch(text: str) -> PlanPatch:
    """Read a patch from the text of a YAML or JSON document; see `read_patch`.

    Raises:
        InvalidPlan: It cannot be read, or does not have the form of a patch; all problems at once.
    """
    text = text.removeprefix("\ufeff")
    try:
        data, faults = _loaded(text)
        return _built(plain(data), faults)
    except Refused as refused:
        raise InvalidPlan(map(_problem, refused.faults), source=_SOURCE) from refused.__cause__


def read_patch(data: Mapping[str, object] | PlanPatch) -> PlanPatch:
    """Read a patch: ``add`` and ``replace`` as lists of steps or steps by id, ``drop`` as ids, ``rewire`` as ids by id.

    ``rationale`` says why, in words.

    Raises:
        InvalidPlan: It does not have that form; all problems at once.
    """
    if isinstance(data, PlanPatch):
        return data
    try:
        return _built(plain(data), ())
    except Refused as refused:
        raise InvalidPlan(map(_problem, refused.faults), source=_SOURCE) from refused.__cause__


def _loaded(text: str) -> tuple[Mapping[str, object], list[Fault]]:
    if len(text) > MAX_BYTES:
        raise Refused([Fault("too_large", f"more than {MAX_BYTES:,} bytes", hint="make several patches")])
    loaded = json_data(text) if looks_like_json(text) else None
    data, faults = loaded if loaded is not None else yaml_data(text)
    found = as_mapping(data)
    if found is None:
        message = f"expected a mapping with changes, found {found_text(data)}"
        raise Refused([*faults, Fault("not_a_patch", message, hint=f"use one of: {', '.join(_FIELDS)}")])
    return found, faults


def _built(data: Mapping[str, object], known: Iterable[Fault]) -> PlanPatch:
    """Make the patch of plain data.

    Each field is read as a small plan, so that steps and ids have the forms, and the faults, that they have there.
    """
    problems = [_problem(fault) for fault in known]
    for name in data:
        if name not in _FIELDS:
            message = f"a patch has no field {readable(name)!r}"
            hint = suggestion(name, _FIELDS)
            problems.append(PlanProblem(code="unknown_field", field=readable(name), message=message, hint=hint))
    rewired = data.get("rewire", {})
    if (needs := as_mapping(rewired)) is None:
        message = f"expected a mapping of ids to the ids they are to depend on, found {found_text(rewired)}"
        problems.append(PlanProblem(code="wrong_type", field="rewire", message=message))
    rationale = data.get("rationale", "")
    if not isinstance(rationale, str) or len(rationale) > _MAX_RATIONALE:
        message = f"expected text of at most {_MAX_RATIONALE:,} characters, found {found_text(rationale)}"
        problems.append(PlanProblem(code="wrong_type", field="rationale", message=message))
        rationale = ""
    add = _read({"steps": data.get("add", [])}, "steps", "add", problems)
    new = _read({"steps": data.get("replace", [])}, "steps", "replace", problems)
    gone = _read({"steps": [{"id": "drop", "depends_on": data.get("drop", [])}]}, "depends_on", "drop", problems)
    wires = {step_id: {"depends_on": found} for step_id, found in (needs or {}).items()}
    wired = _read({"steps": wires}, "depends_on", "rewire", problems)
    if problems:
        raise InvalidPlan(problems, source=_SOURCE)
    return PlanPatch(
        add=add.steps,
        replace=new.steps,
        drop=gone.step("drop").depends_on,
        rewire={step.id: step.depends_on for step in wired.steps},
        rationale=rationale,
    )


def _read(plan: dict[str, object], field: str, name: str, problems: list[PlanProblem]) -> Plan:
    """Read a field of the patch that stands in a plan as another field."""
    try:
        return read_document(plan).plan
    except InvalidPlan as error:
        problems.extend(_renamed(error.problems, field, name))
        return Plan()


def _renamed(problems: Iterable[PlanProblem], field: str, name: str) -> Iterator[PlanProblem]:
    for problem in problems:
        first, dot, rest = (problem.field or "").partition(".")
        if name == "drop":
            problem = replace(problem, step=None)
        if first == field or problem.field is None:
            problem = replace(problem, field=f"{name}{dot}{rest}")
        yield problem


def _problem(fault: Fault) -> PlanProblem:
    field = ".".join(readable(str(part)) for part in fault.path)
    line, column = fault.place or (None, None)
    return PlanProblem(
        code=fault.code, message=fault.message, field=field or None, hint=fault.hint, line=line, column=column
    )
