"""The JSON Schema of plan documents, in both styles, for editors.

Renew the copy in the repository with ``python -m goalgraph.planner.documents.schema > docs/plan.schema.json``.
"""

import ast
import copy
import inspect
import json
import sys
import textwrap
from functools import cache
from itertools import pairwise
from typing import cast

from pydantic import BaseModel, JsonValue

from goalgraph.planner import plan as types
from goalgraph.planner import roles, votes
from goalgraph.planner.documents.limits import MAX_STEPS
from goalgraph.planner.plan import Plan
from goalgraph.planner.values import STEP_ID

__all__ = ["plan_schema"]

_Schema = dict[str, JsonValue]

_KINDS = {
    "agent": "AgentStep",
    "human_approval": "HumanApprovalStep",
    "human_input": "HumanInputStep",
    "condition": "ConditionStep",
    "parallel": "ParallelStep",
    "map": "MapStep",
    "wait": "WaitStep",
    "sub_plan": "SubPlanStep",
    "transform": "TransformStep",
}
_STEP: _Schema = {"$ref": "#/$defs/Step"}
_LISTED_STEP: _Schema = {"$ref": "#/$defs/ListedStep"}
_ROLE: _Schema = {"$ref": "#/$defs/Role"}
_LISTED_ROLE: _Schema = {"$ref": "#/$defs/ListedRole"}
_ID: _Schema = {"type": "string", "pattern": STEP_ID}
_BRANCH: _Schema = {"anyOf": [_ID, _LISTED_STEP]}
_NAME: _Schema = {"type": "string", "minLength": 1, "maxLength": 128}


def plan_schema() -> dict[str, JsonValue]:
    """Return the JSON Schema (2020-12) of a plan as a document.

    It knows both styles, and says of each field what the types say of it. A document that it accepts can still be
    refused: it knows nothing of ids that are used twice, of expressions, or of specialists.
    """
    return copy.deepcopy(_schema())


@cache
def _schema() -> _Schema:
    whole = cast("_Schema", Plan.model_json_schema(by_alias=True))
    found = cast("dict[str, _Schema]", whole["$defs"])
    plan = found.pop("Plan", {key: value for key, value in whole.items() if key != "$defs"})
    definitions: dict[str, _Schema] = {"Plan": plan, **found}
    for name, definition in definitions.items():
        if name != "JsonValue":
            _describe(definition, getattr(types, name, None) or getattr(votes, name))
    for name in _KINDS.values():
        _free_step(definitions[name])
    _agent(definitions["AgentStep"])
    for name in ("HumanApprovalStep", "HumanInputStep"):
        _human(definitions[name])
    _nested(definitions)
    _plan(plan)
    _roles(plan, definitions["Role"])
    definitions["Guardrail"] = _guardrail()
    definitions["ListedRole"] = {"allOf": [_ROLE], "required": ["name"]}
    definitions["Step"] = _step()
    definitions["ListedStep"] = {"allOf": [_STEP], "required": ["id"]}
    definitions["StepsById"] = {
        "type": "object",
        "propertyNames": _ID,
        "additionalProperties": _STEP,
        "maxProperties": MAX_STEPS,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "goalgraph plan",
        "$ref": "#/$defs/Plan",
        "$defs": cast("JsonValue", dict(sorted(definitions.items()))),
    }


def _properties(definition: _Schema) -> dict[str, _Schema]:
    return cast("dict[str, _Schema]", definition["properties"])


def _describe(definition: _Schema, model: type[BaseModel]) -> None:
    """Take descriptions from the text under each field, and leave out the titles, which only repeat the names."""
    definition.pop("title", None)
    for base in reversed(
        [one for one in model.__mro__ if one.__module__ in (types.__name__, roles.__name__, votes.__name__)]
    ):
        for name, text in _texts(base).items():
            field = model.model_fields.get(name)
            if field is not None:
                _properties(definition)[field.serialization_alias or name]["description"] = text
    for value in _properties(definition).values():
        value.pop("title", None)


def _texts(model: type[object]) -> dict[str, str]:
    """Return the texts that stand under the fields of a class; none where its source is not at hand."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    except (OSError, TypeError):
        return {}
    body = cast("ast.ClassDef", node).body
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _free_step(definition: _Schema) -> None:
    """Let the id be the key that a step stands under, and one dependency be a text."""
    required = [name for name in cast("list[str]", definition.get("required", [])) if name != "id"]
    definition["required"] = cast("JsonValue", required)
    _one_or_many(_properties(definition)["depends_on"], _ID)


def _one_or_many(schema: _Schema, one: _Schema) -> None:
    many: _Schema = {"type": "array", "items": schema.pop("items")}
    del schema["type"]
    schema["anyOf"] = [one, many]


def _agent(definition: _Schema) -> None:
    properties = _properties(definition)
    properties["title"] = {"description": "Another name for `task`.", **_only_type(properties["task"])}
    properties["assign"] = {
        "description": "Name of a specialist, or a list of several; another way to write `agent` and `agents`.",
        "anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}],
    }
    _exclude(definition, ("task", "title"), ("agent", "assign"), ("agents", "assign"))


def _human(definition: _Schema) -> None:
    properties = _properties(definition)
    properties["title"] = {"description": "Another name for `prompt`.", **_only_type(properties["prompt"])}
    properties["assign"] = {
        "description": "Another name for `assignee`.",
        "anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1, "maxItems": 1}],
    }
    definition["required"] = []
    definition["anyOf"] = [{"required": ["prompt"]}, {"required": ["title"]}]
    _exclude(definition, ("prompt", "title"), ("assignee", "assign"))


def _only_type(schema: _Schema) -> _Schema:
    return {key: value for key, value in schema.items() if key not in ("description", "default")}


def _exclude(definition: _Schema, *pairs: tuple[str, str]) -> None:
    """Refuse fields that say the same thing in different styles."""
    definition["allOf"] = [{"not": {"required": list(pair)}} for pair in pairs]


def _nested(definitions: dict[str, _Schema]) -> None:
    """Put the steps that stand in others in place of what pydantic says of its unions."""
    condition = _properties(definitions["ConditionStep"])
    for name in ("then", "else"):
        condition[name]["items"] = _BRANCH
        _one_or_many(condition[name], _ID)
    branches = _properties(definitions["ParallelStep"])["branches"]
    branches["items"] = {"anyOf": [_ID, {"type": "array", "items": _BRANCH, "minItems": 1}, _LISTED_STEP]}
    inner = _properties(definitions["MapStep"])
    inner["step"] = {"description": inner["step"]["description"], **_LISTED_STEP}
    guardrails = _properties(definitions["Coordinator"])["guardrails"]
    guardrails["items"] = {"$ref": "#/$defs/Guardrail"}


def _plan(plan: _Schema) -> None:
    properties = _properties(plan)
    about = {name: _only_type(properties[name]) for name in ("name", "description")}
    by_id: _Schema = {"$ref": "#/$defs/StepsById"}
    properties["info"] = {
        "description": "Name and description of the plan, in the second style.",
        "type": "object",
        "properties": cast("JsonValue", about),
        "additionalProperties": False,
    }
    steps: _Schema = {"anyOf": [{"type": "array", "items": _LISTED_STEP, "maxItems": MAX_STEPS}, by_id]}
    properties["steps"] = {"description": "The steps: a list, or a mapping with their ids as keys.", **steps}
    properties["workflow"] = {"description": "Another name for `steps`.", **steps}
    about_twice: list[JsonValue] = [
        {"not": {"required": ["info", name], "properties": {"info": {"required": [name]}}}} for name in about
    ]
    plan["allOf"] = [{"not": {"required": ["steps", "workflow"]}}, *about_twice]


def _roles(plan: _Schema, role: _Schema) -> None:
    """Let the name of a role be the key that it stands under."""
    role["required"] = ["instructions"]
    named, properties = _properties(role)["name"]["pattern"], _properties(plan)
    by_name: _Schema = {"type": "object", "propertyNames": {"pattern": named}, "additionalProperties": _ROLE}
    forms: list[JsonValue] = [{"type": "array", "items": _LISTED_ROLE}, by_name]
    properties["roles"] = {"description": properties["roles"]["description"], "anyOf": forms}


def _choice(kinds: dict[str, str], default: str | None) -> _Schema:
    """Check a mapping against the definition that its type names, so that messages speak of that one alone."""
    choices: list[JsonValue] = []
    for kind, name in kinds.items():
        test: _Schema = {"properties": {"type": {"const": kind}}}
        if kind != default:
            test["required"] = ["type"]
        choices.append({"if": test, "then": {"$ref": f"#/$defs/{name}"}})
    return {"type": "object", "properties": {"type": {"enum": [*kinds]}}, "allOf": choices}


def _step() -> _Schema:
    return {"description": "A step; without a type, an agent's.", **_choice(_KINDS, "agent")}


def _guardrail() -> _Schema:
    kinds = {"budget": "BudgetGuardrail", "timeout": "TimeoutGuardrail", "approval": "ApprovalGuardrail"}
    return {**_choice(kinds, None), "required": ["type"]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n")
