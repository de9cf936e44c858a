"""Plans as YAML and JSON documents."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from pathlib import Path as FilePath
from typing import cast

from pydantic import JsonValue, ValidationError

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.documents.faults import MAX_FAULTS, Fault, Path, Refused, found_text
from goalgraph.planner.documents.files import text_of_file
from goalgraph.planner.documents.form_errors import faults_of, odd_values
from goalgraph.planner.documents.forms import canonical
from goalgraph.planner.documents.json_reader import json_data, looks_like_json
from goalgraph.planner.documents.limits import MAX_BYTES
from goalgraph.planner.documents.outline import described, field_path, outline
from goalgraph.planner.documents.places import locate
from goalgraph.planner.documents.plain_data import plain
from goalgraph.planner.documents.yaml_reader import yaml_data
from goalgraph.planner.documents.yaml_writer import data_of, written
from goalgraph.planner.plan import Plan

__all__ = ["PlanDocument", "dump_plan", "load_plan", "parse_document", "parse_plan", "plan_data", "read_document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDocument:
    """A plan, and the text it was read from."""

    plan: Plan
    source: str
    """What messages call it, such as the path of its file."""
    text: str | None = None
    """None for a plan that was given as data."""

    def located(self, problems: Iterable[PlanProblem]) -> tuple[PlanProblem, ...]:
        """Return the same problems with line and column: of the field, else of the step, else of what it stands in."""
        found = tuple(problems)
        if self.text is None or all(problem.line is not None for problem in found):
            return found
        loaded = _json_of(self.text)
        data, _ = _mapping(self.text, loaded)
        steps: dict[str, list[Path]] = {}
        for name, path in outline(data):
            steps.setdefault(name, []).append(path)
        seen: dict[str, int] = {}
        paths: list[Path] = []
        for problem in found:
            turn = 0
            if problem.step is not None and problem.code.startswith("duplicate"):
                turn = seen[problem.step] = seen.get(problem.step, 0) + 1
            paths.append(_path_of(problem, data, steps, turn))
        places = locate(self.text, paths, is_json=loaded is not None)
        return tuple(
            replace(problem, line=places[path][0], column=places[path][1])
            if problem.line is None and path in places
            else problem
            for problem, path in zip(found, paths, strict=True)
        )


def load_plan(source: Plan | Mapping[str, object] | str | FilePath) -> Plan:
    """Return the plan that ``source`` is: a plan, a mapping, or the path or text of a YAML or JSON document.

    A text of several lines, or one that begins with a brace, is a document; any other is a path.

    Raises:
        InvalidPlan: The document cannot be read, or does not have the form of a plan; all problems at once.
    """
    return source if isinstance(source, Plan) else read_document(source).plan


def parse_plan(text: str, *, source: str = "the plan") -> Plan:
    """Read a plan from the text of a YAML or JSON document.

    Raises:
        InvalidPlan: See `load_plan`.
    """
    return parse_document(text, source=source).plan


def read_document(source: Mapping[str, object] | str | FilePath) -> PlanDocument:
    """Read a plan from what `load_plan` takes, so that problems found later can be located in it.

    Raises:
        InvalidPlan: See `load_plan`.
    """
    given = cast("object", source)  # whatever callers who check no types may have given
    if not isinstance(given, (Mapping, str, PathLike)):
        found = f"expected a plan, a mapping, or the path or text of a document, found a {type(given).__name__}"
        raise InvalidPlan([PlanProblem(code="wrong_type", message=found, hint="write {'steps': [...]}")])
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return parse_document(source)
    if not isinstance(source, Mapping):
        path = FilePath(source)
        try:
            text = text_of_file(path)
        except Refused as refused:
            raise InvalidPlan(map(_problem, refused.faults), source=repr(str(path)[:300])) from refused.__cause__
        return parse_document(text, source=str(path))
    try:
        data = plain(source)
    except Refused as refused:
        raise InvalidPlan(_problems(refused.faults, {}, None), source="the plan") from refused.__cause__
    return PlanDocument(plan=_built(data, (), None, "the plan"), source="the plan")


def parse_document(text: str, *, source: str = "the plan") -> PlanDocument:
    """Read a plan from text, so that problems found later can be located in it.

    Args:
        text: YAML or JSON.
        source: What messages call it.

    Raises:
        InvalidPlan: See `load_plan`.
    """
    text = text.removeprefix("\ufeff")
    within = _Text(text, False)
    try:
        loaded = _json_of(text)
        within = _Text(text, loaded is not None)
        data, faults = _mapping(text, loaded)
    except Refused as refused:
        raise InvalidPlan(_problems(refused.faults, {}, within), source=source) from refused.__cause__
    return PlanDocument(plan=_built(data, faults, within, source), source=source, text=text)


def dump_plan(plan: Plan) -> str:
    """Write a plan as YAML; fields at their defaults are left out.

    Raises:
        InvalidPlan: It holds what no document can hold, such as a number that is not finite, or is too large to be
            read again.
    """
    try:
        return written(plan)
    except Refused as refused:
        raise InvalidPlan(_problems(refused.faults, {}, None), source="the plan") from None


def plan_data(plan: Plan) -> dict[str, JsonValue]:
    """Return a plan as the data of a document; fields at their defaults are left out, types of steps are not.

    Raises:
        InvalidPlan: See `dump_plan`.
    """
    try:
        return cast("dict[str, JsonValue]", data_of(plan))
    except Refused as refused:
        raise InvalidPlan(_problems(refused.faults, {}, None), source="the plan") from None


@dataclass(frozen=True, slots=True)
class _Text:
    """Where to look for the places of faults."""

    text: str
    is_json: bool


def _json_of(text: str) -> tuple[object, list[Fault]] | None:
    """Read JSON; None where it is something else.

    Raises:
        Refused: It is too large, whatever it is.
    """
    if len(text) > MAX_BYTES or (len(text) > MAX_BYTES // 4 and len(text.encode("utf-8", "replace")) > MAX_BYTES):
        raise Refused([Fault("too_large", f"more than {MAX_BYTES:,} bytes", hint="split the plan")])
    return json_data(text) if looks_like_json(text) else None


def _mapping(text: str, loaded: tuple[object, list[Fault]] | None) -> tuple[dict[str, object], list[Fault]]:
    """Read a mapping, and what is wrong with it though it can be read.

    Args:
        text: The document.
        loaded: What it holds as JSON.

    Raises:
        Refused: It cannot be read, or is no mapping.
    """
    if loaded is not None:
        return plain(cast("Mapping[str, object]", loaded[0])), loaded[1]
    data, faults = yaml_data(text)
    if isinstance(data, dict):
        return cast("dict[str, object]", data), faults
    if data is None:
        raise Refused([Fault("empty_document", "there is no plan in it", hint="begin it with 'steps:'")])
    message = f"expected a mapping with steps, found {found_text(data)}"
    raise Refused([*faults, Fault("not_a_plan", message, hint="begin it with 'steps:'")])


def _built(data: dict[str, object], known: Sequence[Fault], within: _Text | None, source: str) -> Plan:
    """Make the plan of plain data.

    Args:
        data: The document.
        known: What is already known to be wrong with it.
        within: The document's text, for places.
        source: What messages call it.
    """
    faults = list(known)
    cause: Exception | None = None
    plan: Plan | None = None
    made: dict[str, object] = {}
    try:
        made, more = canonical(data)
        faults.extend(more)
        plan = Plan.model_validate(made)
    except Refused as refused:
        faults.extend(refused.faults)
    except ValidationError as error:
        found = faults_of(error, made, data)
        faults.extend(fault for fault in found if not _follows(fault, known))
        cause = error
    if not _is_json(data):
        paths = {fault.path for fault in faults}
        faults.extend(islice((fault for fault in odd_values(data) if fault.path not in paths), MAX_FAULTS))
    if faults or plan is None:
        raise InvalidPlan(_problems(faults, data, within), source=source) from cause
    return plan


def _follows(fault: Fault, known: Iterable[Fault]) -> bool:
    """Tell whether a value has the wrong form only because the tag that gave it another was refused."""
    tagged = (one.path for one in known if one.code == "unsafe_tag")
    return fault.code != "unknown_field" and any(fault.path[: len(path)] == path for path in tagged)


def _is_json(data: object) -> bool:
    try:
        json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _problems(faults: Iterable[Fault], data: Mapping[str, object], within: _Text | None) -> tuple[PlanProblem, ...]:
    """Say of which step and field faults are, and where they stand, in the order of the document."""
    known = tuple(faults)
    missing = {fault.path for fault in known if fault.place is None}
    places = locate(within.text, missing, is_json=within.is_json) if within is not None and missing else {}
    found = [
        _problem(replace(fault, place=fault.place or places.get(fault.path)), data, with_path=True) for fault in known
    ]
    return tuple(sorted(found, key=lambda problem: (problem.line or 0, problem.column or 0)))


def _problem(fault: Fault, data: Mapping[str, object] | None = None, *, with_path: bool = False) -> PlanProblem:
    step, field = described(data or {}, fault.path) if with_path else (None, None)
    line, column = fault.place or (None, None)
    return PlanProblem(
        code=fault.code, message=fault.message, step=step, field=field, hint=fault.hint, line=line, column=column
    )


def _path_of(problem: PlanProblem, data: Mapping[str, object], steps: Mapping[str, Sequence[Path]], turn: int) -> Path:
    """Return where a problem stands, as far as the document has it.

    Args:
        problem: What was found.
        data: The document.
        steps: Paths of its steps by qualified id, several where an id stands there several times.
        turn: Which of those is meant, from 0.
    """
    if problem.step is None:
        return field_path(data, (), problem.field)
    name = problem.step
    while name:
        if name in steps:
            path = steps[name][min(turn, len(steps[name]) - 1)]
            return field_path(data, path, problem.field if name == problem.step else None)
        name = name.removesuffix("[*]") if name.endswith("[*]") else name.rpartition(".")[0]
    return ()
