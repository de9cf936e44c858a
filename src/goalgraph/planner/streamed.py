"""One answer of a chat model as it is written, with what can be read of its JSON object so far."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from goalgraph.errors import ModelFailed
from goalgraph.models import ending, ending_of_error, typed_failures
from goalgraph.planner.partial_json import PartialObject

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
    from langchain_core.runnables import Runnable

__all__ = ["stream_answer"]

_QUIET = 300.0
"""Seconds without a chunk before a stream counts as dead, for models that have no such limit of their own."""

_NO_CONNECTION = ("APIConnectionError", "TransportError", "ConnectionError")
"""What SDKs raise where no connection came about, after all of their attempts."""


async def stream_answer(
    model: "BaseChatModel",
    asked: "Runnable[list[BaseMessage], object]",
    messages: Sequence["BaseMessage"],
    *,
    keys: Collection[str],
    on_part: Callable[[Mapping[str, object]], None],
) -> "BaseMessage | None":
    """Ask for an answer in pieces.

    Args:
        model: The model that answers.
        asked: The model, bound to what it is asked for.
        messages: The conversation.
        keys: Keys of the object that the answer is to hold.
        on_part: Called with what is certain of the object, see `PartialObject`, whenever that is more than before.

    Returns:
        The whole answer; or None where it must be asked for again in one piece: the stream broke or went silent, the
        server knows none, or the model said nothing. An SDK tries a broken call again, but not a broken stream; and a
        refusal may be lost in a stream.

    Raises:
        ModelFailed: The model could not be called at all.
    """
    from langchain_core.messages import AIMessageChunk

    received: list[BaseMessage] = []
    readers: dict[object, PartialObject] = {}
    leading: object = None
    try:
        async with aclosing(_received(model, asked, messages)) as chunks:
            async for chunk in chunks:
                received.append(chunk)
                for source, text in _pieces(chunk):
                    reader = readers.setdefault(source, PartialObject(keys))
                    if reader.feed(text) and leading in (None, source):
                        leading = source
                        on_part(reader.data)
    except ModelFailed as error:
        if error.__cause__ is not None and _is_worth_asking_whole(error.__cause__, begun=bool(received)):
            return None
        raise
    pieces = [chunk for chunk in received if isinstance(chunk, AIMessageChunk)]
    if not pieces:
        return received[-1] if received else None
    answer = _strictly(pieces[0] + pieces[1:])
    return None if ending(answer) == "empty" and _may_hide_a_refusal(answer) else answer


async def _received(
    model: "BaseChatModel", asked: "Runnable[list[BaseMessage], object]", messages: Sequence["BaseMessage"]
) -> "AsyncGenerator[BaseMessage]":
    limit = None if hasattr(model, "stream_chunk_timeout") else _QUIET
    with typed_failures(model):
        chunks = aiter(asked.astream(list(messages)))
        try:
            while True:
                async with asyncio.timeout(limit):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield cast("BaseMessage", chunk)
        finally:
            await cast("AsyncGenerator[object]", chunks).aclose()


def _pieces(chunk: "BaseMessage") -> list[tuple[object, str]]:
    """New text of an answer by where it stands: in the message, or in the arguments of one of its tool calls."""
    calls = cast("Sequence[Mapping[str, object]]", getattr(chunk, "tool_call_chunks", None) or ())
    found: list[tuple[object, str]] = [(("call", call.get("index")), str(call.get("args") or "")) for call in calls]
    return [*found, ("text", str(chunk.text))]


def _is_worth_asking_whole(error: BaseException, *, begun: bool) -> bool:
    if ending_of_error(error):
        return False
    if begun:
        return True
    if (status := getattr(error, "status_code", None)) is not None:
        return status in (400, 422) and "stream" in str(error).lower()
    if {kind.__name__ for kind in type(error).__mro__}.intersection(_NO_CONNECTION):
        return False
    # A server that answers a call for a stream with something else leaves LangChain, or the SDK, without a chunk.
    nothing = type(error) is AssertionError or "no generation chunks" in str(error).lower()
    return nothing or isinstance(error, TimeoutError)


def _strictly(chunk: "AIMessageChunk") -> "AIMessage":
    """Turn joined chunks into a message.

    In a chunk, LangChain completes the arguments of a tool call that was cut, as if they had been written to the end.
    """
    from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall
    from langchain_core.messages.tool import invalid_tool_call, tool_call

    calls, broken = list[ToolCall](), list[InvalidToolCall]()
    for part in chunk.tool_call_chunks:
        name, text = part["name"] or "", part["args"] or ""
        try:
            arguments = cast("object", json.loads(text, strict=False))
        except (ValueError, RecursionError):
            arguments = None
        if isinstance(arguments, dict):
            calls.append(tool_call(name=name, args=cast("dict[str, object]", arguments), id=part["id"]))
        else:
            broken.append(invalid_tool_call(name=name, args=text, id=part["id"], error=None))
    return AIMessage(
        content=chunk.content,
        additional_kwargs=chunk.additional_kwargs,
        response_metadata=chunk.response_metadata,
        usage_metadata=chunk.usage_metadata,
        id=chunk.id,
        tool_calls=calls,
        invalid_tool_calls=broken,
    )


def _may_hide_a_refusal(answer: "AIMessage") -> bool:
    """Whether it came through OpenAI's chat completions: of a refusal in a plain stream, LangChain keeps nothing."""
    return (
        answer.response_metadata.get("model_provider") == "openai"
        and isinstance(answer.content, str)
        and "refusal" not in answer.additional_kwargs
    )
