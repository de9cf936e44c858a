import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from goalgraph.specialists.specialist import Specialist, StepContext, StepTask
from goalgraph.testing import OutOfScript, ScriptedChatModel, ScriptedSpecialist


class City(BaseModel):
    """A city."""

    name: str
    people: int


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def test_replies_come_in_order_and_what_was_asked_is_kept() -> None:
    message = AIMessage("as it is", response_metadata={"finish_reason": "length"})
    model = ScriptedChatModel(["first", message, lambda messages: f"you said {messages[-1].text}"])
    assert [model.invoke(text).text for text in ("a", "b", "c")] == ["first", "as it is", "you said c"]
    assert [[item.text for item in messages] for messages in model.received] == [["a"], ["b"], ["c"]]


def test_one_function_answers_every_call() -> None:
    def shout(messages: Sequence[BaseMessage]) -> str:
        return messages[-1].text.upper()

    model = ScriptedChatModel(shout)
    assert [model.invoke(text).text for text in ("a", "b", "c")] == ["A", "B", "C"]


def test_a_call_past_the_script_says_so() -> None:
    model = ScriptedChatModel(["only one"])
    model.invoke("x")
    with pytest.raises(
        OutOfScript, match=r"the script has 1 replies, and this is call 2; the last message was: 'again'"
    ):
        model.invoke("again")


def test_a_reply_of_no_known_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="found 3"):
        ScriptedChatModel(lambda _messages: 3).invoke("x")


async def test_an_exception_in_the_script_is_raised_once() -> None:
    model = ScriptedChatModel([ConnectionError("down"), "back"])
    with pytest.raises(ConnectionError, match="down"):
        await model.ainvoke("x")
    assert (await model.ainvoke("x")).text == "back"


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_mapping_is_structured_output(method: str) -> None:
    model = ScriptedChatModel([{"name": "Oslo", "people": 700_000}])
    assert model.with_structured_output(City, method=method).invoke("x") == City(name="Oslo", people=700_000)


def test_a_mapping_without_tools_is_json_text() -> None:
    assert json.loads(ScriptedChatModel([{"a": "å"}]).invoke("x").text) == {"a": "å"}


def test_a_mapping_calls_the_chosen_tool_or_the_first() -> None:
    model = ScriptedChatModel([{"city": "Oslo"}, {"name": "Oslo", "people": 1}])
    first = model.bind_tools([weather, City]).invoke("x")
    chosen = model.bind_tools([weather, City], tool_choice="City").invoke("x")
    assert [call["name"] for call in (*first.tool_calls, *chosen.tool_calls)] == ["weather", "City"]


async def test_text_streams_word_by_word_and_adds_up_to_the_same_message() -> None:
    text = "one two\n\nthree "
    streamed = [chunk async for chunk in ScriptedChatModel([text]).astream("question")]
    whole = streamed[0]
    for chunk in streamed[1:]:
        whole += chunk
    assert [chunk.text for chunk in streamed] == ["one", " two", "\n\nthree", " ", ""]
    assert whole.text == text
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata == {"input_tokens": 2, "output_tokens": 4, "total_tokens": 6}
    assert [chunk.text for chunk in ScriptedChatModel(["a b"]).stream("x")] == ["a", " b", ""]


def test_the_arguments_of_a_tool_call_are_streamed_in_pieces() -> None:
    chunks = list(ScriptedChatModel([{"city": "Oslo"}]).bind_tools([weather]).stream("x"))
    streamed = [chunk for chunk in chunks if isinstance(chunk, AIMessageChunk)]
    assert [part["args"] for chunk in streamed for part in chunk.tool_call_chunks] == ["", '{"city":', ' "Oslo"}']
    whole = streamed[0] + streamed[1:]
    assert [call["args"] for call in whole.tool_calls] == [{"city": "Oslo"}]


def test_usage_is_counted_unless_the_reply_brings_its_own() -> None:
    own = AIMessage("x", usage_metadata={"input_tokens": 7, "output_tokens": 8, "total_tokens": 15})
    model = ScriptedChatModel(["12345678", own])
    usages = [model.invoke([HumanMessage("1234")]).usage_metadata for _ in range(2)]
    assert [usage["total_tokens"] for usage in usages if usage] == [3, 15]


def test_copies_share_the_script() -> None:
    model = ScriptedChatModel(["a", "b"])
    copy = model.model_copy()
    assert [model.invoke("x").text, copy.invoke("x").text] == ["a", "b"]


def run(specialist: ScriptedSpecialist, *steps: str) -> list[Any]:
    async def all_at_once() -> list[Any]:
        context = StepContext(goal="g")
        tasks = [specialist.run(StepTask(step=step, instruction=f"do {step}"), context) for step in steps]
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(all_at_once())


def test_a_scripted_specialist_is_a_specialist() -> None:
    specialist = ScriptedSpecialist("reader", description="Reads.", capabilities=["read"], max_concurrency=2)
    assert isinstance(specialist, Specialist)
    assert (specialist.card.name, specialist.card.capabilities, specialist.card.max_concurrency) == (
        "reader",
        ("read",),
        2,
    )


def test_a_specialist_answers_by_step_and_records_its_calls() -> None:
    def repeat(task: StepTask, _context: StepContext) -> str:
        return task.instruction

    specialist = ScriptedSpecialist("s", {"a": {"n": 1}, "b": repeat}, default=None)
    assert run(specialist, "a", "b", "c") == [{"n": 1}, "do b", None]
    assert specialist.steps == ["a", "b", "c"]
    assert specialist.calls[1].task.instruction == "do b"


def test_a_specialist_fails_always_or_for_the_first_attempts() -> None:
    specialist = ScriptedSpecialist(
        "s", failures={"a": ValueError("never"), "b": [TimeoutError("1"), TimeoutError("2")]}
    )
    answers = [run(specialist, "a", "b") for _ in range(3)]
    assert [[str(answer) for answer in pair] for pair in answers] == [["never", "1"], ["never", "2"], ["never", "done"]]


def test_delays_overlap_and_the_peak_is_counted() -> None:
    specialist = ScriptedSpecialist("s", delays={"a": 0.02, "b": 0.02})
    run(specialist, "a", "b", "c")
    assert specialist.peak == 3


def test_calls_one_after_another_have_a_peak_of_one() -> None:
    specialist = ScriptedSpecialist("s", failures={"a": ValueError("no")})
    for step in ("a", "b"):
        run(specialist, step)
    assert specialist.peak == 1


async def test_a_reply_may_be_the_text_of_a_message_it_received() -> None:
    model = ScriptedChatModel(lambda messages: messages[-1].text)
    assert (await model.ainvoke("hello")).text == "hello"
