"""Answers in a form: what forms there are, what fits them, and who fills them in."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field, field_validator

from goalgraph import Outcome, Plan, SynthesisRequest
from goalgraph.errors import SynthesisFailed
from goalgraph.planner.plan import AgentStep
from goalgraph.prompts import Prompts
from goalgraph.synthesis import (
    ModelSynthesizer,
    StructuredSynthesizer,
    Synthesis,
    Synthesizer,
    as_response_format,
    as_synthesizer,
    synthesizer_of,
)
from goalgraph.testing import Reply, ScriptedChatModel

SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"growth": {"type": "number"}, "text": {"type": "string"}},
    "required": ["growth"],
}


class Trend(BaseModel):
    """How it went."""

    model_config = ConfigDict(extra="forbid")

    growth: float
    since: date = Field(default=date(2024, 1, 1), alias="from")

    @field_validator("growth")
    @classmethod
    def _sane(cls, value: float) -> float:
        if value > 1000:
            raise ValueError("too much")
        return value

    @computed_field
    def words(self) -> str:
        return f"{self.growth} %"


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


class Fussy(BaseModel):
    growth: float

    @field_validator("growth")
    @classmethod
    def _broken(cls, value: float) -> float:
        raise KeyError("oops")


STEPS = (
    AgentStep(id="read", agent="x", task="Read it."),
    AgentStep(id="sum", agent="x", task="Sum it up.", depends_on=("read",)),
)


def request(**outputs: JsonValue) -> SynthesisRequest:
    outcomes = {step: Outcome(step=step, status="succeeded", output=output) for step, output in outputs.items()}
    return SynthesisRequest(goal="g", plan=Plan(steps=STEPS), outcomes=outcomes)


def structured(*replies: Reply, form: Any = SCHEMA, text: Synthesizer | None = None, **options: Any) -> Any:
    model = ScriptedChatModel(replies)
    return model, StructuredSynthesizer(as_response_format(form), text=text, model=model, **options)


def test_a_model_s_answer_can_be_read_by_the_model_again() -> None:
    form = as_response_format(Trend)
    value, problems = form.read({"growth": 7})
    assert (value, problems) == ({"growth": 7.0, "from": "2024-01-01"}, ())
    assert Trend.model_validate(value) == Trend.model_validate({"growth": 7})
    assert form.schema["title"] == "Trend"
    assert form.schema["description"] == "How it went."


@pytest.mark.parametrize(
    ("form", "data", "said"),
    [
        (Trend, {"growth": 2000}, ["growth: Value error, too much"]),
        (Trend, {"growth": "x", "more": 1}, ["growth: Input should be a valid number", "more: Extra inputs are not"]),
        (Trend, [1], ["Input should be a valid dictionary"]),
        (Fussy, {"growth": 1}, ["the checks of Fussy raised KeyError: 'oops'"]),
        (SCHEMA, {"growth": "7"}, ["growth: '7' is not of type 'number'"]),
        (SCHEMA, "text", ["'text' is not of type 'object'"]),
    ],
    ids=["own check", "two problems", "a list", "a check that raises", "schema", "schema and text"],
)
def test_all_that_does_not_fit_is_said(form: Any, data: object, said: list[str]) -> None:
    _, problems = as_response_format(form).read(data)
    assert len(problems) == len(said)
    assert all(one in str(problem) for one, problem in zip(said, problems, strict=True))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (int, "must be a pydantic model or a JSON Schema, found <class 'int'>"),
        ("Trend", "must be a pydantic model or a JSON Schema, found 'Trend'"),
        ({"type": "array", "items": {}}, "must be an object with named fields"),
        ({"type": "object"}, "must be an object with named fields"),
        ({"type": "object", "properties": {"a": {"type": "numbr"}}}, "response_format: expected a JSON Schema"),
        ({"properties": {"a": {"$ref": "http://x/y"}}}, "references to parts of the schema itself"),
        ({"properties": {"a": object()}}, "response_format is no JSON Schema"),
    ],
    ids=["class", "name", "list", "no fields", "fault", "elsewhere", "no json"],
)
def test_what_is_no_form_is_refused_at_once(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match="response_format") as caught:
        as_response_format(given)
    assert said in str(caught.value)


def test_a_form_that_contains_itself_has_its_fields_at_the_root() -> None:
    form = as_response_format(Tree)
    assert set(form.schema["properties"]) == {"name", "children"}  # type: ignore[arg-type]
    value, problems = form.read({"name": "a", "children": [{"name": "b"}]})
    assert not problems
    assert value == {"name": "a", "children": [{"name": "b", "children": []}]}


def test_a_title_that_can_name_no_tool_is_changed() -> None:
    assert as_response_format({**SCHEMA, "title": "My answer: ä!"}).schema["title"] == "My_answer"
    assert as_response_format({**SCHEMA, "title": "?"}).schema["title"] == "answer"


@pytest.mark.parametrize(
    ("change", "strict"),
    [
        ({}, False),
        ({"additionalProperties": False}, False),
        ({"additionalProperties": False, "required": ["growth", "text"]}, True),
        (
            {
                "additionalProperties": False,
                "required": ["growth"],
                "properties": {"growth": {"type": "array", "items": {"type": "object", "properties": {}}}},
            },
            False,
        ),
    ],
    ids=["open", "optional field", "closed", "open inside"],
)
def test_a_provider_is_held_to_a_schema_only_where_it_can_be(change: dict[str, JsonValue], strict: bool) -> None:
    assert as_response_format({**SCHEMA, **change}).is_strict is strict


async def test_the_model_fills_the_form_in_and_its_text_is_the_answer() -> None:
    _, synthesizer = structured({"growth": 7, "text": "It grew."})
    written = await synthesizer.synthesize(request(read="7 percent", sum="up"))
    assert written == Synthesis(answer="It grew.", structured={"growth": 7, "text": "It grew."})
    assert [source.step for source in written.sources] == ["read", "sum"]


async def test_what_does_not_fit_goes_back_with_what_is_wrong_a_bounded_number_of_times() -> None:
    model, synthesizer = structured({"growth": "much"}, {"growth": 7})
    written = await synthesizer.synthesize(request(read="7 percent"))
    assert (written.structured, written.answer, written.degraded) == ({"growth": 7}, '{"growth": 7}', ())
    assert "- growth: 'much' is not of type 'number'" in model.received[1][-1].text
    model, synthesizer = structured(*[{"growth": "much"}] * 3)
    written = await synthesizer.synthesize(request(read="7 percent"))
    assert len(model.received) == 3
    assert (written.structured, written.answer) == (None, "7 percent")
    assert written.degraded == (
        "there is no structured answer: what the model filled in does not fit: growth: 'much' is not of type 'number'",
    )


@pytest.mark.parametrize(
    ("reply", "calls", "said"),
    [
        (ConnectionError("down"), 1, "down"),
        (AIMessage("", response_metadata={"finish_reason": "content_filter"}), 3, "a content filter stopped"),
        (AIMessage('{"growth": 7', response_metadata={"finish_reason": "length"}), 3, "cut at the model's token limit"),
        (AIMessage("", additional_kwargs={"refusal": "no"}), 1, "it refused"),
        ("I would rather not.", 3, "expected one JSON object with 'growth'"),
    ],
    ids=["down", "filtered", "cut", "refused", "prose"],
)
async def test_a_failure_degrades_the_answer_and_loses_no_work(reply: Reply, calls: int, said: str) -> None:
    model, synthesizer = structured(*[reply] * 3)
    written = await synthesizer.synthesize(request(read="7 percent"))
    assert (written.answer, written.structured, len(model.received)) == ("7 percent", None, calls)
    assert len(written.degraded) == 1
    assert written.degraded[0].startswith("there is no structured answer: ")
    assert said in written.degraded[0]
    assert "planner" not in written.degraded[0]


async def test_the_text_may_be_another_s() -> None:
    def answer(messages: Sequence[BaseMessage]) -> object:
        return {"growth": 7} if messages[0].text.startswith("You fill in") else "It grew [read]."

    model = ScriptedChatModel(answer)
    synthesizer = synthesizer_of("model", model, response_format=SCHEMA)
    written = await synthesizer.synthesize(request(read="7 percent", sum="up"))
    assert (written.answer, written.structured) == ("It grew [read].", {"growth": 7})
    assert [(one.step, one.used) for one in written.sources] == [("read", True), ("sum", False)]


async def test_text_and_form_fail_apart() -> None:
    def broken(_asked: SynthesisRequest) -> str:
        raise OSError("no disk")

    _, synthesizer = structured({"growth": 7}, text=as_synthesizer(broken))
    written = await synthesizer.synthesize(request(read="7 percent"))
    assert (written.answer, written.structured) == ("7 percent", {"growth": 7})
    assert written.degraded == ("the synthesis failed (OSError: no disk); parts are joined",)


async def test_json_of_the_caller_s_own_counts_where_it_fits() -> None:
    model, synthesizer = structured(text=as_synthesizer(lambda _asked: {"growth": 3, "text": "Mine."}))
    written = await synthesizer.synthesize(request(read="x"))
    assert written == Synthesis(answer="Mine.", structured={"growth": 3, "text": "Mine."})
    assert model.received == []
    model, synthesizer = structured({"growth": 7}, text=as_synthesizer(lambda _asked: {"growth": "?"}))
    written = await synthesizer.synthesize(request(read="x"))
    assert written == Synthesis(answer='{"growth": "?"}', structured={"growth": 7})


async def test_without_a_model_the_last_step_s_output_is_taken_where_it_fits() -> None:
    synthesizer = synthesizer_of(None, None, response_format=SCHEMA)
    written = await synthesizer.synthesize(request(read={"growth": 1}, sum={"growth": 7}))
    assert written == Synthesis(answer='{"growth": 7}', structured={"growth": 7})
    assert [source.step for source in written.sources] == ["sum"]
    written = await synthesizer.synthesize(request(read={"growth": 1}, sum="up"))
    assert written.structured is None
    assert written.degraded == (
        "there is no structured answer: no model could fill it in, and the output of the last step does not fit",
    )
    assert "up" in written.answer


async def test_without_a_result_nobody_is_asked() -> None:
    model, synthesizer = structured()
    written = await synthesizer.synthesize(request())
    assert (written.answer, written.structured, model.received) == ("", None, [])
    assert written.degraded == ("there is no structured answer: no step has a result",)


async def test_results_too_long_for_the_model_are_cut_and_that_is_said() -> None:
    _, synthesizer = structured({"growth": 7}, max_input_tokens=900)
    written = await synthesizer.synthesize(request(read="word " * 9000))
    assert written.degraded == ("the result of step 'read' was too long for the model and was cut",)


async def test_the_prompts_are_the_caller_s_where_there_are_any() -> None:
    own = Prompts({"structured_system": "Rhyme."})
    model, synthesizer = structured({"growth": 7}, prompts=own)
    await synthesizer.synthesize(request(read="x"))
    assert model.received[0][0].text == "Rhyme."


def test_repairs_are_no_negative_number() -> None:
    with pytest.raises(ValueError, match="max_repairs must be 0 or more, found -1"):
        structured(max_repairs=-1)


@pytest.mark.parametrize(
    ("returned", "answer", "found"),
    [
        ({"text": "Hi.", "n": 1}, "Hi.", {"text": "Hi.", "n": 1}),
        ([1, 2], "[1, 2]", [1, 2]),
        (
            Trend.model_validate({"growth": 7}),
            '{"growth": 7.0, "from": "2024-01-01"}',
            {"growth": 7.0, "from": "2024-01-01"},
        ),
    ],
    ids=["object", "list", "model"],
)
async def test_a_function_may_return_json(returned: Any, answer: str, found: JsonValue) -> None:
    async def write(_asked: SynthesisRequest) -> Any:
        return returned

    def write_at_once(_asked: SynthesisRequest) -> Any:
        return returned

    for spec in (write, write_at_once):
        written = await as_synthesizer(spec).synthesize(request(read="x"))
        assert (written.answer, written.structured) == (answer, found)


async def test_what_has_no_json_form_fails_the_synthesis() -> None:
    with pytest.raises(SynthesisFailed, match="no JSON form"):
        await as_synthesizer(lambda _asked: {"a": object()}).synthesize(request(read="x"))


def test_without_a_form_nothing_changes() -> None:
    assert isinstance(synthesizer_of("model", ScriptedChatModel([])), ModelSynthesizer)
