"""Plans as YAML and JSON documents."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.plan import Plan

__all__ = ["dump_plan", "load_plan", "parse_plan"]

MAX_BYTES = 8_000_000
"""Largest document that is read."""


def load_plan(source: Plan | Mapping[str, object] | str | Path) -> Plan:
    """Return the plan that a caller gave: as it is, as a mapping, or as a path of a YAML or JSON file.

    Raises:
        InvalidPlan: The document cannot be read, or does not have the form of a plan; all problems at once.
    """
    if isinstance(source, Plan):
        return source
    if isinstance(source, Mapping):
        return _built(source, "the plan")
    path = Path(source)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _unreadable(f"{path} has more than {MAX_BYTES} bytes", "split the plan")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise _unreadable(f"cannot read {path}: {error.strerror}", "give the path of a YAML or JSON file") from error
    except UnicodeDecodeError as error:
        raise _unreadable(f"{path} is not UTF-8 text", "save it as UTF-8") from error
    return parse_plan(text, source=str(path))


def parse_plan(text: str, *, source: str = "the plan") -> Plan:
    """Read a plan from the text of a YAML or JSON document (JSON is YAML).

    Raises:
        InvalidPlan: See `load_plan`.
    """
    yaml: Any = YAML(typ="safe", pure=True)
    try:
        loaded: object = yaml.load(text)
    except MarkedYAMLError as error:
        found: Any = error
        mark = found.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise _unreadable(f"{where}{found.problem or 'not YAML'}", f"correct {source}", code="bad_syntax") from error
    except (YAMLError, RecursionError, ValueError) as error:
        raise _unreadable(
            f"{source} is not YAML: {type(error).__name__}", f"correct {source}", code="bad_syntax"
        ) from error
    if not isinstance(loaded, Mapping):
        raise _unreadable(
            f"{source} holds a {type(loaded).__name__}, not a mapping with steps",
            "begin it with 'steps:'",
            code="not_a_plan",
        )
    return _built(cast("Mapping[str, object]", loaded), source)


def dump_plan(plan: Plan) -> str:
    """Write a plan as YAML; fields at their defaults are left out."""
    yaml: Any = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = plan.model_dump(mode="json", exclude_defaults=True)
    data["steps"] = [{"id": step["id"], **step} for step in data.get("steps", [])]
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def _built(data: Mapping[str, object], source: str) -> Plan:
    try:
        return Plan.model_validate_json(json.dumps(data, default=str), strict=False)
    except ValidationError as error:
        steps = data.get("steps")
        raise InvalidPlan((_problem(found, steps) for found in error.errors()), source=source) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise _unreadable(
            f"{source} cannot be read as plain data: {error}", "use text, numbers, lists, mappings"
        ) from error


def _problem(found: Mapping[str, Any], steps: object) -> PlanProblem:
    where = [str(part) for part in found["loc"]]
    step: str | None = None
    if len(where) >= 2 and where[0] == "steps" and where[1].isdigit():
        number = int(where[1])
        named = cast("list[object]", steps)[number] if isinstance(steps, list) else None
        own: object = cast("Mapping[str, object]", named).get("id") if isinstance(named, Mapping) else None
        step = str(own)[:128] if own is not None else f"#{number + 1}"
        where = where[2:]
    value = repr(found.get("input"))
    return PlanProblem(
        code=str(found["type"]),
        step=step,
        field=".".join(where) or None,
        message=f"{found['msg']}, found {value if len(value) <= 60 else value[:57] + '...'}",
    )


def _unreadable(message: str, hint: str, *, code: str = "unreadable") -> InvalidPlan:
    return InvalidPlan([PlanProblem(code=code, message=message, hint=hint)], source="the document")
