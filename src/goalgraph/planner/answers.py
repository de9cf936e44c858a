"""Read the one JSON object out of a model's raw answer."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from goalgraph.errors import (
    PlannerEmpty,
    PlannerError,
    PlannerFiltered,
    PlannerRefused,
    PlannerTruncated,
    PlanProblem,
)
from goalgraph.models import Ending, ending

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["Answer", "ended_early", "read_answer"]

_MAX_TRIES = 200
"""Braces at which reading is tried: prose may contain some, and each try may read to the end of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model filled in, of whatever type."""

    data: object


def read_answer(message: "BaseMessage", *, name: str, keys: Collection[str]) -> Answer | PlanProblem:
    """Find the object that was asked for: in a tool call, or in the text, fenced or between prose.

    The reason for stopping counts before the content: JSON that is whole by chance is not taken from an answer that was
    cut. An object that stands there twice is taken once.

    Args:
        message: The raw answer.
        name: Name of the tool that was demanded.
        keys: Keys of the object.

    Raises:
        PlannerError: The answer ended early; the leaf says how.
    """
    how = ending(message)
    if how != "complete":
        raise ended_early(how, _refusal(message))
    found = _called(message, name) or list(_objects(_written(message), keys))
    if not found:
        return _problem("not_json", "expected one JSON object " + _with(keys) + ", found none that can be read")
    if any(other != found[0] for other in found[1:]):
        return _problem("several_answers", f"expected one JSON object, found {len(found)} that differ")
    return Answer(data=found[0])


def ended_early(how: Ending, detail: str = "") -> PlannerError:
    """Return the error that stands for an early ending."""
    said = f": {detail}" if detail else ""
    if how == "truncated":
        return PlannerTruncated(
            "the planner's answer was cut at its token limit",
            hint="raise the model's token limit, or ask for fewer steps",
        )
    if how == "filtered":
        return PlannerFiltered("a content filter stopped the planner's answer", hint="reword the goal")
    if how == "refused":
        return PlannerRefused(f"the model refused to plan the goal{said}", hint="reword the goal")
    return PlannerEmpty("the planner's answer was empty", hint="try again, or take another model")


def _refusal(message: "BaseMessage") -> str:
    blocks = [block for block in message.content if isinstance(block, dict)]
    said: list[object] = [message.additional_kwargs.get("refusal"), *(block.get("refusal") for block in blocks)]
    texts = [text for text in said if isinstance(text, str)]
    return " ".join(texts[0].split())[:300] if texts else ""


def _called(message: "BaseMessage", name: str) -> list[object]:
    calls = cast("list[dict[str, object]]", getattr(message, "tool_calls", None) or [])
    named = [call["args"] for call in calls if call["name"] == name]
    return named or [call["args"] for call in calls]


def _written(message: "BaseMessage") -> str:
    """Text of the answer, and arguments of tool calls that are no JSON as they stand: fenced, or there twice."""
    calls = cast("list[dict[str, object]]", getattr(message, "invalid_tool_calls", None) or [])
    return "\n".join([message.text, *(str(call["args"]) for call in calls)])


def _objects(text: str, keys: Collection[str]) -> Iterator[object]:
    """Find the objects in a text that have any of the keys; an object inside of one that is broken has none of them."""
    decoder = json.JSONDecoder(strict=False)
    at, tries = text.find("{"), 0
    while at >= 0 and tries < _MAX_TRIES:
        tries += 1
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(found, Mapping) and not cast("Mapping[str, object]", found).keys().isdisjoint(keys):
                yield cast("object", found)
        at = text.find("{", end)


def _with(keys: Collection[str]) -> str:
    return "with " + " and ".join(map(repr, keys))


def _problem(code: str, message: str) -> PlanProblem:
    return PlanProblem(code=code, message=message, hint="answer with that object alone, whole and only once")
