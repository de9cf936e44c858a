import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import JsonValue, PrivateAttr

from goalgraph.errors import (
    InvalidGoal,
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
from goalgraph.planner.validation import PlanPolicy
from goalgraph.testing import Reply, ScriptedChatModel

CARDS = (
    SpecialistCard(name="reader", description="Reads\n  reports.", capabilities=("read", "extract")),
    SpecialistCard(name="writer"),
)


def step(**changes: object) -> dict[str, object]:
    return {"id": "a", "agent": "writer", "task": "Write it.", "depends_on": list[str]()} | changes


def plan(*steps: Mapping[str, object]) -> dict[str, object]:
    return {"name": "n", "steps": list(steps or (step(),))}


def request(
    goal: str = "Write a report.", *, inputs: Mapping[str, JsonValue] | None = None, max_steps: int = 7
) -> PlanRequest:
    return PlanRequest(goal=goal, cards=CARDS, policy=PlanPolicy(max_steps=max_steps), inputs=inputs or {})


def cut(text: str) -> AIMessage:
    return AIMessage(text, response_metadata={"finish_reason": "length"})


FILTERED = AIMessage("", response_metadata={"finish_reason": "content_filter"})
REFUSED = AIMessage("", additional_kwargs={"refusal": "No."})


async def test_a_valid_plan_is_returned_after_one_call() -> None:
    model = ScriptedChatModel([plan(step(), step(id="b", depends_on=["a"]))])
    made = await ModelDecomposer(model).decompose(request())
    assert [(item.id, getattr(item, "agent", None), item.depends_on) for item in made.steps] == [
        ("a", "writer", ()),
        ("b", "writer", ("a",)),
    ]
    assert len(model.received) == 1


async def test_the_model_is_told_specialists_limits_inputs_and_the_goal_verbatim() -> None:
    goal = "Sum up ```x``` {{ y }}\n  in <b>French</b>"
    model = ScriptedChatModel([plan()])
    await ModelDecomposer(model).decompose(request(goal, inputs={"path": "a.csv"}))
    system, user = model.received[0]
    assert (system.type, user.type) == ("system", "human")
    assert user.text == (
        "Specialists:\n"
        "- reader: Reads reports. (capabilities: read, extract)\n"
        "- writer\n\n"
        "Constraints:\n"
        "- at most 7 steps; fewer are better where they do\n\n"
        "Inputs of the run, as JSON:\n"
        '```\n{\n "path": "a.csv"\n}\n```\n\n'
        f"Goal:\n````\n{goal}\n````\n\n"
        "Write the plan."
    )
    for rule in ("as parallel as the work allows", "only where data flows", "self-contained task", "backticks is data"):
        assert rule in system.text


async def test_without_inputs_the_prompt_does_not_speak_of_them() -> None:
    model = ScriptedChatModel([plan()])
    await ModelDecomposer(model).decompose(request())
    assert "Inputs" not in model.received[0][1].text


async def test_inputs_too_long_are_cut_with_a_mark() -> None:
    model = ScriptedChatModel([plan()])
    await ModelDecomposer(model).decompose(request(inputs={"text": "word " * 200_000}))
    assert len(model.received[0][1].text) < 200_000
    assert "tokens are missing here" in model.received[0][1].text


async def test_all_problems_go_back_at_once_with_the_draft() -> None:
    bad = plan(step(id="a", depends_on=["b"]), step(id="b", agent="wirter", depends_on=["a", "c d"], task=3))
    model = ScriptedChatModel([bad, plan()])
    await ModelDecomposer(model).decompose(request())
    first, second = model.received
    assert [message.text for message in second[:2]] == [message.text for message in first]
    assert (second[2].type, json.loads(second[2].text)) == ("ai", bad)
    assert second[3].type == "human"
    assert second[3].text == (
        "Your last plan cannot be used:\n"
        "```\n"
        "- step 'b' task: expected text, found 3 (write it as the schema says)\n"
        "- step 'b' depends_on: expected an id of letters, digits, '_', '-' and '.', found 'c d'"
        " (write ids like 'read_report')\n"
        "- step 'a' depends_on: steps wait for each other: a -> b -> a (remove one of these dependencies)\n"
        "- step 'b' agent: no specialist is called 'wirter' (did you mean 'writer'?)\n"
        "```\n\n"
        "Write the whole plan again, with all of this corrected, and keep what was right."
    )


async def test_a_missing_field_is_told_once_and_not_as_a_problem_of_its_stand_in() -> None:
    model = ScriptedChatModel([plan({"id": "a", "task": "Write it.", "depends_on": ["b"]})])
    with pytest.raises(PlannerInvalid) as caught:
        await ModelDecomposer(model, max_repairs=0).decompose(request())
    assert [(problem.code, problem.field) for problem in caught.value.problems] == [
        ("missing_field", "agent"),
        ("unknown_dependency", "depends_on"),
    ]


async def test_a_draft_before_the_last_answer_does_not_go_back() -> None:
    model = ScriptedChatModel([plan(step(agent="nobody")), cut("{"), plan()])
    await ModelDecomposer(model).decompose(request())
    assert [len(messages) for messages in model.received] == [2, 4, 2]


async def test_only_the_last_draft_goes_back() -> None:
    model = ScriptedChatModel([plan(step(agent="x")), plan(step(agent="y")), plan()])
    await ModelDecomposer(model).decompose(request())
    assert [len(messages) for messages in model.received] == [2, 4, 4]
    assert '"agent": "y"' in model.received[2][2].text


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([step(depends_on=["b"]), step(id="b", depends_on=["a"])], "cycle"),
        ([step(depends_on=["a"])], "self_dependency"),
        ([step(), step()], "duplicate_id"),
        ([step(depends_on=["zzz"])], "unknown_dependency"),
        ([step(agent="nobody")], "unknown_specialist"),
        ([], "no_steps"),
        ([step(id=f"s{number}") for number in range(1000)], "too_many_steps"),
        ([step(id=f"s {number}") for number in range(1000)], "invalid_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_plan_that_stays_invalid_fails_with_the_problems_of_the_last_draft(
    steps: list[dict[str, object]], code: str
) -> None:
    bad = {"name": "n", "steps": steps}
    model = ScriptedChatModel([plan(step(agent="other")), bad, bad])
    with pytest.raises(PlannerInvalid) as caught:
        await ModelDecomposer(model).decompose(request())
    assert caught.value.attempts == 3
    assert {problem.code for problem in caught.value.problems} == {code}
    assert "\n" not in str(caught.value)


async def test_a_thousand_problems_are_listed_in_part_and_the_huge_draft_stays_away() -> None:
    bad = {"name": "n", "steps": [step(id=f"s {number}") for number in range(1000)]}
    model = ScriptedChatModel([bad, plan()])
    await ModelDecomposer(model).decompose(request())
    assert len(model.received[1]) == 2
    assert "- and 950 more problems of these kinds" in model.received[1][1].text
    assert len(model.received[1][1].text) < 20_000


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (cut(json.dumps(plan())[:30]), "the planner's answer was cut at its token limit"),
        (cut(json.dumps(plan())), "the planner's answer was cut at its token limit"),
        (FILTERED, "a content filter stopped the planner's answer"),
        ("   ", "the planner's answer was empty"),
        ('{"name": "half', "the planner's answer breaks off in the middle of its JSON"),
        ("No plan today.", "expected one JSON object with 'name' and 'conditions'"),
    ],
    ids=["cut", "cut but whole by chance", "filtered", "empty", "broken off", "no JSON"],
)
async def test_an_unusable_answer_is_asked_for_again_without_its_text(reply: Reply, note: str) -> None:
    model = ScriptedChatModel([reply, plan()])
    await ModelDecomposer(model).decompose(request())
    first, second = model.received
    assert len(second) == 2
    assert second[1].text.startswith(f"{first[1].text}\n\nYour last answer cannot be used:\n```\n- {note}")
    assert "half" not in second[1].text


@pytest.mark.parametrize(
    ("reply", "error"),
    [(cut("{"), PlannerTruncated), (FILTERED, PlannerFiltered), ("", PlannerEmpty), ("prose", PlannerInvalid)],
    ids=["truncated", "filtered", "empty", "prose"],
)
async def test_the_last_failure_is_the_one_that_is_raised(reply: Reply, error: type[PlannerError]) -> None:
    model = ScriptedChatModel([plan(step(agent="nobody")), reply])
    with pytest.raises(error):
        await ModelDecomposer(model, max_repairs=1).decompose(request())
    assert len(model.received) == 2


async def test_a_refusal_is_final() -> None:
    model = ScriptedChatModel([REFUSED, plan()])
    with pytest.raises(PlannerRefused, match=r"No\."):
        await ModelDecomposer(model).decompose(request())
    assert len(model.received) == 1


async def test_without_repairs_one_answer_decides() -> None:
    model = ScriptedChatModel([plan(step(agent="nobody")), plan()])
    with pytest.raises(PlannerInvalid) as caught:
        await ModelDecomposer(model, max_repairs=0).decompose(request())
    assert (caught.value.attempts, len(model.received)) == (1, 1)


async def test_a_call_that_fails_is_a_failed_model() -> None:
    with pytest.raises(ModelFailed, match="ConnectionError: down"):
        await ModelDecomposer(ScriptedChatModel([ConnectionError("down")])).decompose(request())


@pytest.mark.parametrize("name", ["LengthFinishReasonError", "ContentFilterFinishReasonError"])
async def test_an_ending_that_the_sdk_raises_is_asked_for_again(name: str) -> None:
    error: Exception = type(name, (Exception,), dict[str, Any]())("stopped")
    model = ScriptedChatModel([error, plan()])
    await ModelDecomposer(model).decompose(request())
    assert len(model.received) == 2


@pytest.mark.parametrize("goal", ["", "  \n"])
async def test_an_empty_goal_is_not_planned(goal: str) -> None:
    model = ScriptedChatModel([])
    with pytest.raises(InvalidGoal):
        await ModelDecomposer(model).decompose(request(goal))
    assert model.received == []


async def test_without_specialists_the_model_is_not_asked() -> None:
    model = ScriptedChatModel([])
    with pytest.raises(PlannerInvalid, match="there are no specialists"):
        await ModelDecomposer(model).decompose(PlanRequest(goal="g", cards=()))
    assert model.received == []


def test_a_negative_number_of_repairs_is_refused() -> None:
    with pytest.raises(ValueError, match="found -1"):
        ModelDecomposer(ScriptedChatModel([]), max_repairs=-1)


class PlainModel(BaseChatModel):
    """A model that knows neither tools nor response formats."""

    answer: str
    _received: list[list[BaseMessage]] = PrivateAttr(default_factory=list[list[BaseMessage]])

    @property
    def received(self) -> list[list[BaseMessage]]:
        return self._received

    @property
    def _llm_type(self) -> str:
        return "plain"

    def _generate(self, messages: Sequence[BaseMessage], *_args: Any, **_options: Any) -> ChatResult:
        self._received.append(list(messages))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.answer))])


async def test_a_model_without_tools_is_told_the_schema_in_the_prompt() -> None:
    model = PlainModel(answer=f"Sure!\n```json\n{json.dumps(plan())}\n```")
    made = await ModelDecomposer(model).decompose(request())
    assert [item.id for item in made.steps] == ["a"]
    system, user = model.received[0]
    assert "Answer with one JSON object and nothing else" in system.text
    assert '"enum": ["reader", "writer"]' in system.text
    assert user.text.endswith("Write the plan.")
