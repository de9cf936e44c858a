import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import httpx
import pytest
import respx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import JsonValue, PrivateAttr, SecretStr
from tests.planner.openai_wire import Said, answer

from goalgraph.errors import ModelFailed, PlannerTruncated
from goalgraph.planner.answers import Answer
from goalgraph.planner.structured import ask_for_json
from goalgraph.testing import Reply, ScriptedChatModel

SCHEMA: dict[str, JsonValue] = {
    "title": "plan",
    "description": "A plan.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "steps": {"type": "array", "items": {"type": "string"}}},
    "required": ["name", "steps"],
    "additionalProperties": False,
}
PLAN: dict[str, Any] = {"name": "n", "steps": ["first read", "then write"]}
PARTS = [{"name": "n"}, {"name": "n", "steps": ["first read"]}, PLAN]
URL = "http://model.test/v1"

Parts = list[Mapping[str, object]]


async def asked(model: BaseChatModel, parts: Parts | None = None, *messages: BaseMessage) -> object:
    found = await ask_for_json(
        model, messages or [HumanMessage("Plan.")], SCHEMA, on_part=None if parts is None else parts.append
    )
    return found.data if isinstance(found, Answer) else found.code


@pytest.mark.parametrize("reply", [PLAN, json.dumps(PLAN), f"Here: {json.dumps(PLAN)}"], ids=["call", "text", "prose"])
async def test_a_scripted_answer_is_told_as_it_is_written(reply: Reply) -> None:
    parts: Parts = []
    assert await asked(ScriptedChatModel([reply]), parts) == PLAN
    assert parts == PARTS


async def test_two_listeners_of_one_model_do_not_mix() -> None:
    other = {"name": "o", "steps": ["x"]}
    model = ScriptedChatModel(lambda messages: PLAN if messages[-1].text == "Plan." else other)
    first: Parts = []
    second: Parts = []
    found = await asyncio.gather(asked(model, first), asked(model, second, HumanMessage("Other.")))
    assert list(found) == [PLAN, other]
    assert (first[-1], second[-1]) == (PLAN, other)


class Elsewhere(BaseChatModel):
    """A model of another provider: it gives text in blocks, or tool calls without an index, and then may fail."""

    _chunks: list[AIMessageChunk] = PrivateAttr(default_factory=list[AIMessageChunk])
    _fails: Exception | None = PrivateAttr(default=None)
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list[list[BaseMessage]])

    @classmethod
    def that_gives(cls, *chunks: AIMessageChunk, fails: Exception | None = None) -> Self:
        model = cls()
        model._chunks, model._fails = list(chunks), fails
        return model

    @property
    def asked(self) -> list[list[BaseMessage]]:
        return self._asked

    @property
    def _llm_type(self) -> str:
        return "elsewhere"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self._asked.append(messages)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(json.dumps(PLAN)))])

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self._asked.append(messages)
        for chunk in self._chunks:
            yield ChatGenerationChunk(message=chunk)
        if self._fails is not None:
            raise self._fails


class WithTools(Elsewhere):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(**kwargs)


def blocks(*pieces: str, reason: str = "end_turn") -> list[AIMessageChunk]:
    found = [AIMessageChunk(content=[{"type": "text", "text": piece, "index": 0}]) for piece in pieces]
    return [*found, AIMessageChunk(content=[], response_metadata={"stop_reason": reason})]


def cut_up(text: str) -> list[str]:
    return [text[at : at + 7] for at in range(0, len(text), 7)]


async def test_text_blocks_of_another_provider_are_read_and_the_schema_stands_in_the_prompt() -> None:
    parts: Parts = []
    model = Elsewhere.that_gives(*blocks("I plan: ", *cut_up(json.dumps(PLAN))))
    assert await asked(model, parts, SystemMessage("You plan."), HumanMessage("Plan.")) == PLAN
    assert parts == PARTS
    assert model.asked[0][0].text.startswith("You plan.\n\n")
    assert '"additionalProperties": false' in model.asked[0][0].text


async def test_a_tool_call_in_one_piece_and_without_an_index_is_read() -> None:
    parts: Parts = []
    call = tool_call_chunk(name="plan", args=json.dumps(PLAN), id="1", index=None)
    assert await asked(WithTools.that_gives(AIMessageChunk(content="", tool_call_chunks=[call])), parts) == PLAN
    assert parts == [PLAN]


@pytest.mark.parametrize("cut", [20, 40])
async def test_a_tool_call_that_was_cut_is_not_completed(cut: int) -> None:
    pieces = cut_up(json.dumps(PLAN)[:cut])
    chunks = [
        AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(name=name, args=piece, id=name, index=0)])
        for name, piece in zip(["plan", *(None for _ in pieces)], pieces, strict=False)
    ]
    joined = chunks[0] + chunks[1:]
    assert joined.tool_calls  # as if it were whole
    with pytest.raises(PlannerTruncated, match="breaks off"):
        await asked(WithTools.that_gives(*chunks), [])


async def test_a_stream_that_breaks_elsewhere_is_asked_for_in_one_piece() -> None:
    parts: Parts = []
    model = Elsewhere.that_gives(*blocks('{"name": "another", "steps": ["x", "y'), fails=OSError("reset"))
    assert await asked(model, parts) == PLAN
    assert parts == [{"name": "another", "steps": ["x"]}, PLAN]
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    ("error", "calls"),
    [(ConnectionError("down"), 1), (ValueError("odd"), 1), (TimeoutError("silent"), 2)],
    ids=["no connection", "unknown", "silence"],
)
async def test_a_stream_that_never_began_is_asked_for_again_only_after_silence(error: Exception, calls: int) -> None:
    model = Elsewhere.that_gives(fails=error)
    if calls == 1:
        with pytest.raises(ModelFailed):
            await asked(model, [])
    else:
        assert await asked(model, []) == PLAN
    assert len(model.asked) == calls


async def test_a_model_that_does_not_stream_tells_the_whole_at_once() -> None:
    parts: Parts = []
    model = Elsewhere()
    model.disable_streaming = True
    assert await asked(model, parts) == PLAN
    assert parts == [PLAN]
    assert len(model.asked) == 1


def test_a_model_streams_in_one_event_loop_after_another() -> None:
    model = ChatOpenAI(model="gpt-4o-mini", base_url=URL, api_key=SecretStr("k"), max_retries=0)

    def serve(request: httpx.Request) -> httpx.Response:
        return answer(request, Said(text=json.dumps(PLAN)))

    with respx.mock(using="httpcore2", base_url=URL) as server:
        route = server.post("/chat/completions").mock(side_effect=serve)
        assert [asyncio.run(asked(model, [])) for _ in range(2)] == [PLAN, PLAN]
        assert route.call_count == 2
