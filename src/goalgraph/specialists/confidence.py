"""What counts as a confidence, and what the probabilities of a model's tokens say of it."""

import math
import reprlib
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["from_logprobs", "known_confidence", "refused"]


def known_confidence(found: object) -> float | None:
    """Return a confidence as a number; None where it is none from 0 to 1: NaN, infinities, text, booleans."""
    if isinstance(found, bool) or not isinstance(found, Real):
        return None
    try:
        number = float(found)
    except OverflowError:
        return None
    return number if 0 <= number <= 1 else None


def refused(found: object) -> str:
    """Say, for the reasons of a result, that a confidence is not known because of what was found in its place."""
    try:
        shown = reprlib.repr(found)
    except Exception:  # integers of thousands of digits, and objects of strangers
        shown = f"a {type(found).__name__}"
    return f"its own confidence is unknown: expected a number from 0 to 1, found {shown}"


def from_logprobs(message: "BaseMessage") -> float | None:
    """Return how sure a model was of its tokens; None where the message does not tell.

    It is ``exp(mean(logprob))`` over the tokens of the answer, their probabilities' geometric mean: the inverse of the
    perplexity ``exp(-mean(logprob))`` of OpenAI's Cookbook, "Using logprobs". It says how surprising the words are, not
    whether they are true.

    Args:
        message: A chat model's answer, with ``response_metadata["logprobs"]["content"][i]["logprob"]`` as OpenAI's chat
            completions have it. The model must be told to give them: ``ChatOpenAI(..., logprobs=True)``.
    """
    told = _entry(cast("object", message.response_metadata), "logprobs")
    tokens = _entry(told, "content")
    if not isinstance(tokens, Sequence) or isinstance(tokens, str) or not tokens:
        return None
    found: list[float] = []
    for token in cast("Sequence[object]", tokens):
        logprob = _entry(token, "logprob")
        if isinstance(logprob, bool) or not isinstance(logprob, Real) or not math.isfinite(logprob):
            return None
        found.append(float(logprob))
    return math.exp(min(0.0, math.fsum(found) / len(found)))


def _entry(holder: object, name: str) -> object:
    return cast("Mapping[object, object]", holder).get(name) if isinstance(holder, Mapping) else None
