"""An answer written by a chat model, streamed, within its context window."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from goalgraph.errors import ModelFailed
from goalgraph.models import Ending, ending, for_this_loop, model_name, typed_failures
from goalgraph.prompts import count_tokens, fenced, fit, render
from goalgraph.synthesis.parts import Gap, Part, gaps, parts
from goalgraph.synthesis.plain import Concatenate
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk, BaseMessage

__all__ = ["ModelSynthesizer"]

_UNKNOWN_WINDOW = 128_000
"""Tokens taken as the context window of a model without a profile."""

_PROMPT_SHARE = 0.75
"""Of the window, for the prompt; the rest is for the answer, and for counts that are estimates."""

_MAX_GAPS = 50
"""Steps without a result that are listed one by one."""


class ModelSynthesizer:
    """Has a model write the answer; where that fails, the outcomes are put together as they are."""

    def __init__(self, model: "BaseChatModel", *, max_input_tokens: int | None = None) -> None:
        """Take the model.

        Args:
            model: Any chat model.
            max_input_tokens: Of the whole prompt; None: three quarters of the window that ``model.profile`` tells, or
                of 128,000 tokens.

        Raises:
            ValueError: ``max_input_tokens`` is not positive.
        """
        if max_input_tokens is not None and max_input_tokens < 1:
            raise ValueError(f"max_input_tokens must be 1 or more, found {max_input_tokens!r}")
        self._model = model
        self._limit = max_input_tokens if max_input_tokens is not None else int(_window(model) * _PROMPT_SHARE)

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Ask for the answer; its tokens stream to whoever listens to the model.

        Results too long for the window are cut in the middle, and ``degraded`` says which.
        """
        found = parts(request)
        if not found:
            return Synthesis(answer="")
        system, user, lost = self._prompt(request.goal, found, gaps(request))
        try:
            message = await self._answer(system, user)
        except ModelFailed as error:
            return await _unwritten(request, str(error))
        how = ending(message)
        if how in ("complete", "truncated") and message.text.strip():
            cut = ("the answer was cut at the model's token limit",) if how == "truncated" else ()
            return Synthesis(answer=message.text.strip(), degraded=(*lost, *cut), message_id=message.id)
        return await _unwritten(request, _because(how))

    def _prompt(self, goal: str, found: Sequence[Part], missing: Sequence[Gap]) -> tuple[str, str, tuple[str, ...]]:
        name = model_name(self._model)
        system = render("synthesize_system")
        shown = fit({"goal": goal}, self._limit // 4, model_name=name)
        frame = _rendered(shown.texts["goal"], found, dict.fromkeys((part.step for part in found), ""), missing)
        left = self._limit - count_tokens(system, name) - count_tokens(frame, name)
        fitted = fit({part.step: part.text for part in found}, left, model_name=name)
        lost = [*(("the goal",) if shown.cut else ()), *(f"the result of step {step!r}" for step in fitted.cut)]
        user = _rendered(shown.texts["goal"], found, fitted.texts, missing, cut=frozenset(fitted.cut))
        return system, user, tuple(f"{what} was too long for the model and was cut" for what in lost)

    async def _answer(self, system: str, user: str) -> "BaseMessage":
        from langchain_core.messages import HumanMessage, SystemMessage

        messages: list[BaseMessage] = [SystemMessage(system), HumanMessage(user)]
        try:
            message = await self._streamed(messages)
        except _BrokenOff:
            # The SDK tries again until a stream begins, and never once it has begun.
            return await self._streamed(messages)
        return message if ending(message) != "empty" else await self._streamed(messages)

    async def _streamed(self, messages: "list[BaseMessage]") -> "BaseMessage":
        whole: AIMessageChunk | None = None
        try:
            with typed_failures(self._model):
                async for chunk in for_this_loop(self._model).astream(messages):
                    whole = chunk if whole is None else whole + chunk
        except ModelFailed as error:
            if whole is not None:
                raise _BrokenOff(str(error)) from error.__cause__
            raise
        if whole is None:
            raise ModelFailed(f"the model {model_name(self._model)!r} sent nothing")
        return whole


class _BrokenOff(ModelFailed):
    """A stream that ended in the middle."""


def _window(model: "BaseChatModel") -> int:
    known = cast("Mapping[str, object]", model.profile or {}).get("max_input_tokens")
    return known if isinstance(known, int) and known > 0 else _UNKNOWN_WINDOW


def _rendered(
    goal: str,
    found: Sequence[Part],
    texts: Mapping[str, str],
    missing: Sequence[Gap],
    cut: frozenset[str] = frozenset(),
) -> str:
    return render(
        "synthesize",
        goal=fenced(goal),
        parts=[
            {
                "step": part.step,
                "task": fenced(part.task),
                "text": fenced(texts[part.step]),
                "marks": "; ".join(filter(None, (part.weak, *part.notes, "cut" if part.step in cut else ""))),
            }
            for part in found
        ],
        missing=[{"step": gap.step, "reason": " ".join(gap.reason.split())[:300]} for gap in missing[:_MAX_GAPS]],
    )


def _because(how: Ending) -> str:
    reasons: dict[Ending, str] = {
        "filtered": "a content filter stopped its answer",
        "refused": "it refused",
        "truncated": "its answer was cut before any text",
    }
    return f"the model wrote no answer: {reasons.get(how, 'its answer was empty')}"


async def _unwritten(request: SynthesisRequest, why: str) -> Synthesis:
    plain = await Concatenate().synthesize(request)
    return Synthesis(answer=plain.answer, degraded=(f"the results are put together as they are, because {why}",))
