"""What is known of a step's output before it runs, as JSON Schema, and whether a field can be in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import items_of
from goalgraph.planner.plan import AgentStep, ParallelStep, Step
from goalgraph.planner.templates import Expression, ExpressionError, segments

__all__ = ["Missing", "declared_output", "missing_field", "schema_of"]

_DEEPEST = 12
"""Groups and maps inside of each other that are looked into."""
_MOST_ALTERNATIVES = 100
_CONSTRAINTS = (
    "type",
    "properties",
    "additionalProperties",
    "patternProperties",
    "items",
    "prefixItems",
    "const",
    "enum",
)
_APPROVAL: JsonValue = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "comment": {"type": ["string", "null"]}},
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Missing:
    """A place in a path that leads nowhere."""

    place: int
    """Index in the path."""
    known: tuple[str, ...]
    """Fields that are there in its stead; empty where there is no object."""


def missing_field(schema: JsonValue, path: Sequence[str | int]) -> Missing | None:
    """Follow a path into what a JSON Schema describes; None where every part of it can be there.

    Lenient where the schema is not plain. An object is taken to have no other fields than its ``properties``, unless
    its ``additionalProperties`` say otherwise.

    Args:
        schema: It may refer to its own ``$defs``.
        path: Names of fields, and places in lists.
    """
    nodes = list(_alternatives(schema, schema))
    for place, part in enumerate(path):
        inner = [(found, root) for node, root in nodes for found in _inside(node, part)]
        if not inner:
            known = dict.fromkeys(name for node, _ in nodes for name in _object(node.get("properties")))
            return Missing(place, tuple(known))
        nodes = [one for found, root in inner for one in _alternatives(found, root)][:_MOST_ALTERNATIVES]
    return None


def declared_output(
    step: Step, steps: Mapping[str, Step], cards: Mapping[str, SpecialistCard], depth: int = 0
) -> JsonValue:
    """Return the JSON Schema of a step's output, as far as it is known; ``{}`` where nothing is.

    Args:
        step: Of a flat plan.
        steps: All of them, by id.
        cards: The specialists, by name.
        depth: How many steps this one stands in.
    """
    if depth > _DEEPEST:
        return {}
    match step.type:
        case "agent":
            return _of_agent(step, cards)
        case "human_approval":
            return _APPROVAL
        case "human_input":
            return step.answer_schema
        case "condition":
            return {"type": "boolean"}
        case "parallel":
            return _of_group(step, steps, cards, depth) if step.output is None else schema_of(step.output)
        case "map":
            items = {one.id: one for one in items_of(step, "*")}
            whole = declared_output(items[f"{step.id}[*]"], {**steps, **items}, cards, depth + 1)
            return {"type": "array", "items": {"anyOf": [_part(whole), {"type": "null"}]}}
        case "wait":
            return {"type": "string"} if step.event is None else {}
        case "transform":
            return schema_of(step.output)
        case "sub_plan":
            return {}


def schema_of(value: JsonValue) -> JsonValue:
    """Describe JSON in which texts may hold expressions; what those come to is not known."""
    if isinstance(value, dict):
        fields = {key: schema_of(item) for key, item in value.items()}
        return {"type": "object", "properties": cast("JsonValue", fields), "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array", "prefixItems": [schema_of(item) for item in value], "items": False}
    if isinstance(value, str):
        return {} if _is_lone(value) else {"type": "string"}
    if value is None:
        return {"type": "null"}
    return {"type": "boolean" if isinstance(value, bool) else "number"}


def _of_agent(step: AgentStep, cards: Mapping[str, SpecialistCard]) -> JsonValue:
    doers = (step.agent, *step.fallback)
    schemas = [cards[name].output_schema if name in cards else None for name in doers if name is not None]
    known = [schema for schema in schemas if schema is not None]
    if step.agent is None or len(known) < len(schemas):
        return {}
    return known[0] if len(known) == 1 else {"anyOf": [_part(schema) for schema in known]}


def _part(schema: JsonValue) -> JsonValue:
    """Let a schema stand inside of another: with an ``$id``, its references are to its own parts."""
    return {"$id": "output", **schema} if isinstance(schema, dict) and schema else schema


def _of_group(
    step: ParallelStep, steps: Mapping[str, Step], cards: Mapping[str, SpecialistCard], depth: int
) -> JsonValue:
    """Say what a group's output has: the branches' outputs, by the ids of their last steps; of a vote, one of them."""
    heads = [str(branch[-1] if isinstance(branch, tuple) else branch) for branch in step.branches]
    fields = {
        head.removeprefix(f"{step.id}."): declared_output(steps[head], steps, cards, depth + 1) if head in steps else {}
        for head in heads
    }
    parts = {key: _part(value) for key, value in fields.items()}
    if step.is_voted:
        return {"anyOf": list(parts.values())} if all(parts.values()) else {}
    return {"type": "object", "properties": cast("JsonValue", parts), "additionalProperties": False}


def _is_lone(text: str) -> bool:
    if "{{" not in text:
        return False
    try:
        written = [part for part in segments(text) if isinstance(part, Expression) or part.strip()]
    except ExpressionError:
        return True
    return len(written) == 1 and isinstance(written[0], Expression)


def _alternatives(schema: JsonValue, root: JsonValue) -> Iterator[tuple[dict[str, JsonValue], JsonValue]]:
    """Everything that a schema allows, with its references followed; an empty schema allows all.

    Yields:
        What is allowed, and what the references in it are to.
    """
    left = [(schema, root)]
    followed: set[tuple[str, int]] = set()
    count = 0
    while left and count < _MOST_ALTERNATIVES:
        node, within = left.pop()
        count += 1
        if node is False:
            continue
        if not isinstance(node, dict):
            yield {}, within
            continue
        within = node if "$id" in node else within
        inner = [one for name in ("anyOf", "oneOf", "allOf") for one in _list(node.get(name))]
        reference = node.get("$ref")
        if isinstance(reference, str):
            if (reference, id(within)) in followed:
                continue
            followed.add((reference, id(within)))
            inner.append(_referred(reference, within))
        left += [(one, within) for one in inner]
        if not inner or any(name in node for name in _CONSTRAINTS):
            yield node, within


def _inside(node: Mapping[str, JsonValue], part: str | int) -> list[JsonValue]:
    """What can stand at a field or place of what a schema describes; empty where nothing can."""
    kinds = _kinds(node)
    found: list[JsonValue] = []
    if not kinds:
        found.append({})
    if "object" in kinds and isinstance(part, str):
        found += _in_object(node, part)
    if "array" in kinds and isinstance(part, int):
        found += _in_array(node, part)
    if "string" in kinds and isinstance(part, int):
        found.append({"type": "string"})
    return found


def _kinds(node: Mapping[str, JsonValue]) -> tuple[str, ...]:
    kinds = node.get("type")
    if isinstance(kinds, str):
        return (kinds,)
    if isinstance(kinds, list):
        return tuple(map(str, kinds))
    if "properties" in node:
        return ("object",)
    return ("array",) if "items" in node or "prefixItems" in node else ()


def _in_object(node: Mapping[str, JsonValue], part: str) -> list[JsonValue]:
    fields, others = _object(node.get("properties")), node.get("additionalProperties")
    if part in fields:
        return [fields[part]]
    if node.get("patternProperties"):
        return [{}]
    if others is None:
        return [] if fields else [{}]
    return [] if others is False else [others]


def _in_array(node: Mapping[str, JsonValue], part: int) -> list[JsonValue]:
    first = _list(node.get("prefixItems"))
    if part < len(first):
        return [first[part]]
    items = node.get("items", {})
    return [] if items is False else [items]


def _referred(reference: str, root: JsonValue) -> JsonValue:
    """Follow a reference such as ``#/$defs/row``; what cannot be followed allows all."""
    if not reference.startswith("#"):
        return {}
    found = root
    for part in reference[1:].split("/")[1:]:
        if not isinstance(found, dict):
            return {}
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
    return found


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
