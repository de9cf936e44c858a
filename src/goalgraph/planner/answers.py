"""Read the one JSON object out of a model's raw answer."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

from pydantic_core import from_json

from goalgraph.errors import (
    PlannerEmpty,
    PlannerError,
    PlannerFiltered,
    PlannerRefused,
    PlannerTruncated,
    PlanProblem,
)
from goalgraph.errors.codes import ProblemCode
from goalgraph.models import Ending, ending

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["Answer", "ended_early", "read_answer"]

_MAX_TRIES = 200
"""Braces at which reading is tried: prose may contain some, and each try may read to the end of the text."""

_BEGUN = re.compile(r'\{\s*"')
"""How an object begins, and a brace in prose does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model filled in, of whatever type."""

    data: object


def read_answer(message: "BaseMessage", *, name: str, keys: Collection[str]) -> Answer | PlanProblem:
    """Find the object that was asked for: in a tool call, or in the text, fenced or between prose.

    The reason for stopping counts before the content: JSON that is whole by chance is not taken from an answer that was
    cut. An object that stands there twice is taken once. An answer that ends in the middle of it was cut, whatever
    reason it gives.

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
    texts = _written(message)
    found = _called(message, name) or [found for text in texts for found in _objects(text, keys)]
    if not found:
        if any(_breaks_off(text, keys) for text in texts):
            raise PlannerTruncated(
                "the planner's answer breaks off in the middle of its JSON",
                hint="raise the model's token limit, or ask for fewer steps",
            )
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


def _written(message: "BaseMessage") -> list[str]:
    """Text of the answer, and arguments of tool calls that are no JSON as they stand: fenced, or there twice."""
    calls = cast("list[dict[str, object]]", getattr(message, "invalid_tool_calls", None) or [])
    return [message.text, *(str(call["args"]) for call in calls)]


def _objects(text: str, keys: Collection[str]) -> Iterator[object]:
    """Find the objects in a text that have any of the keys.

    Inside of one that is broken, or after it, only an object with all of the keys counts: another may be a part of it.
    """
    decoder = json.JSONDecoder(strict=False)
    at, tries, broken = text.find("{"), 0, False
    while at >= 0 and tries < _MAX_TRIES:
        tries += 1
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            broken = broken or _BEGUN.match(text, at) is not None
            end = at + 1
        else:
            if isinstance(found, Mapping) and _has(cast("Mapping[str, object]", found), keys, all_of_them=broken):
                yield cast("object", found)
        at = text.find("{", end)


def _has(found: Mapping[str, object], keys: Collection[str], *, all_of_them: bool) -> bool:
    return found.keys() >= set(keys) if all_of_them else not found.keys().isdisjoint(keys)


def _breaks_off(text: str, keys: Collection[str]) -> bool:
    """Whether a text ends inside of an object that is sound up to there."""
    decoder = json.JSONDecoder(strict=False)
    for begun in islice(_BEGUN.finditer(text), _MAX_TRIES):
        try:
            decoder.raw_decode(text, begun.start())
        except (ValueError, RecursionError):
            try:
                found = cast("object", from_json(text[begun.start() :].encode(errors="replace"), allow_partial=True))
            except ValueError:
                continue
            fields = cast("Mapping[str, object]", found)
            if not fields or _has(fields, keys, all_of_them=False):
                return True
    return False


def _with(keys: Collection[str]) -> str:
    return "with " + " and ".join(map(repr, keys))


def _problem(code: ProblemCode, message: str) -> PlanProblem:
    return PlanProblem(code=code, message=message, hint="answer with that object alone, whole and only once")
