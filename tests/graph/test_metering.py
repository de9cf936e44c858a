"""Calls of models are granted before they are made, whichever way they are made."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import tool
from tests.graph.spenders import Made, Spender

from goalgraph.errors import LimitReached
from goalgraph.graph.ledger.caps import Caps
from goalgraph.graph.ledger.estimating import call_of
from goalgraph.graph.ledger.ledger import UNKNOWN_OUTPUT, Ledger
from goalgraph.graph.ledger.metering import count_usage
from goalgraph.planner.outcome import Usage


async def invoked(model: Any) -> None:
    await model.ainvoke("hello")


async def streamed(model: Any) -> None:
    async for _ in model.astream("hello"):
        pass


async def called_in_thread(model: Any) -> None:
    await asyncio.to_thread(model.invoke, "hello")


async def streamed_in_thread(model: Any) -> None:
    await asyncio.to_thread(lambda: list(model.stream("hello")))


async def called_in_loop(model: Any) -> None:
    model.invoke("hello")


async def inside_of_a_chain(model: Any) -> None:
    await (model | RunnablePassthrough()).ainvoke("hello")


async def inside_of_a_tool(model: Any) -> None:
    @tool
    async def ask(text: str) -> str:
        """Ask."""
        return str((await model.ainvoke(text)).text)

    await ask.ainvoke({"text": "hello"})


@pytest.mark.parametrize(
    "call",
    [
        invoked,
        streamed,
        called_in_thread,
        streamed_in_thread,
        called_in_loop,
        inside_of_a_chain,
        inside_of_a_tool,
    ],
)
async def test_a_call_past_the_limit_is_never_made(
    call: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    model, ledger = Spender(most=100), Ledger(Caps(max_calls=1))
    meter = count_usage([ledger])
    await call(model)
    with pytest.raises(LimitReached):
        await call(model)
    assert len(model.made) == 1
    assert meter.usage == Usage(calls=1, input_tokens=1, output_tokens=10, unpriced_calls=1)
    assert meter.refusal() is not None
    assert caplog.records == []


async def test_models_of_plain_text_are_counted_by_what_was_reserved() -> None:
    ledger = Ledger(Caps(max_calls=1))
    meter = count_usage([ledger])
    model = FakeListLLM(responses=["a", "b"])
    await model.ainvoke("hello")
    with pytest.raises(LimitReached):
        await model.ainvoke("hello")
    assert (meter.usage.calls, meter.usage.estimated_calls, meter.usage.output_tokens) == (1, 1, UNKNOWN_OUTPUT)


@pytest.mark.parametrize("call", [invoked, streamed, called_in_thread])
async def test_a_call_that_fails_is_released(call: Callable[[Any], Any]) -> None:
    ledger = Ledger(Caps(max_calls=1))
    meter = count_usage([ledger])
    with pytest.raises(ConnectionError):
        await call(Spender(lambda _: Made(fails=True)))
    assert (ledger.left("max_calls"), meter.calls) == (1, 0)


async def test_a_call_that_is_cancelled_is_released_with_its_task() -> None:
    ledger = Ledger(Caps(max_calls=1))
    count_usage([ledger])
    task = asyncio.create_task(invoked(Spender(lambda _: Made(seconds=30))))
    while ledger.left("max_calls"):
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await invoked(model := Spender())
    assert len(model.made) == 1


@pytest.mark.parametrize("is_async", [True, False])
async def test_of_a_batch_that_is_refused_nothing_stays_reserved(is_async: bool) -> None:
    ledger, model = Ledger(Caps(max_calls=1)), Spender()
    count_usage([ledger])
    prompts: list[list[BaseMessage]] = [
        [HumanMessage("a")]
    ] * 2  # LangChain leaves the coroutines of all after the refused one unawaited
    with pytest.raises(LimitReached):
        await model.agenerate(prompts) if is_async else model.generate(prompts)
    assert (ledger.left("max_calls"), model.made) == (1, [])


async def test_an_inner_run_s_calls_need_to_be_granted_by_all_ledgers_and_are_counted_once_in_each() -> None:
    outer, inner = Ledger(Caps(max_calls=3)), Ledger(Caps(max_calls=2))
    around = count_usage([outer])

    async def inside() -> None:
        meter = count_usage([outer, inner])
        model = Spender()
        await model.ainvoke("hello")
        await model.ainvoke("hello")
        with pytest.raises(LimitReached):
            await model.ainvoke("hello")
        assert (len(model.made), meter.calls) == (2, 2)
        assert meter.refusal() is not None

    await asyncio.create_task(inside())
    assert (outer.left("max_calls"), inner.left("max_calls")) == (1, 0)
    assert (outer.met, around.refusal()) == (None, None)


async def test_a_refusal_by_the_outer_run_is_known_inside() -> None:
    outer, inner = Ledger(Caps(max_calls=1)), Ledger()
    around = count_usage([outer])

    async def inside() -> None:
        meter = count_usage([outer, inner])
        await Spender().ainvoke("hello")
        with pytest.raises(LimitReached):
            await Spender().ainvoke("hello")
        assert meter.refusal() is around.refusal() is not None

    await asyncio.create_task(inside())


async def test_without_limits_calls_are_counted_and_nothing_else_is_done() -> None:
    meter = count_usage()
    await invoked(Spender())
    assert meter.usage == Usage(calls=1, input_tokens=1, output_tokens=10)
    assert not meter.raise_error


@pytest.mark.parametrize(
    ("params", "most"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8, "max_tokens": None}, 8),
        ({"max_output_tokens": 9}, 9),
        ({"num_predict": -1}, None),
        ({"max_tokens": 7, "n": 3}, 21),
        ({}, 5),
    ],
)
def test_the_longest_answer_is_read_from_the_call(params: dict[str, Any], most: int | None) -> None:
    metadata = {} if params else {"ls_max_tokens": 5, "ls_model_name": "m"}
    found = call_of([HumanMessage("a" * 400)], {"invocation_params": params, "metadata": metadata})
    assert (found.max_output, found.model) == (most, None if params else "m")
    assert 100 <= found.input_tokens <= 110


def test_tools_are_part_of_the_prompt() -> None:
    plain = call_of([HumanMessage("a")], {}).input_tokens
    told = call_of([HumanMessage("a")], {"invocation_params": {"tools": [{"name": "x" * 400}]}}).input_tokens
    assert told - plain > 100
