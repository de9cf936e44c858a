"""From what a caller may write for a synthesizer to the synthesizer."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from goalgraph.errors import SynthesisFailed
from goalgraph.planner.outcome import text_of
from goalgraph.prompts import Prompts
from goalgraph.synthesis.model import ModelSynthesizer
from goalgraph.synthesis.plain import Concatenate, LastWins
from goalgraph.synthesis.response_format import ResponseSpec, as_response_format
from goalgraph.synthesis.structured import StructuredSynthesizer
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest, Synthesizer

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["SynthesisSpec", "Written", "as_synthesizer", "may_call_models", "synthesizer_of"]

Written = str | Synthesis | BaseModel | Mapping[str, Any] | Sequence[Any]
"""What a function may return: text, a `Synthesis`, or JSON, whose text is then the answer."""

SynthesisSpec = (
    str | Synthesizer | Callable[[SynthesisRequest], Written] | Callable[[SynthesisRequest], Awaitable[Written]]
)
"""``"concatenate"``, ``"last_wins"``, ``"model"``, a synthesizer, or a function, which may be asynchronous."""


def may_call_models(synthesizer: Synthesizer) -> bool:
    """Whether an answer may take calls of models; of a caller's own synthesizer nobody knows, so that it may."""
    if isinstance(synthesizer, StructuredSynthesizer):
        text = synthesizer.text
        return synthesizer.model_name is not None or (text is not None and may_call_models(text))
    return not isinstance(synthesizer, (Concatenate, LastWins))


def as_synthesizer(
    spec: SynthesisSpec, model: "BaseChatModel | None" = None, *, prompts: Prompts | None = None
) -> Synthesizer:
    """Return the synthesizer that a spec stands for.

    Args:
        spec: A name, a synthesizer, or a function of the request that returns text, a `Synthesis`, or an object, a
            list or a pydantic model, which is then the structured answer too.
        model: For ``"model"``.
        prompts: For ``"model"``; None: the built-in ones.

    Raises:
        ValueError: The name is unknown, or ``"model"`` comes without a model.
        TypeError: The spec is none of these.
    """
    if isinstance(spec, str):
        return _named(spec, model, prompts)
    if isinstance(spec, Synthesizer) and not isinstance(spec, type):
        return spec
    if callable(spec):
        return _Custom(spec)
    raise TypeError(f"synthesis must be a name, a function or a synthesizer, found {cast('object', spec)!r}")


def synthesizer_of(
    spec: SynthesisSpec | None,
    model: "BaseChatModel | None",
    *,
    prompts: Prompts | None = None,
    response_format: ResponseSpec | None = None,
) -> Synthesizer:
    """Return who writes the answer: as the spec says, and in a form where one is given.

    Without a spec it is ``"concatenate"``; with a form, whoever fills it in writes the text too.

    Raises:
        ValueError: As for `as_synthesizer`, or the form is none.
        TypeError: As for `as_synthesizer`.
    """
    if response_format is None:
        return as_synthesizer(spec if spec is not None else "concatenate", model, prompts=prompts)
    text = as_synthesizer(spec, model, prompts=prompts) if spec is not None else None
    return StructuredSynthesizer(as_response_format(response_format), text=text, model=model, prompts=prompts)


def _named(name: str, model: "BaseChatModel | None", prompts: Prompts | None) -> Synthesizer:
    if name == "concatenate":
        return Concatenate()
    if name == "last_wins":
        return LastWins()
    if name != "model":
        raise ValueError(f"synthesis must be 'concatenate', 'last_wins', 'model' or a function, found {name!r}")
    if model is None:
        raise ValueError("synthesis 'model' needs a model; pass one, or choose 'concatenate' or 'last_wins'")
    return ModelSynthesizer(model, prompts=prompts)


class _Custom:
    def __init__(self, function: Callable[[SynthesisRequest], object]) -> None:
        self._function = function

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        function = self._function
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
            returned = await cast("Callable[[SynthesisRequest], Awaitable[object]]", function)(request)
        else:
            returned = await asyncio.to_thread(function, request)
            if inspect.isawaitable(returned):
                returned = await returned
        if isinstance(returned, Synthesis):
            return returned
        if isinstance(returned, str):
            return Synthesis(answer=returned)
        if isinstance(returned, (BaseModel, Mapping, list, tuple)):
            found = _as_json(cast("object", returned))
            return Synthesis(answer=text_of(found), structured=found)
        raise SynthesisFailed(
            f"the synthesis function must return text, JSON or a Synthesis, found {type(returned).__name__}",
            hint="return a str, a dict, a list, a pydantic model, or goalgraph.synthesis.Synthesis",
        )


def _as_json(returned: object) -> JsonValue:
    try:
        if isinstance(returned, BaseModel):
            return cast("JsonValue", returned.model_dump(mode="json", by_alias=True, round_trip=True))
        return cast("JsonValue", to_jsonable_python(returned, inf_nan_mode="null"))
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise SynthesisFailed(
            f"what the synthesis function returned has no JSON form: {' '.join(str(error).split())[:300]}",
            hint="return texts, numbers, booleans, lists and objects of these",
        ) from error
