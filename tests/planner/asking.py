"""Ways to ask a planner's model over HTTP, and scripts of what the server answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest
import respx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import JsonValue, SecretStr
from tests.planner.openai_wire import Breaks, Said, answer, asks_for_a_stream

from goalgraph.planner.answers import Answer
from goalgraph.planner.structured import ask_for_json

URL = "http://model.test/v1"
PATHS = {"chat": "/chat/completions", "responses": "/responses"}
SCHEMA: dict[str, JsonValue] = {
    "title": "plan",
    "description": "A plan.",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "task": {"type": "string"}},
                "required": ["id", "task"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["name", "steps"],
    "additionalProperties": False,
}
PLAN: dict[str, Any] = {"name": "a plan", "steps": [{"id": "a", "task": "Read {it}."}, {"id": "b", "task": "Write."}]}
OTHER: dict[str, Any] = {"name": "other", "steps": []}
PARTS: list[Mapping[str, object]] = [{"name": "a plan"}, {"name": "a plan", "steps": PLAN["steps"][:1]}, PLAN]
TEXT = json.dumps(PLAN)


class Plain(ChatOpenAI):
    """A model that knows neither response formats nor tools."""

    def with_structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Way:
    """One way to ask a model."""

    api: str
    method: str
    streamed: bool
    parts: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])

    def model(self, **options: Any) -> BaseChatModel:
        kind = Plain if self.method == "prompt" else ChatOpenAI
        settings: dict[str, Any] = {
            "model": "gpt-4" if self.method == "tool" else "gpt-4o-mini",
            "base_url": URL,
            "api_key": SecretStr("k"),
            "max_retries": 0,
            "use_responses_api": self.api == "responses",
        }
        return kind(**settings | options)

    def said(self, content: str, finish: str | None = "stop") -> Said:
        if self.method == "tool":
            return Said(calls=(("plan", content),), finish=finish)
        return Said(text=content, finish=finish)

    async def ask(self, **options: Any) -> object:
        return await self.ask_model(self.model(**options))

    async def ask_model(self, model: BaseChatModel) -> object:
        on_part = self.parts.append if self.streamed else None
        found = await ask_for_json(model, [HumanMessage("Plan it.")], SCHEMA, on_part=on_part)
        return found.data if isinstance(found, Answer) else found.code


WAYS = {
    f"{api}-{method}-{'streamed' if streamed else 'whole'}": (api, method, streamed)
    for api in ("chat", "responses")
    for method in ("format", "tool", "prompt")
    for streamed in (True, False)
}


def ways(keep: Callable[[str], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", [name for name in WAYS if keep(name)], indirect=True)


Reply = Said | httpx.Response | Exception | tuple[Said, Breaks]


def script(server: respx.MockRouter, *replies: Reply) -> None:
    """Answer the requests in turn, all later ones with the last."""
    left = list(replies)

    def serve(request: httpx.Request) -> httpx.Response:
        reply = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx.Response):
            return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
        return answer(request, *reply) if isinstance(reply, tuple) else answer(request, reply)

    for path in PATHS.values():
        server.post(path).mock(side_effect=serve)


def requests(server: respx.MockRouter) -> list[httpx.Request]:
    return [call.request for call in cast("list[respx.models.Call]", server.calls)]


def streams(server: respx.MockRouter) -> list[bool]:
    return [asks_for_a_stream(request) for request in requests(server)]


def status(code: int, message: str = "no", **headers: str) -> httpx.Response:
    return httpx.Response(code, headers=headers, json={"error": {"message": message}})
