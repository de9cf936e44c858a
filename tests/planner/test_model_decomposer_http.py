import json
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import respx
from langchain_openai import ChatOpenAI
from langgraph.graph import START, StateGraph
from pydantic import SecretStr
from typing_extensions import TypedDict

from goalgraph.errors import (
    ModelFailed,
    PlannerEmpty,
    PlannerError,
    PlannerFiltered,
    PlannerInvalid,
    PlannerRefused,
    PlannerTruncated,
)
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.model_decomposer import ModelDecomposer
from goalgraph.planner.plan import Plan

URL = "http://model.test/v1"
PLAN: dict[str, Any] = {
    "name": "n",
    "steps": [{"id": "a", "agent": "writer", "task": "Write it.", "depends_on": []}],
}
TEXT = json.dumps(PLAN)
REQUEST = PlanRequest(goal="Write a report.", cards=(SpecialistCard(name="writer"),))


def chat(content: str | None = TEXT, finish: str = "stop", **message: Any) -> httpx.Response:
    body = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "message": body, "finish_reason": finish}
    return httpx.Response(
        200, json={"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )


def called(
    content: str | None = TEXT, finish: str = "tool_calls", name: str = "plan", count: int = 1
) -> httpx.Response:
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": content or ""}}
        for number in range(count)
    ]
    return chat(None, finish, tool_calls=calls)


def response(
    content: str | None = TEXT, status: str = "completed", reason: str | None = None, refusal: str = ""
) -> httpx.Response:
    part: dict[str, Any] = {"type": "output_text", "text": content or "", "annotations": []}
    if refusal:
        part = {"type": "refusal", "refusal": refusal}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": [part]}
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "incomplete_details": {"reason": reason} if reason else None,
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
    }
    return httpx.Response(200, json=body)


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(using="httpcore2", base_url=URL) as router:
        yield router


def model(**options: Any) -> ChatOpenAI:
    settings: dict[str, Any] = {"model": "gpt-4o-mini", "base_url": URL, "api_key": SecretStr("k"), "max_retries": 2}
    return ChatOpenAI(**settings | options)


async def plan_with(server: respx.MockRouter, *answers: httpx.Response, repairs: int = 0, **options: Any) -> Plan:
    path = "/responses" if options.get("use_responses_api") else "/chat/completions"
    server.post(path).mock(side_effect=list(answers))
    return await ModelDecomposer(model(**options), max_repairs=repairs).decompose(REQUEST)


def sent(server: respx.MockRouter) -> list[dict[str, Any]]:
    calls = cast("list[respx.models.Call]", server.calls)
    return [json.loads(call.request.content) for call in calls]


async def test_the_schema_is_sent_as_a_strict_response_format(server: respx.MockRouter) -> None:
    made = await plan_with(server, chat())
    assert [step.id for step in made.steps] == ["a"]
    body = sent(server)[0]
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["name"] == "plan"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "Write a report." in body["messages"][1]["content"]


async def test_a_model_without_response_formats_is_asked_for_a_tool_call(server: respx.MockRouter) -> None:
    made = await plan_with(server, called(), model="gpt-4")
    assert [step.id for step in made.steps] == ["a"]
    body = sent(server)[0]
    assert "response_format" not in body
    assert body["tool_choice"]["function"]["name"] == "plan"
    assert body["tools"][0]["function"]["strict"] is True


@pytest.mark.parametrize("answers", [2, 3], ids=["to a tool call", "to the prompt alone"])
async def test_a_server_that_knows_less_is_asked_in_a_simpler_way(server: respx.MockRouter, answers: int) -> None:
    def refuses(what: str) -> httpx.Response:
        return httpx.Response(400, json={"error": {"message": f"{what} is not supported here"}})

    script = (
        [refuses("response_format"), called()]
        if answers == 2
        else [refuses("response_format"), refuses("tools"), chat()]
    )
    made = await plan_with(server, *script)
    assert [step.id for step in made.steps] == ["a"]
    last = sent(server)[-1]
    assert ("tools" in last, "response_format" in last) == (answers == 2, False)
    assert ('"additionalProperties": false' in last["messages"][0]["content"]) == (answers == 3)


@pytest.mark.parametrize(
    "answer",
    [
        chat(f"```json\n{TEXT}\n```"),
        chat(f"Here it is: {TEXT} Done."),
        chat(f"{TEXT}\n{TEXT}"),
    ],
    ids=["fenced", "prose", "twice"],
)
async def test_a_plan_is_read_out_of_what_surrounds_it(server: respx.MockRouter, answer: httpx.Response) -> None:
    assert len((await plan_with(server, answer)).steps) == 1


@pytest.mark.parametrize(
    "answer",
    [
        called(f"```json\n{TEXT}\n```"),
        called(count=2),
        called(name="something_else"),
        chat(TEXT),
    ],
    ids=["fenced", "two calls", "wrong name", "text instead of a call"],
)
async def test_a_plan_is_read_out_of_odd_tool_calls(server: respx.MockRouter, answer: httpx.Response) -> None:
    assert len((await plan_with(server, answer, model="gpt-4")).steps) == 1


ENDINGS = [
    pytest.param(chat(TEXT[:40], "length"), PlannerTruncated, {}, id="chat truncated"),
    pytest.param(chat(TEXT, "length"), PlannerTruncated, {}, id="chat truncated by chance after the JSON"),
    pytest.param(chat("", "content_filter"), PlannerFiltered, {}, id="chat filtered"),
    pytest.param(chat(None, refusal="I won't."), PlannerRefused, {}, id="chat refused"),
    pytest.param(chat(""), PlannerEmpty, {}, id="chat empty"),
    pytest.param(chat(None), PlannerEmpty, {}, id="chat null"),
    pytest.param(chat("No JSON today."), PlannerInvalid, {}, id="chat prose"),
    pytest.param(called(TEXT, "length"), PlannerTruncated, {"model": "gpt-4"}, id="tool truncated"),
    pytest.param(called(TEXT[:40]), PlannerTruncated, {"model": "gpt-4"}, id="tool cut JSON"),
    pytest.param(chat(None, refusal="I won't."), PlannerRefused, {"model": "gpt-4"}, id="tool refused"),
    pytest.param(chat("prose"), PlannerInvalid, {"model": "gpt-4"}, id="no tool call"),
    pytest.param(
        response(TEXT[:40], "incomplete", "max_output_tokens"),
        PlannerTruncated,
        {"use_responses_api": True},
        id="responses truncated",
    ),
    pytest.param(
        response("", "incomplete", "content_filter"),
        PlannerFiltered,
        {"use_responses_api": True},
        id="responses filtered",
    ),
    pytest.param(response(refusal="I won't."), PlannerRefused, {"use_responses_api": True}, id="responses refused"),
    pytest.param(response(""), PlannerEmpty, {"use_responses_api": True}, id="responses empty"),
]


@pytest.mark.parametrize(("answer", "error", "options"), ENDINGS)
async def test_every_way_not_to_answer_has_its_own_error(
    server: respx.MockRouter, answer: httpx.Response, error: type[PlannerError], options: dict[str, Any]
) -> None:
    with pytest.raises(error):
        await plan_with(server, answer, **options)


async def test_the_responses_api_gives_a_plan_too(server: respx.MockRouter) -> None:
    made = await plan_with(server, response(), use_responses_api=True)
    assert [step.id for step in made.steps] == ["a"]


async def test_a_cut_answer_is_repaired_without_sending_it_back(server: respx.MockRouter) -> None:
    await plan_with(server, chat('{"name": "SECRET', "length"), chat(), repairs=1)
    assert "SECRET" not in json.dumps(sent(server)[1])
    assert "cut at its token limit" in sent(server)[1]["messages"][1]["content"]


async def test_an_invalid_plan_is_repaired_in_the_same_conversation(server: respx.MockRouter) -> None:
    bad = TEXT.replace("writer", "nobody")
    await plan_with(server, called(bad), called(), repairs=1, model="gpt-4")
    roles = [message["role"] for message in sent(server)[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert sent(server)[1]["messages"][2]["content"] == bad


@pytest.mark.parametrize("status", [429, 500])
async def test_a_passing_fault_is_retried_by_the_sdk(server: respx.MockRouter, status: int) -> None:
    fault = httpx.Response(status, headers={"retry-after-ms": "1"}, json={"error": {"message": "later"}})
    assert len((await plan_with(server, fault, fault, chat())).steps) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json={"error": {"message": "boom"}}),
        httpx.Response(200, text="<html>", headers={"content-type": "text/html"}),
        httpx.Response(200, content=b"\xff\xfe garbage", headers={"content-type": "application/json"}),
        httpx.Response(200, json={"choices": []}),
    ],
    ids=["500", "html", "garbage", "no choices"],
)
async def test_a_lasting_fault_is_a_failed_model(server: respx.MockRouter, answer: httpx.Response) -> None:
    with pytest.raises(ModelFailed) as caught:
        await plan_with(server, answer, max_retries=0)
    assert "\n" not in str(caught.value)


class Board(TypedDict):
    steps: int


async def test_a_plan_is_asked_for_in_one_piece_even_where_somebody_listens_to_tokens(server: respx.MockRouter) -> None:
    async def decompose(state: Board) -> Board:
        return {"steps": len((await plan_with(server, chat())).steps)}

    builder = StateGraph(Board).add_node(decompose)  # pyright: ignore[reportUnknownMemberType]
    graph = builder.add_edge(START, "decompose").compile()  # pyright: ignore[reportUnknownMemberType]
    async for _ in graph.astream({"steps": 0}, stream_mode="messages"):  # pyright: ignore[reportUnknownMemberType]
        pass
    assert [body.get("stream") for body in sent(server)] in ([None], [False])
