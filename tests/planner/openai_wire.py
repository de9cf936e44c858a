"""Answers as OpenAI's HTTP API writes them: chat completions and responses, whole and streamed."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx

USAGE = (11, 7)
"""Tokens that every answer says were read and written."""

_MODEL = {"id": "c", "created": 1, "model": "m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a model says, whichever API it says it through."""

    text: str | None = None
    calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments of its tool calls."""
    finish: str | None = "stop"
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """What happens in the middle of a stream, after that many of its events."""

    how: Exception | str
    """What the connection does, or an event of the server's."""
    after: int = 6


def asks_for_a_stream(request: httpx.Request) -> bool:
    """Whether the answer is to come in pieces."""
    return bool(json.loads(request.content).get("stream"))


def tools_of(request: httpx.Request) -> list[dict[str, Any]]:
    """The tools that are offered."""
    found: list[dict[str, Any]] = json.loads(request.content).get("tools") or []
    return found


def answer(request: httpx.Request, said: Said, breaks: Breaks | None = None) -> httpx.Response:
    """Write what is said in the way in which the request asks for it."""
    chat = request.url.path.endswith("/chat/completions")
    if not asks_for_a_stream(request):
        return httpx.Response(200, json=_completion(said) if chat else _response(said))
    counted = "stream_options" in json.loads(request.content)
    events = list(_chat_events(said, counted=counted) if chat else _response_events(said))
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Stream(events, breaks))


class _Stream(httpx.AsyncByteStream):
    def __init__(self, events: list[str], breaks: Breaks | None) -> None:
        self._events = events
        self._breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number, event in enumerate(self._events):
            if self._breaks is not None and number == self._breaks.after:
                if isinstance(self._breaks.how, Exception):
                    raise self._breaks.how
                yield self._breaks.how.encode()
                return
            yield event.encode()


def dropped() -> Exception:
    """A connection that the server closed in the middle."""
    return httpcore2.RemoteProtocolError("peer closed connection without sending complete message body")


def silent() -> Exception:
    """A connection on which no byte came for too long."""
    return httpcore2.ReadTimeout("timed out")


def server_error(*, chat: bool) -> str:
    """An error event in a stream."""
    message = "The server had an error."
    if chat:
        return _event({"error": {"message": message, "type": "server_error", "code": "server_error"}})
    return _event({"type": "error", "sequence_number": 9, "code": "server_error", "message": message, "param": None})


def _completion(said: Said) -> dict[str, Any]:
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(said.calls)
    ]
    message = {"role": "assistant", "content": said.text, "refusal": said.refusal}
    choice = {"index": 0, "message": message | ({"tool_calls": calls} if calls else {}), "finish_reason": said.finish}
    return {**_MODEL, "object": "chat.completion", "choices": [choice], "usage": _chat_usage()}


def _chat_usage() -> dict[str, int]:
    read, written = USAGE
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _chat_events(said: Said, *, counted: bool) -> Iterator[str]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return _event({**_MODEL, "object": "chat.completion.chunk", "choices": choices, "usage": None})

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(said.refusal):
        yield chunk({"refusal": piece})
    for piece in _pieces(said.text):
        yield chunk({"content": piece})
    for index, (name, arguments) in enumerate(said.calls):
        first = {"name": name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": first}]})
        for piece in _pieces(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    if said.finish is not None:
        yield chunk({}, said.finish)
    if counted:
        yield _event({**_MODEL, "object": "chat.completion.chunk", "choices": [], "usage": _chat_usage()})
    yield "data: [DONE]\n\n"


def _items(said: Said) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if said.text is not None or said.refusal is not None:
        part: dict[str, Any] = {"type": "output_text", "text": said.text, "annotations": []}
        if said.refusal is not None:
            part = {"type": "refusal", "refusal": said.refusal}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    items += [
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "status": "completed",
            "call_id": f"call_{number}",
            "name": name,
            "arguments": arguments,
        }
        for number, (name, arguments) in enumerate(said.calls)
    ]
    return items


def _response(said: Said, status: str | None = None) -> dict[str, Any]:
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(said.finish or "")
    read, written = USAGE
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status or ("incomplete" if reason else "completed"),
        "incomplete_details": {"reason": reason} if reason and status is None else None,
        "output": _items(said) if status is None else [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if status is None else None,
    }


def _response_events(said: Said) -> Iterator[str]:
    def event(kind: str, **fields: Any) -> str:
        return _event({"type": f"response.{kind}", "sequence_number": 1, **fields})

    yield event("created", response=_response(said, "in_progress"))
    for index, item in enumerate(_items(said)):
        where: dict[str, Any] = {"item_id": item["id"], "output_index": index}
        if item["type"] == "function_call":
            yield event("output_item.added", output_index=index, item={**item, "arguments": ""})
            for piece in _pieces(item["arguments"]):
                yield event("function_call_arguments.delta", **where, delta=piece)
        else:
            yield event("output_item.added", output_index=index, item={**item, "content": []})
            part = item["content"][0]
            kind, text = ("refusal", part["refusal"]) if "refusal" in part else ("output_text", part["text"])
            for piece in _pieces(text):
                yield event(f"{kind}.delta", **where, content_index=0, delta=piece, logprobs=[])
            said_whole: dict[str, Any] = {"refusal": text} if kind == "refusal" else {"text": text, "logprobs": []}
            yield event(f"{kind}.done", **where, content_index=0, **said_whole)
        yield event("output_item.done", output_index=index, item=item)
    if said.finish is not None:
        whole = _response(said)
        yield event(whole["status"], response=whole)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _pieces(text: str | None) -> list[str]:
    return [(text or "")[at : at + 9] for at in range(0, len(text or ""), 9)]
