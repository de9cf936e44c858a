"""Everything that can go wrong with a planner's answer, over every API, in every way to ask, streamed or not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

import httpcore2
import httpx
import pytest
import respx
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from tests.planner.asking import (
    OTHER,
    PARTS,
    PATHS,
    PLAN,
    SCHEMA,
    TEXT,
    URL,
    WAYS,
    Reply,
    Way,
    requests,
    script,
    status,
    streams,
    ways,
)
from tests.planner.openai_wire import (
    USAGE,
    Breaks,
    Said,
    answer,
    asks_for_a_stream,
    dropped,
    server_error,
    silent,
    tools_of,
)

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
from goalgraph.planner.structured import ask_for_json
from goalgraph.planner.validation import PlanPolicy

pytestmark = pytest.mark.asyncio(loop_scope="module")

every_way = ways(lambda _: True)
every_api = ways(lambda name: "-format-" in name)
every_stream = ways(lambda name: name.endswith("streamed"))
every_tool_call = ways(lambda name: "-tool-" in name)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> Way:
    return Way(*WAYS[request.param])


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(using="httpcore2", base_url=URL, assert_all_called=False) as router:
        yield router


@every_way
@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"Here {{is}} the plan:\n```json\n{TEXT}\n```\nShall I change it?",
        f"Sure: {TEXT} I hope this helps.",
        f"{TEXT}\n{TEXT}",
    ],
    ids=["bare", "fenced", "fenced in prose", "prose", "twice"],
)
async def test_the_object_is_found_in_whatever_surrounds_it(server: respx.MockRouter, way: Way, content: str) -> None:
    script(server, way.said(content))
    assert await way.ask() == PLAN
    assert streams(server) == [way.streamed]
    assert [bool(tools_of(request)) for request in requests(server)] == [way.method == "tool"]
    assert way.parts == (PARTS if way.streamed else [])


@every_tool_call
@pytest.mark.parametrize(
    "said",
    [
        Said(calls=(("plan", TEXT), ("plan", TEXT))),
        Said(calls=(("make_plan", TEXT),)),
        Said(calls=(("think", '{"about": "it"}'), ("plan", TEXT))),
        Said(text=TEXT),
        Said(text=f"I call no tool. {TEXT}"),
        Said(text="Here is the plan.", calls=(("plan", TEXT),)),
    ],
    ids=["twice", "wrong name", "after another", "text instead", "prose instead", "text beside"],
)
async def test_odd_tool_calls_are_understood(server: respx.MockRouter, way: Way, said: Said) -> None:
    script(server, said)
    assert await way.ask() == PLAN
    assert way.parts == (PARTS if way.streamed else [])


@every_way
@pytest.mark.parametrize(
    ("content", "finish", "error"),
    [
        (TEXT[:50], "length", PlannerTruncated),
        (TEXT, "length", PlannerTruncated),
        (TEXT[:20], "stop", PlannerTruncated),
        (TEXT[:-1], "stop", PlannerTruncated),
        (TEXT[:50], "content_filter", PlannerFiltered),
    ],
    ids=["cut", "cut after the object", "cut without a word", "last brace missing", "filtered"],
)
async def test_an_answer_that_ended_early_has_its_own_error(
    server: respx.MockRouter, way: Way, content: str, finish: str, error: type[PlannerError]
) -> None:
    script(server, way.said(content, finish))
    with pytest.raises(error):
        await way.ask()


@every_stream
async def test_a_stream_that_ends_without_a_reason_was_cut(server: respx.MockRouter, way: Way) -> None:
    script(server, way.said(TEXT[:60], None))
    with pytest.raises(PlannerTruncated):
        await way.ask()


@every_way
async def test_a_refusal_is_told_from_an_empty_answer(server: respx.MockRouter, way: Way) -> None:
    script(server, Said(refusal="I won't."))
    with pytest.raises(PlannerRefused):
        await way.ask()


@every_way
@pytest.mark.parametrize("text", ["", " \n", None], ids=["empty", "blank", "null"])
async def test_an_answer_without_content_is_empty(server: respx.MockRouter, way: Way, text: str | None) -> None:
    script(server, Said(text=text))
    with pytest.raises(PlannerEmpty):
        await way.ask()


@every_way
@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("I would look at the goal first.", "not_json"),
        (f"{TEXT[:30]}, oops, {TEXT[30:]}", "not_json"),
        (f"{TEXT} or {json.dumps(OTHER)}", "several_answers"),
    ],
    ids=["prose", "broken", "two that differ"],
)
async def test_what_cannot_be_read_is_a_problem(server: respx.MockRouter, way: Way, content: str, code: str) -> None:
    script(server, way.said(content))
    assert await way.ask() == code


@every_tool_call
async def test_two_calls_that_differ_are_a_problem(server: respx.MockRouter, way: Way) -> None:
    script(server, Said(calls=(("plan", TEXT), ("plan", json.dumps(OTHER)))))
    assert await way.ask() == "several_answers"


@every_api
@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504])
async def test_a_status_that_lasts_is_a_failed_model(server: respx.MockRouter, way: Way, code: int) -> None:
    script(server, status(code))
    with pytest.raises(ModelFailed) as caught:
        await way.ask()
    assert "\n" not in str(caught.value)
    assert len(requests(server)) == 1


@every_api
@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 504])
async def test_a_status_that_passes_is_retried_by_the_sdk_alone(server: respx.MockRouter, way: Way, code: int) -> None:
    later = status(code, **{"retry-after-ms": "1"})
    script(server, later, later, way.said(TEXT))
    assert await way.ask(max_retries=2) == PLAN
    assert streams(server) == [way.streamed] * 3


@every_api
async def test_a_storm_is_given_up_after_the_sdks_attempts(server: respx.MockRouter, way: Way) -> None:
    script(server, status(429, **{"retry-after-ms": "1"}))
    with pytest.raises(ModelFailed, match="check quota and rate limit"):
        await way.ask(max_retries=3)
    assert len(requests(server)) == 4


@every_api
@pytest.mark.parametrize(
    "reply",
    [
        httpcore2.ConnectError("refused"),
        dropped(),
        silent(),
        httpx.Response(200, text="<html>502 Bad gateway</html>", headers={"content-type": "text/html"}),
        httpx.Response(200, content=b"\xff\xfe no text", headers={"content-type": "application/json"}),
    ],
    ids=["refused", "closed at once", "no byte", "page", "garbage"],
)
async def test_what_is_no_answer_at_all_is_a_failed_model(server: respx.MockRouter, way: Way, reply: Reply) -> None:
    script(server, reply)
    with pytest.raises(ModelFailed):
        await way.ask()
    assert len(requests(server)) <= 2


def breaks(way: Way, how: str, after: int) -> Breaks:
    found: dict[str, Exception | str] = {
        "closed": dropped(),
        "silent": silent(),
        "error": server_error(chat=way.api == "chat"),
    }
    return Breaks(how=found[how], after=after)


@every_stream
@pytest.mark.parametrize("how", ["closed", "silent", "error"])
@pytest.mark.parametrize("after", [1, 6])
async def test_a_stream_that_breaks_is_asked_for_once_more_in_one_piece(
    server: respx.MockRouter, way: Way, how: str, after: int
) -> None:
    script(server, (way.said(json.dumps(OTHER | {"more": "x" * 99})), breaks(way, how, after)), way.said(TEXT))
    assert await way.ask() == PLAN
    assert streams(server) == [True, False]
    assert way.parts[-1] == PLAN


@every_stream
async def test_what_stays_broken_is_a_failed_model(server: respx.MockRouter, way: Way) -> None:
    later = status(500, **{"retry-after-ms": "1"})
    script(server, (way.said(TEXT), breaks(way, "closed", 6)), later)
    with pytest.raises(ModelFailed):
        await way.ask(max_retries=2)
    assert streams(server) == [True, False, False, False]


@every_stream
async def test_a_stream_that_goes_silent_is_given_up_by_the_clients_limit(server: respx.MockRouter, way: Way) -> None:
    async def serve(request: httpx.Request) -> httpx.Response:
        if not asks_for_a_stream(request):
            return answer(request, way.said(TEXT))
        response = answer(request, way.said(json.dumps(OTHER)))
        return httpx.Response(200, headers=response.headers, stream=_Stalled(response))

    for path in PATHS.values():
        server.post(path).mock(side_effect=serve)
    assert await way.ask(stream_chunk_timeout=0.05) == PLAN
    assert streams(server) == [True, False]


class _Stalled(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._stream = cast("httpx.AsyncByteStream", response.stream)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece
            await asyncio.sleep(60)


@every_stream
async def test_a_server_that_streams_nothing_is_asked_in_one_piece(server: respx.MockRouter, way: Way) -> None:
    whole = answer(httpx.Request("POST", f"{URL}{PATHS[way.api]}", json={}), way.said(TEXT))
    script(server, whole)
    assert await way.ask() == PLAN
    assert streams(server) == [True, False]


@every_stream
async def test_a_server_that_refuses_streams_is_asked_in_one_piece(server: respx.MockRouter, way: Way) -> None:
    script(server, status(400, "Unknown parameter: 'stream_options'."), way.said(TEXT))
    assert await way.ask() == PLAN
    assert streams(server) == [True, False]


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_a_server_that_knows_less_is_asked_in_a_simpler_way(server: respx.MockRouter, streamed: bool) -> None:
    way = Way("chat", "format", streamed)
    script(server, status(400, "response_format is not supported"), status(400, "no tools here"), way.said(TEXT))
    assert await way.ask() == PLAN
    bodies = [json.loads(request.content) for request in requests(server)]
    assert [("response_format" in body, "tools" in body) for body in bodies] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert streams(server) == [streamed] * 3


@every_way
async def test_usage_is_counted_once(server: respx.MockRouter, way: Way) -> None:
    script(server, way.said(TEXT))
    meter = UsageMetadataCallbackHandler()
    await way.ask(callbacks=[meter])
    counted = [(used["input_tokens"], used["output_tokens"]) for used in meter.usage_metadata.values()]
    assert counted == [USAGE]


class _Counting(InMemoryRateLimiter):
    turns = 0

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.turns += 1
        return True


@every_way
async def test_every_request_takes_its_turn_at_the_limiter(server: respx.MockRouter, way: Way) -> None:
    limiter = _Counting(requests_per_second=1)
    broken = (way.said(TEXT), breaks(way, "closed", 6)) if way.streamed else way.said(TEXT)
    script(server, broken, way.said(TEXT))
    assert await way.ask(rate_limiter=limiter) == PLAN
    assert limiter.turns == len(requests(server)) == (2 if way.streamed else 1)


async def test_what_the_listener_raises_is_not_taken_for_the_models_failure(server: respx.MockRouter) -> None:
    def listen(part: Mapping[str, object]) -> None:
        raise RuntimeError(f"no {part}")

    way = Way("chat", "format", streamed=True)
    script(server, way.said(TEXT))
    with pytest.raises(RuntimeError, match=r"no {'name': 'a plan'}"):
        await ask_for_json(way.model(), [HumanMessage("Plan it.")], SCHEMA, on_part=listen)


STEP: dict[str, Any] = {"id": "a", "agent": "writer", "task": "Write it.", "depends_on": []}
REQUEST = PlanRequest(goal="Write it.", cards=(SpecialistCard(name="writer"),), policy=PlanPolicy(max_steps=5))


def drafted(*steps: dict[str, Any], **plan: Any) -> str:
    return json.dumps({"name": "n", "steps": list(steps)} | plan)


every_whole = ways(lambda name: name.endswith("whole"))


@every_whole
@pytest.mark.parametrize(
    "draft",
    [
        json.dumps({"name": "n"}),
        drafted({key: value for key, value in STEP.items() if key != "task"}),
        drafted(steps="one"),
        drafted(STEP | {"surprise": 1}),
        drafted(STEP | {"agent": "nobody"}),
        drafted(STEP | {"depends_on": ["b"]}, STEP | {"id": "b", "depends_on": ["a"]}),
        drafted(STEP | {"depends_on": ["a"]}),
        drafted(STEP | {"depends_on": ["nowhere"]}),
        drafted(STEP, STEP),
        drafted(),
        drafted(*(STEP | {"id": f"s{number}"} for number in range(6))),
    ],
    ids=[
        "no steps field",
        "no task",
        "wrong type",
        "surplus field",
        "unknown agent",
        "cycle",
        "self",
        "dangling",
        "duplicate id",
        "empty",
        "too many",
    ],
)
async def test_an_unsound_plan_is_repaired_or_reported(server: respx.MockRouter, way: Way, draft: str) -> None:
    script(server, way.said(draft), way.said(drafted(STEP)))
    made = await ModelDecomposer(way.model(), max_repairs=1).decompose(REQUEST)
    assert [step.id for step in made.steps] == ["a"]
    assert len(requests(server)) == 2
    script(server, way.said(draft))
    with pytest.raises(PlannerInvalid) as caught:
        await ModelDecomposer(way.model(), max_repairs=1).decompose(REQUEST)
    assert caught.value.problems
