"""Ask any chat model for one JSON object: by response format, by tool call, or by prompt alone."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

from goalgraph.errors import ModelFailed, PlanProblem
from goalgraph.models import ending_of_error, for_this_loop, typed_failures
from goalgraph.planner.answers import Answer, ended_early, read_answer
from goalgraph.prompts import render

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable
    from pydantic import JsonValue

__all__ = ["ask_for_json"]

_Method = Literal["json_schema", "function_calling"]


async def ask_for_json(
    model: "BaseChatModel", messages: Sequence["BaseMessage"], schema: Mapping[str, "JsonValue"]
) -> Answer | PlanProblem:
    """Ask for an object that fits a schema, in the strictest way that the model knows.

    Args:
        model: Any chat model. One that knows neither response formats nor tools is told the schema in the prompt.
        messages: The conversation.
        schema: JSON Schema of an object, with ``title`` and ``description``; flat, see `draft_schema`.

    Returns:
        What was filled in, not checked against the schema; or what is wrong with the answer's form.

    Raises:
        PlannerError: The answer was cut, filtered, refused or empty.
        ModelFailed: The model could not be called.
    """
    here = for_this_loop(model, whole=True)
    name, keys = str(schema["title"]), tuple(cast("Mapping[str, object]", schema["properties"]))
    for method in _methods(model):
        asked = _structured(here, schema, method)
        if asked is None:
            continue
        try:
            raw = await _raw(model, asked, messages)
        except ModelFailed as error:
            if _not_supported(error.__cause__):
                continue
            raise
        return read_answer(raw, name=name, keys=keys)
    return read_answer(await _raw(model, here, _with_schema(messages, schema)), name=name, keys=keys)


async def _raw(
    model: "BaseChatModel", asked: "Runnable[list[BaseMessage], object]", messages: Sequence["BaseMessage"]
) -> "BaseMessage":
    try:
        with typed_failures(model):
            answer = await asked.ainvoke(list(messages))
    except ModelFailed as error:
        if how := ending_of_error(error.__cause__):
            raise ended_early(how) from error.__cause__
        raise
    return cast("BaseMessage", cast("Mapping[str, object]", answer)["raw"] if isinstance(answer, Mapping) else answer)


def _methods(model: "BaseChatModel") -> Iterator[_Method]:
    profile = cast("Mapping[str, object]", model.profile or {})
    default = _parameters(model).get("method")
    prefers = profile.get("structured_output", default is not None and default.default == "json_schema")
    if prefers:
        yield "json_schema"
    yield "function_calling"


def _structured(
    model: "BaseChatModel", schema: Mapping[str, "JsonValue"], method: _Method
) -> "Runnable[list[BaseMessage], object] | None":
    known = _parameters(model)
    options: dict[str, object] = {"method": method, "strict": True}
    chosen = {option: value for option, value in options.items() if option in known}
    try:
        asked = model.with_structured_output(dict(schema), include_raw=True, **chosen)
    except (NotImplementedError, TypeError, ValueError):
        return None
    return cast("Runnable[list[BaseMessage], object]", asked)


def _parameters(model: "BaseChatModel") -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.with_structured_output).parameters


def _not_supported(error: BaseException | None) -> bool:
    if isinstance(error, NotImplementedError):
        return True
    text = str(error).lower()
    named = any(word in text for word in ("response_format", "json_schema", "tool", "function", "structured"))
    return getattr(error, "status_code", None) in (400, 404, 422) and named


def _with_schema(messages: Sequence["BaseMessage"], schema: Mapping[str, "JsonValue"]) -> list["BaseMessage"]:
    from langchain_core.messages import SystemMessage

    told = render("plan_json", schema=json.dumps(schema, ensure_ascii=False))
    first, *rest = messages
    if isinstance(first, SystemMessage):
        return [SystemMessage(f"{first.text}\n\n{told}"), *rest]
    return [SystemMessage(told), *messages]
