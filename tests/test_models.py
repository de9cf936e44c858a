import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
import respx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langgraph.errors import GraphInterrupt
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import SecretStr

from goalgraph.errors import GoalgraphError, ModelFailed, UnknownModel
from goalgraph.models import Ending, complete, ending, ending_of_error, for_this_loop, resolve_model, typed_failures
from goalgraph.testing import ScriptedChatModel

URL = "http://model.test/v1"


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(using="httpcore2", base_url=URL) as router:
        yield router


def chat_model(**options: Any) -> ChatOpenAI:
    settings: dict[str, Any] = {"model": "gpt-4o-mini", "base_url": URL, "api_key": SecretStr("key"), "max_retries": 2}
    return ChatOpenAI(**settings | options)


def reply(text: str) -> httpx.Response:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return httpx.Response(
        200,
        json={"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini", "choices": [choice]},
    )


def test_a_model_is_returned_as_it_is() -> None:
    model = ScriptedChatModel(["hi"])
    assert resolve_model(model) is model


def test_an_openai_name_becomes_a_model_with_one_patient_retry_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    model = resolve_model("openai:gpt-5-mini")
    assert isinstance(model, ChatOpenAI)
    assert (model.model_name, model.max_retries, model.stream_usage) == ("gpt-5-mini", 8, True)
    assert str(model.root_async_client.base_url).rstrip("/") == URL


@pytest.mark.parametrize("key", [None, "", "  "], ids=["absent", "empty", "blank"])
def test_a_missing_api_key_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelFailed) as caught:
        resolve_model("openai:gpt-5-mini")
    assert str(caught.value) == "the model 'openai:gpt-5-mini' needs an API key; set OPENAI_API_KEY"


@pytest.mark.parametrize("name", ["gpt-5-mini", "openai:", ":gpt-5", " : ", "", 5, None])
def test_a_name_without_provider_or_model_says_what_form_is_expected(name: Any) -> None:
    with pytest.raises(UnknownModel) as caught:
        resolve_model(name)
    assert str(caught.value) == (
        f"a model is 'provider:name' or a chat model, found {name!r}; write it like 'openai:gpt-5-mini'"
    )


def test_an_unknown_provider_is_an_unknown_model() -> None:
    with pytest.raises(UnknownModel, match="no provider is called 'nowhere'"):
        resolve_model("nowhere:some-model")


def test_a_missing_provider_package_is_named_with_its_pip_command() -> None:
    with pytest.raises(ModelFailed, match="pip install langchain-groq"):
        resolve_model("groq:some-model")


def test_without_langchain_other_providers_name_the_extra() -> None:
    code = (
        "import sys; sys.modules['langchain'] = sys.modules['langchain.chat_models'] = None\n"
        "from goalgraph.models import resolve_model\n"
        "from goalgraph.errors import MissingExtra\n"
        "try: resolve_model('anthropic:x')\n"
        "except MissingExtra as error: print(error.extra, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("providers ")
    assert "pip install 'goalgraph[providers]'" in done.stdout


def test_importing_models_loads_neither_langchain_nor_openai() -> None:
    code = "import sys, goalgraph.models; print([m for m in sys.modules if m.startswith(('langchain', 'openai'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_complete_sends_system_and_user_and_returns_the_text() -> None:
    model = ScriptedChatModel(["the answer"])
    assert await complete(model, "be brief", "why?") == "the answer"
    assert [(message.type, message.text) for message in model.received[0]] == [
        ("system", "be brief"),
        ("human", "why?"),
    ]


@pytest.mark.httpx2(base_url=URL)
def test_one_model_works_in_one_event_loop_after_another(httpx2_mock: respx.MockRouter) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return reply(json.loads(request.content)["model"])

    httpx2_mock.post("/chat/completions").mock(side_effect=echo)
    model = chat_model()
    pools = list[int]()

    async def ask() -> str:
        client = for_this_loop(model)
        again = for_this_loop(model)
        assert pool_of(client) is pool_of(again)
        pools.append(id(pool_of(client)))
        return await complete(model, "s", "u")

    clients = [pool_of(model)]
    assert [asyncio.run(ask()) for _ in range(2)] == ["gpt-4o-mini"] * 2
    assert id(clients[0]) not in pools


def pool_of(model: BaseChatModel) -> object:
    client = getattr(model, "root_async_client", None)
    assert isinstance(client, AsyncOpenAI)
    return client._client  # pyright: ignore[reportPrivateUsage]


def timeout_of(model: BaseChatModel) -> object:
    client = getattr(model, "root_async_client", None)
    assert isinstance(client, AsyncOpenAI)
    return client.timeout


def test_connections_are_closed_with_their_loop() -> None:
    model = chat_model()

    async def pool() -> DefaultAsyncHttpxClient:
        found = pool_of(for_this_loop(model))
        assert isinstance(found, DefaultAsyncHttpxClient)
        assert not found.is_closed
        return found

    first = asyncio.run(pool())
    gc.collect()
    second = asyncio.run(pool())
    assert first.is_closed
    assert second.is_closed
    assert first is not second


async def test_a_model_with_the_callers_client_or_none_at_all_is_left_alone() -> None:
    scripted = ScriptedChatModel(["hi"])
    async with DefaultAsyncHttpxClient() as client:
        theirs = chat_model(http_async_client=client, timeout=20)
        assert for_this_loop(scripted) is scripted
        assert for_this_loop(theirs) is theirs
        assert pool_of(for_this_loop(theirs, whole=True)) is client
        assert for_this_loop(theirs, whole=True).disable_streaming is True


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, 300), ({"timeout": 20}, 20), ({"timeout": None}, None)],
    ids=["none given", "given", "refused"],
)
async def test_a_model_without_a_timeout_is_given_one(options: dict[str, Any], seconds: float | None) -> None:
    async with DefaultAsyncHttpxClient() as client:
        for model in (chat_model(**options), chat_model(**options, http_async_client=client)):
            assert timeout_of(for_this_loop(model)) == seconds


def test_without_a_loop_the_question_is_not_asked() -> None:
    model = chat_model()
    with pytest.raises(RuntimeError, match="no running event loop"):
        for_this_loop(model)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_the_sdk_tries_again_and_nobody_else_does(server: respx.MockRouter, status: int) -> None:
    fault = httpx.Response(status, headers={"retry-after-ms": "1"}, json={"error": {"message": "later"}})
    route = server.post("/chat/completions").mock(side_effect=[fault, fault, reply("ok")])
    assert await complete(chat_model(), "s", "u") == "ok"
    assert route.call_count == 3


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "check the API key"), (404, "check the model's name and the base URL"), (429, "check quota and rate limit")],
)
async def test_a_failed_call_is_one_line_with_a_hint_and_its_cause(
    server: respx.MockRouter, status: int, hint: str
) -> None:
    server.post("/chat/completions").mock(
        return_value=httpx.Response(status, json={"error": {"message": "no\nway"}}, headers={"retry-after-ms": "1"})
    )
    with pytest.raises(ModelFailed) as caught:
        await complete(chat_model(max_retries=0), "s", "u")
    text = str(caught.value)
    assert text.startswith("the model 'gpt-4o-mini' could not be called: ")
    assert hint in text
    assert "\n" not in text
    assert caught.value.__cause__ is not None


async def test_a_page_instead_of_an_answer_is_a_failed_call(server: respx.MockRouter) -> None:
    page = httpx.Response(200, text="<html>Bad gateway</html>", headers={"content-type": "text/html"})
    server.post("/chat/completions").mock(return_value=page)
    with pytest.raises(ModelFailed):
        await complete(chat_model(), "s", "u")


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), GraphInterrupt(()), UnknownModel("mine")],
    ids=["cancelled", "interrupt", "ours"],
)
def test_cancellation_interrupts_and_our_own_errors_pass_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, typed_failures(ScriptedChatModel([])):
        raise error
    assert caught.value is error


def test_a_long_failure_is_shortened() -> None:
    with pytest.raises(GoalgraphError) as caught, typed_failures(ScriptedChatModel([])):
        raise ValueError("x" * 5000)
    assert len(str(caught.value)) < 400


REFUSAL: list[str | dict[Any, Any]] = [{"type": "refusal", "refusal": "I will not."}]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (AIMessage("done", response_metadata={"finish_reason": "stop"}), "complete"),
        (AIMessage("do", response_metadata={"finish_reason": "length"}), "truncated"),
        (AIMessage("do", response_metadata={"stop_reason": "max_tokens"}), "truncated"),
        (AIMessage("do", response_metadata={"finish_reason": "MAX_TOKENS"}), "truncated"),
        (AIMessage("d", response_metadata={"incomplete_details": {"reason": "max_output_tokens"}}), "truncated"),
        (AIMessage("", response_metadata={"incomplete_details": {"reason": "content_filter"}}), "filtered"),
        (AIMessage("", response_metadata={"finish_reason": "content_filter"}), "filtered"),
        (AIMessage("", response_metadata={"finish_reason": "SAFETY"}), "filtered"),
        (AIMessage("", additional_kwargs={"refusal": "no"}), "refused"),
        (AIMessage(REFUSAL), "refused"),
        (AIMessage("", response_metadata={"stop_reason": "refusal"}), "refused"),
        (AIMessage(" \n", response_metadata={"finish_reason": "stop"}), "empty"),
        (AIMessage("", tool_calls=[{"name": "t", "args": {}, "id": "1"}]), "complete"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_providers_way_to_end_is_understood(message: AIMessage, expected: Ending) -> None:
    assert ending(message) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LengthFinishReasonError", "truncated"),
        ("ContentFilterFinishReasonError", "filtered"),
        ("OpenAIRefusalError", "refused"),
        ("OtherError", None),
    ],
)
def test_the_sdks_exceptions_stand_for_endings(name: str, expected: Ending | None) -> None:
    raised: Mapping[str, Any] = {}
    assert ending_of_error(type(name, (Exception,), dict(raised))()) == expected
