"""JSON Schemas of outputs and answers, declared by models and functions."""

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import TypeGuard, cast, get_type_hints

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, JsonValue
from pydantic.errors import PydanticUserError

from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.checks.json_schemas import schema_fault
from goalgraph.planner.checks.misfits import misfits
from goalgraph.specialists.specialist import StepResult

__all__ = ["OutputType", "declared_schema", "misfits", "returned_schema"]

OutputType = type[BaseModel] | Mapping[str, JsonValue]
"""What an output is to be: a pydantic model, or a JSON Schema."""

_LONGEST = 200


def declared_schema(output: OutputType, who: str) -> dict[str, JsonValue]:
    """Return the JSON Schema that a declaration stands for, apart from the caller's own.

    Args:
        output: A model, whose outputs have all of its fields, or a schema.
        who: Name of the specialist, for messages.

    Raises:
        InvalidSpecialist: It is neither, or no valid schema.
    """
    if _is_model(output):
        try:
            return output.model_json_schema(mode="serialization")
        except PydanticUserError as error:
            raise InvalidSpecialist(
                f"the output {output.__name__} of specialist {who!r} has no JSON Schema: {_first_line(error)}",
                hint="use types that have one, or give a schema",
            ) from error
    try:
        schema: dict[str, JsonValue] = json.loads(
            json.dumps(dict(cast("Mapping[str, JsonValue]", output)), allow_nan=False)
        )
    except (ValueError, TypeError) as error:
        raise InvalidSpecialist(
            f"the output of specialist {who!r} is neither a pydantic model nor a JSON Schema: {_first_line(error)}",
            hint="write output=MyModel, or output={'type': 'object', ...}",
        ) from error
    if fault := schema_fault(schema):
        raise InvalidSpecialist(f"the output of specialist {who!r}: {fault}", hint="see json-schema.org, draft 2020-12")
    return schema


def returned_schema(function: Callable[..., object]) -> dict[str, JsonValue] | None:
    """Return the JSON Schema of the pydantic model that a function says it returns; None where it says nothing such."""
    while isinstance(function, functools.partial):
        function = cast("functools.partial[object]", function).func
    called = function if inspect.isroutine(function) else type(function).__call__
    try:
        found: object = get_type_hints(called).get("return")
        return found.model_json_schema(mode="serialization") if _is_model(found) else None
    except (NameError, TypeError, AttributeError, SyntaxError, PydanticUserError):
        return None  # what an annotation names may not be there at run time


def _is_model(found: object) -> TypeGuard[type[BaseModel]]:
    """Whether it is a class of models; messages and results are read for what is in them."""
    return inspect.isclass(found) and issubclass(found, BaseModel) and not issubclass(found, (BaseMessage, StepResult))


def _first_line(error: Exception) -> str:
    return " ".join((str(error).splitlines() or [""])[0].split())[:_LONGEST]
