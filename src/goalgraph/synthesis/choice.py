"""From what a caller may write for a synthesizer to the synthesizer."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from goalgraph.errors import SynthesisFailed
from goalgraph.prompts import Prompts
from goalgraph.synthesis.model import ModelSynthesizer
from goalgraph.synthesis.plain import Concatenate, LastWins
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest, Synthesizer

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["SynthesisSpec", "as_synthesizer"]

SynthesisSpec = (
    str
    | Synthesizer
    | Callable[[SynthesisRequest], str | Synthesis]
    | Callable[[SynthesisRequest], Awaitable[str | Synthesis]]
)
"""``"concatenate"``, ``"last_wins"``, ``"model"``, a synthesizer, or a function, which may be asynchronous."""


def as_synthesizer(
    spec: SynthesisSpec, model: "BaseChatModel | None" = None, *, prompts: Prompts | None = None
) -> Synthesizer:
    """Return the synthesizer that a spec stands for.

    Args:
        spec: A name, a synthesizer, or a function of the request that returns text or a `Synthesis`.
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
        raise SynthesisFailed(
            f"the synthesis function must return text or a Synthesis, found {type(returned).__name__}",
            hint="return a str, or goalgraph.synthesis.Synthesis",
        )
