"""Plans as YAML and JSON documents."""

import io
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import to_jsonable_python
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.plan import Plan

__all__ = ["dump_plan", "load_plan", "parse_plan"]

MAX_BYTES = 8_000_000
"""Largest document that is read."""

_MAX_DEPTH = 100
_MAX_REPEATED = 1_000_000
"""Characters by which aliases may make a document larger than its text."""


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
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _unreadable(f"{path} has more than {MAX_BYTES} bytes", "split the plan")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(f"{path} is not UTF-8 text", "save it as UTF-8") from error
    except InvalidPlan:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unreadable(
            f"cannot read {str(path)[:300]!r}: {reason}", "give the path of a YAML or JSON file"
        ) from error
    return parse_plan(text, source=str(path))


def parse_plan(text: str, *, source: str = "the plan") -> Plan:
    """Read a plan from the text of a YAML or JSON document.

    Raises:
        InvalidPlan: See `load_plan`.
    """
    loaded = _json(text)
    if loaded is None:
        loaded = _yaml(text, source)
    if not isinstance(loaded, Mapping):
        raise _unreadable(
            f"{source} holds a {type(loaded).__name__}, not a mapping with steps",
            "begin it with 'steps:'",
            code="not_a_plan",
        )
    return _built(cast("Mapping[str, object]", loaded), source)


def _json(text: str) -> object:
    """Read JSON; None where it is something else, or where YAML's reader says better what is wrong."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_refused)
    except (ValueError, TypeError, RecursionError):
        return None
    return found


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _refused(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _yaml(text: str, source: str) -> object:
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.max_depth = _MAX_DEPTH
    try:
        yaml.composer.warn_double_anchors = False
        node: Any = yaml.compose(text)
        loaded: object = None
        if node is not None:
            _measure(node, len(text))
            loaded = yaml.constructor.construct_document(node)
    except MarkedYAMLError as error:
        found: Any = error
        mark = found.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        problem = str(found.problem or "not YAML").partition(", if necessary")[0]
        raise _unreadable(f"{where}{problem}", f"correct {source}", code="bad_syntax") from error
    except ReaderError as error:
        at: int = vars(error)["position"]
        raise _unreadable(
            f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}: "
            f"a character that YAML does not allow, {text[at]!r}",
            f"correct {source}",
            code="bad_syntax",
        ) from error
    except (YAMLError, RecursionError, ValueError, TypeError) as error:
        raise _unreadable(
            f"{source} is not YAML: {str(error).partition(chr(10))[0][:200]}", f"correct {source}", code="bad_syntax"
        ) from error
    return loaded


def dump_plan(plan: Plan) -> str:
    """Write a plan as YAML; fields at their defaults are left out."""
    yaml: Any = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = cast("dict[str, Any]", _quoted(plan.model_dump(mode="json", exclude_defaults=True)))
    data["steps"] = [{"id": step["id"], **step} for step in data.get("steps", [])]
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def _quoted(value: object) -> object:
    """Mark the texts that only double quotes keep: in others, the writer leaves NEL as it is, and a reader folds it."""
    if isinstance(value, str):
        return DoubleQuotedScalarString(value) if "\x85" in value else value
    if isinstance(value, dict):
        return {_quoted(key): _quoted(item) for key, item in cast("dict[str, object]", value).items()}
    return [_quoted(item) for item in cast("list[object]", value)] if isinstance(value, list) else value


def _built(data: Mapping[str, object], source: str) -> Plan:
    try:
        return Plan.model_validate_json(json.dumps(data, default=to_jsonable_python), strict=False)
    except ValidationError as error:
        steps = data.get("steps")
        raise InvalidPlan((_problem(found, steps) for found in error.errors()), source=source) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise _unreadable(
            f"{source} cannot be read as plain data: {error}", "use text, numbers, lists, mappings"
        ) from error


def _measure(document: Any, written: int) -> None:
    """Refuse what aliases make far larger than it is written, or endless, before anything is built of it.

    Raises:
        ValueError: It is so.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[Any, bool]] = [(document, False)]
    while stack:
        node, closing = stack.pop()
        if isinstance(node.value, str):
            sizes[id(node)] = 1 + len(node.value)
            continue
        value: Any = node.value
        inner: list[Any] = [*chain.from_iterable(value)] if value and isinstance(value[0], tuple) else [*value]
        if closing:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in inner)
        elif id(node) in open_nodes:
            raise ValueError("an alias stands inside of what it names")
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in inner)
    if sizes[id(document)] > written + _MAX_REPEATED:
        raise ValueError(f"aliases repeat more than {_MAX_REPEATED} characters")


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
    missing = found["type"] == "missing"
    return PlanProblem(
        code=str(found["type"]),
        step=step,
        field=".".join(where) or None,
        message=f"{found['msg']}{'' if missing else ', found ' + (value if len(value) <= 60 else value[:57] + '...')}",
    )


def _unreadable(message: str, hint: str, *, code: str = "unreadable") -> InvalidPlan:
    return InvalidPlan([PlanProblem(code=code, message=message, hint=hint)], source="the document")
