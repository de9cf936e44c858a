import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from goalgraph.errors import PlannerEmpty, PlannerError, PlannerFiltered, PlannerRefused, PlannerTruncated, PlanProblem
from goalgraph.planner.answers import Answer, read_answer

PLAN: dict[str, Any] = {"name": "n", "steps": [{"id": "a", "task": "Say {this}.\n", "depends_on": []}]}
TEXT = json.dumps(PLAN)
OTHER: dict[str, Any] = {"name": "other", "steps": []}


def read(message: AIMessage) -> object:
    found = read_answer(message, name="plan", keys=("name", "steps"))
    return found.data if isinstance(found, Answer) else found.code


def call(name: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "args": args, "id": "1"}


def broken_call(args: str) -> dict[str, Any]:
    return {"name": "plan", "args": args, "id": "1", "error": "no JSON", "type": "invalid_tool_call"}


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"```\n{json.dumps(PLAN, indent=2)}\n```",
        f"Here {{is}} the plan: {TEXT} I hope it {{helps}}.",
        f"{TEXT}\n{TEXT}",
        f"{TEXT}{json.dumps(PLAN, indent=1)}",
        f'{{"thoughts": "hm"}} {TEXT}',
        f"[{TEXT}]",
        TEXT.replace("\\n", "\n"),
    ],
    ids=[
        "bare",
        "fenced",
        "fence without language",
        "prose",
        "twice",
        "twice, other layout",
        "thoughts",
        "list",
        "newline",
    ],
)
def test_the_object_is_found_in_the_text(text: str) -> None:
    assert read(AIMessage(text)) == PLAN


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("I think we should first read the report.", "not_json"),
        ("{" * 100_000, "not_json"),
        ('{"a":' * 100_000, "not_json"),
        ('{"name": ' + "1" * 5000 + "}", "not_json"),
        (f"{TEXT[:30]}, oops, {TEXT[30:]}", "not_json"),
        (f"{TEXT}\n{json.dumps(OTHER)}", "several_answers"),
    ],
    ids=["prose", "braces", "nested", "huge number", "broken in the middle", "two that differ"],
)
def test_what_cannot_be_read_is_a_problem(text: str, code: str) -> None:
    assert read(AIMessage(text)) == code


def test_a_tool_call_counts_before_the_text() -> None:
    assert read(AIMessage(json.dumps(OTHER), tool_calls=[call("plan", PLAN)])) == PLAN


def test_the_same_tool_call_twice_is_taken_once() -> None:
    assert read(AIMessage("", tool_calls=[call("plan", PLAN), call("plan", PLAN)])) == PLAN


def test_two_different_tool_calls_are_a_problem() -> None:
    assert read(AIMessage("", tool_calls=[call("plan", PLAN), call("plan", OTHER)])) == "several_answers"


def test_a_call_of_the_demanded_tool_counts_before_others() -> None:
    assert read(AIMessage("", tool_calls=[call("think", {"x": 1}), call("plan", PLAN)])) == PLAN


def test_a_wrong_tool_name_does_not_lose_the_arguments() -> None:
    assert read(AIMessage("", tool_calls=[call("make_plan", PLAN)])) == PLAN


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(f"```json\n{TEXT}\n```", PLAN), (TEXT + TEXT, PLAN), ("none", "not_json")],
    ids=["fenced", "twice", "none"],
)
def test_arguments_that_are_no_json_are_searched_like_text(arguments: str, expected: object) -> None:
    message = AIMessage(content="", invalid_tool_calls=[broken_call(arguments)])
    assert read(message) == expected


@pytest.mark.parametrize(
    ("message", "error", "said"),
    [
        (AIMessage(TEXT, response_metadata={"finish_reason": "length"}), PlannerTruncated, "token limit"),
        (AIMessage(TEXT, response_metadata={"finish_reason": "content_filter"}), PlannerFiltered, "content filter"),
        (AIMessage("", additional_kwargs={"refusal": "I can't\nhelp."}), PlannerRefused, ": I can't help.; reword"),
        (AIMessage([{"type": "refusal", "refusal": "Not me."}]), PlannerRefused, ": Not me.; reword"),
        (AIMessage("  "), PlannerEmpty, "empty"),
    ],
    ids=["truncated", "filtered", "refused", "refused in a block", "empty"],
)
def test_how_the_answer_ended_counts_before_what_it_says(
    message: AIMessage, error: type[PlannerError], said: str
) -> None:
    with pytest.raises(error, match=said):
        read(message)


@pytest.mark.parametrize("cut", [2, 5, 12, 20, 40, len(TEXT) - 1], ids=str)
@pytest.mark.parametrize("reason", ["stop", ""], ids=["stop", "no reason"])
def test_an_answer_that_breaks_off_was_cut_whatever_it_says(cut: int, reason: str) -> None:
    said = {"finish_reason": reason} if reason else {}
    for text in (TEXT[:cut], f"Here {{is}} it:\n```json\n{TEXT[:cut]}"):
        with pytest.raises(PlannerTruncated, match="breaks off in the middle of its JSON; raise"):
            read(AIMessage(text, response_metadata=said))
        with pytest.raises(PlannerTruncated, match="breaks off"):
            read(AIMessage("", invalid_tool_calls=[broken_call(text)], response_metadata=said))


def test_a_part_of_a_broken_object_is_not_taken_for_the_answer() -> None:
    inner = '{"name": "a part"}'
    assert read(AIMessage('{"steps": [{"id": oops, "with": ' + inner + "}]}")) == "not_json"
    with pytest.raises(PlannerTruncated):
        read(AIMessage('{"steps": [{"id": "a", "with": ' + inner))
    assert read(AIMessage('{"steps": oops} Once more: ' + TEXT)) == PLAN


def test_a_problem_says_what_to_answer() -> None:
    found = read_answer(AIMessage("prose"), name="plan", keys=("name", "steps"))
    assert isinstance(found, PlanProblem)
    assert str(found) == (
        "expected one JSON object with 'name' and 'steps', found none that can be read "
        "(answer with that object alone, whole and only once)"
    )
