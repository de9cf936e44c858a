"""Ask any chat model for one JSON object: by response format, by tool call, or by prompt alone."""

import inspect
import json
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, cast

from goalgraph.errors import ModelFailed, PlanProblem
from goalgraph.models import ending_of_error, for_this_loop, typed_failures
from goalgraph.planner.answers import Answer, ended_early, read_answer
from goalgraph.planner.streamed import stream_answer
from goalgraph.prompts import render

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable
    from pydantic import JsonValue

__all__ = ["ask_for_json"]

_Method = Literal["json_schema", "function_calling"]


async def ask_for_json(
    model: "BaseChatModel",
    messages: Sequence["BaseMessage"],
    schema: Mapping[str, "JsonValue"],
    *,
    on_part: Callable[[Mapping[str, object]], None] | None = None,
    strict: bool = True,
) -> Answer | PlanProblem:
    """Ask for an object that fits a schema, in the strictest way that the model knows.

    Args:
        model: Any chat model. One that knows neither response formats nor tools is told the schema in the prompt.
        messages: The conversation.
        schema: JSON Schema of an object, with ``title`` and ``description``; flat, see `draft_schema`.
        on_part: Called with what is certain of the object while it is being written, in a stream: fields whose values,
            and lists whose elements, have been read to their end; and with the whole at last. Where a stream breaks,
            the answer is asked for once more, in one piece, and need not go on as what was told before.
        strict: Whether the provider is to hold the answer to the schema. What providers can hold is a part of JSON
            Schema: objects are closed, and all of their fields required.

    Returns:
        What was filled in, not checked against the schema; or what is wrong with the answer's form.

    Raises:
        PlannerError: The answer was cut, filtered, refused or empty.
        ModelFailed: The model could not be called.
    """
    name, keys = str(schema["title"]), tuple(cast("Mapping[str, object]", schema["properties"]))
    if on_part is None:
        return read_answer(await _ask(model, messages, schema, keys=keys, strict=strict), name=name, keys=keys)
    told: list[Mapping[str, object]] = []

    def tell(part: Mapping[str, object]) -> None:
        told[:] = [part]
        on_part(part)

    raw = await _ask(model, messages, schema, keys=keys, strict=strict, on_part=tell)
    answer = read_answer(raw, name=name, keys=keys)
    data = answer.data if isinstance(answer, Answer) else None
    if isinstance(data, Mapping) and [cast("object", data)] != told:
        on_part(cast("Mapping[str, object]", data))
    return answer


async def _ask(
    model: "BaseChatModel",
    messages: Sequence["BaseMessage"],
    schema: Mapping[str, "JsonValue"],
    *,
    keys: Collection[str],
    strict: bool,
    on_part: Callable[[Mapping[str, object]], None] | None = None,
) -> "BaseMessage":
    whole, streaming = for_this_loop(model, whole=True), _streaming(model)
    for method in _methods(model):
        asked = _structured(whole, schema, method, strict)
        if asked is None:
            continue
        try:
            if on_part is not None and (bound := _bound(_structured(streaming, schema, method, strict))) is not None:
                raw = await _streamed(model, bound, messages, keys, on_part)
                if raw is not None:
                    return raw
            return await _raw(model, asked, messages)
        except ModelFailed as error:
            if not _not_supported(error.__cause__):
                raise
    told = _with_schema(messages, schema)
    raw = await _streamed(model, streaming, told, keys, on_part) if on_part is not None else None
    return raw if raw is not None else await _raw(model, whole, told)


def _streaming(model: "BaseChatModel") -> "BaseChatModel":
    here = for_this_loop(model)
    # None is LangChain's default for servers other than OpenAI's own, and leaves streams without usage.
    return here.model_copy(update={"stream_usage": True}) if getattr(here, "stream_usage", True) is None else here


def _bound(asked: "Runnable[list[BaseMessage], object] | None") -> "Runnable[list[BaseMessage], object] | None":
    """Take the bound model out of a chain that parses its answer, since a parser withholds the chunks."""
    steps = getattr(getattr(asked, "first", None), "steps__", None)
    found = cast("Mapping[str, object]", steps).get("raw") if isinstance(steps, Mapping) else None
    return cast("Runnable[list[BaseMessage], object] | None", found)


async def _streamed(
    model: "BaseChatModel",
    asked: "Runnable[list[BaseMessage], object]",
    messages: Sequence["BaseMessage"],
    keys: Collection[str],
    on_part: Callable[[Mapping[str, object]], None],
) -> "BaseMessage | None":
    with _typed_endings():
        return await stream_answer(model, asked, messages, keys=keys, on_part=on_part)


async def _raw(
    model: "BaseChatModel", asked: "Runnable[list[BaseMessage], object]", messages: Sequence["BaseMessage"]
) -> "BaseMessage":
    with _typed_endings(), typed_failures(model):
        answer = await asked.ainvoke(list(messages))
    return cast("BaseMessage", cast("Mapping[str, object]", answer)["raw"] if isinstance(answer, Mapping) else answer)


@contextmanager
def _typed_endings() -> Generator[None]:
    try:
        yield
    except ModelFailed as error:
        if how := ending_of_error(error.__cause__):
            raise ended_early(how) from error.__cause__
        raise


def _methods(model: "BaseChatModel") -> Iterator[_Method]:
    profile = cast("Mapping[str, object]", model.profile or {})
    default = _parameters(model).get("method")
    prefers = profile.get("structured_output", default is not None and default.default == "json_schema")
    if prefers:
        yield "json_schema"
    yield "function_calling"


def _structured(
    model: "BaseChatModel", schema: Mapping[str, "JsonValue"], method: _Method, strict: bool
) -> "Runnable[list[BaseMessage], object] | None":
    known = _parameters(model)
    options: dict[str, object] = {"method": method, "strict": strict}
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
