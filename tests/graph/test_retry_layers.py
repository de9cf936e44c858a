"""Models that do steps are tried again by one layer only, theirs or the step's."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from openai import DefaultAsyncHttpxClient
from pydantic import SecretStr
from tests.graph.one_step import outcome_of

from goalgraph import (
    Retry,
    StepContext,
    StepTask,
    as_specialist,
    specialist,
)
from goalgraph.specialists.builtin.assistant import Assistant
from goalgraph.specialists.builtin.prompting import write_or, writer_of

URL = "http://model.test/v1"
QUICK = Retry(max_attempts=3, initial_seconds=0)


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(using="httpcore2", base_url=URL) as router:
        yield router


def chat_model(**options: Any) -> ChatOpenAI:
    settings: dict[str, Any] = {"model": "gpt-4o-mini", "base_url": URL, "api_key": SecretStr("k"), "max_retries": 4}
    return ChatOpenAI(**settings | options)


def busy_route(server: respx.MockRouter, status: int = 503) -> respx.Route:
    fault = httpx.Response(status, headers={"retry-after-ms": "1"}, json={"error": {"message": "later"}})
    return server.post("/chat/completions").mock(return_value=fault)


def as_chat_model(model: BaseChatModel) -> Any:
    return as_specialist(model, name="writer")


@pytest.mark.parametrize("doer", [as_chat_model, Assistant], ids=["chat model", "built-in"])
@pytest.mark.parametrize(
    ("retry", "requests", "attempts"),
    [(None, 5, 1), (Retry(max_attempts=1), 5, 1), (QUICK, 3, 3)],
    ids=["the SDK's", "the SDK's, where a step is tried once", "the step's"],
)
def test_there_is_one_layer_of_retries(
    server: respx.MockRouter, doer: Any, retry: Retry | None, requests: int, attempts: int
) -> None:
    route = busy_route(server)
    outcome = outcome_of(doer(chat_model()), retry=retry)
    assert (outcome.status, outcome.attempts, route.call_count) == ("failed", attempts, requests)


def test_a_model_with_an_http_client_of_the_callers_has_one_layer_too(server: respx.MockRouter) -> None:
    route = busy_route(server)
    model = chat_model(http_async_client=DefaultAsyncHttpxClient())
    assert outcome_of(as_chat_model(model), retry=QUICK).attempts == 3
    assert route.call_count == 3


def test_a_model_is_as_it_was_after_a_step_with_retries(server: respx.MockRouter) -> None:
    route = busy_route(server)
    model = chat_model()
    outcome_of(as_chat_model(model), retry=QUICK)
    asked = route.call_count
    outcome_of(as_chat_model(model))
    assert (asked, route.call_count - asked) == (3, 5)


async def test_a_text_that_rules_stand_in_for_keeps_the_retries_of_its_model(server: respx.MockRouter) -> None:
    route = busy_route(server)
    task, context = StepTask(step="a", instruction="write"), StepContext(goal="g", retried=True)
    writer = writer_of(chat_model(), None, None, summarize=False)
    written = await write_or("by rules", "assistant", writer, task, context)
    assert (written.text, len(written.lacking), route.call_count) == ("by rules", 1, 5)


@pytest.mark.parametrize("status", [401, 404])
def test_a_model_that_is_refused_is_asked_once(server: respx.MockRouter, status: int) -> None:
    route = busy_route(server, status)
    outcome = outcome_of(as_chat_model(chat_model()), retry=QUICK)
    assert (outcome.attempts, route.call_count) == (1, 1)


def test_the_wait_a_model_asks_for_is_heeded(server: respx.MockRouter) -> None:
    message = {"role": "assistant", "content": "hello"}
    fault = httpx.Response(429, headers={"retry-after-ms": "300"}, json={"error": {"message": "later"}})
    reply = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    served: list[float] = []

    def serve(request: httpx.Request) -> httpx.Response:
        served.append(time.monotonic())
        return fault if len(served) == 1 else httpx.Response(200, json={**reply, "choices": [choice]})

    server.post("/chat/completions").mock(side_effect=serve)
    outcome = outcome_of(as_chat_model(chat_model()), retry=QUICK)
    assert (outcome.status, outcome.output, len(served)) == ("succeeded", "hello", 2)
    assert served[1] - served[0] >= 0.3


def test_a_specialist_is_told_whether_it_is_tried_again() -> None:
    told: list[bool] = []

    @specialist
    async def asking(task: StepTask, context: StepContext) -> None:
        told.append(context.retried)

    outcome_of(asking)
    outcome_of(asking, retry=QUICK)
    assert told == [False, True]
