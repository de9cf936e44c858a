"""The form that an answer is to have: a pydantic model or a JSON Schema, and what fits it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError

from goalgraph.errors import PlanProblem
from goalgraph.planner.checks.json_schemas import schema_fault
from goalgraph.planner.checks.misfits import misfits

__all__ = ["ResponseFormat", "ResponseSpec", "as_response_format"]

ResponseSpec = type[BaseModel] | Mapping[str, object]
"""A pydantic model, or the JSON Schema of an object."""

_MOST_TITLE = 64
_NO_TITLE = re.compile(r"[^A-Za-z0-9_\-]+")
_ONE_OF = ("anyOf", "allOf", "oneOf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFormat:
    """A form, as models are told it and as answers are checked against it."""

    schema: Mapping[str, JsonValue]
    """JSON Schema of an object, with ``title``, ``description`` and ``properties``."""
    model: type[BaseModel] | None = None
    """Whose own checks hold too; None where there is only a schema."""

    @property
    def is_strict(self) -> bool:
        """Whether all objects of the schema are closed, and all of their fields required."""
        return _is_closed(dict(self.schema))

    def read(self, data: object) -> tuple[JsonValue, tuple[PlanProblem, ...]]:
        """Check what was filled in.

        Returns:
            The answer as plain JSON, with the defaults of the model, if there is one, in place; and all that is wrong
            with it.
        """
        if self.model is None:
            wrong = misfits(cast("JsonValue", data), self.schema)
            return cast("JsonValue", data), (_problem(wrong),) if wrong else ()
        try:
            filled = self.model.model_validate(data)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            return None, tuple(_problem(str(one["msg"]), ".".join(map(str, one["loc"]))) for one in found)
        except Exception as error:  # a check of the caller's may raise anything
            return None, (_problem(f"the checks of {self.model.__name__} raised {type(error).__name__}: {error}"),)
        try:
            # What is stored must be readable by the model again, which computed fields and plain names may not be.
            return cast("JsonValue", filled.model_dump(mode="json", by_alias=True, round_trip=True)), ()
        except (PydanticSerializationError, ValueError) as error:
            return None, (_problem(f"it has no JSON form: {error}"),)


def as_response_format(given: ResponseSpec) -> ResponseFormat:
    """Read what a caller gives as a form.

    Raises:
        ValueError: It is neither a pydantic model nor the JSON Schema of an object with named fields.
    """
    if isinstance(given, type):
        if not issubclass(cast("type[object]", given), BaseModel):
            raise ValueError(f"response_format must be a pydantic model or a JSON Schema, found {given!r}")
        try:
            schema = given.model_json_schema()
        except PydanticUserError as error:
            said = " ".join(str(error).split())[:200]
            raise ValueError(f"response_format: {given.__name__} has no JSON Schema: {said}") from error
        return ResponseFormat(schema=_told(schema, given.__name__), model=given)
    if not isinstance(cast("object", given), Mapping):
        raise ValueError(f"response_format must be a pydantic model or a JSON Schema, found {given!r}")
    try:
        own: dict[str, JsonValue] = json.loads(json.dumps(dict(given), allow_nan=False))
    except (ValueError, TypeError) as error:
        raise ValueError(f"response_format is no JSON Schema: {error}") from error
    if fault := schema_fault(own):
        raise ValueError(f"response_format: {fault}")
    return ResponseFormat(schema=_told(own, "answer"))


def _told(schema: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    """Give a schema what `ask_for_json` needs: fields at its root, and a title that can name a tool."""
    root = dict(schema)
    reference = root.pop("$ref", None)
    if isinstance(reference, str):
        place: JsonValue = dict(schema)
        for part in reference.removeprefix("#/").split("/"):
            place = place.get(part) if isinstance(place, dict) else None
        root = {**(place if isinstance(place, dict) else {}), **root}
    properties = root.get("properties")
    if root.get("type", "object") != "object" or not isinstance(properties, dict) or not properties:
        raise ValueError(f"response_format must be an object with named fields ('properties'), found {name!r} without")
    title = _NO_TITLE.sub("_", str(root.get("title") or name)).strip("_")[:_MOST_TITLE] or "answer"
    about = root.get("description") or "The answer to the goal."
    return {**root, "type": "object", "title": title, "description": about}


def _is_closed(node: JsonValue) -> bool:
    if isinstance(node, list):
        return all(map(_is_closed, node))
    if not isinstance(node, dict):
        return True
    if node.get("type") == "object" or "properties" in node:
        fields, required = node.get("properties"), node.get("required")
        if node.get("additionalProperties") is not False or not isinstance(fields, dict):
            return False
        if set(fields) != set(cast("list[str]", required) if isinstance(required, list) else ()):
            return False
        if not all(map(_is_closed, fields.values())):
            return False
    inner = [value for name, value in node.items() if name in ("items", *_ONE_OF)]
    definitions = node.get("$defs")
    inner += definitions.values() if isinstance(definitions, dict) else ()
    return all(map(_is_closed, inner))


def _problem(message: str, field: str | None = None) -> PlanProblem:
    return PlanProblem(code="misfit", message=" ".join(message.split()), field=field or None)
