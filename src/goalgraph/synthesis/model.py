"""An answer written by a chat model, streamed, within its context window."""

from typing import TYPE_CHECKING

from goalgraph.errors import ModelFailed
from goalgraph.models import Ending, ending, for_this_loop, model_name, typed_failures
from goalgraph.prompts import Prompts
from goalgraph.synthesis.parts import parts
from goalgraph.synthesis.plain import Concatenate
from goalgraph.synthesis.prompting import ResultsPrompt
from goalgraph.synthesis.sources import cited
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk, BaseMessage

__all__ = ["ModelSynthesizer"]


class ModelSynthesizer:
    """Has a model write the answer; where that fails, the outcomes are put together as they are."""

    def __init__(
        self,
        model: "BaseChatModel",
        *,
        max_input_tokens: int | None = None,
        summarize: bool = False,
        prompts: Prompts | None = None,
    ) -> None:
        """Take the model.

        Args:
            model: Any chat model.
            max_input_tokens: Of the whole prompt; None: three quarters of the window that the model tells of, or of
                32,768 tokens (`goalgraph.prompts.prompt_limit`).
            summarize: Let the model summarise results that are too long, in at most 24 further calls, before they are
                cut.
            prompts: Whose ``synthesize_system``, ``synthesize`` and ``summarize`` it is told; None: the built-in ones.

        Raises:
            ValueError: ``max_input_tokens`` is not positive.
        """
        self._model = model
        self._results = ResultsPrompt(
            model,
            system="synthesize_system",
            max_input_tokens=max_input_tokens,
            summarize=summarize,
            prompts=prompts,
        )

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Ask for the answer; its tokens stream to whoever listens to the model.

        Results too long for the window are summarised, where that is allowed, or else cut in the middle; ``degraded``
        says which. Sources are the steps that the answer cites, as ``[step_id]``, then those it does not; marks that
        name no step stay in the text, and ``degraded`` names them.
        """
        found = parts(request)
        if not found:
            return Synthesis(answer="")
        fitted = await self._results.fitted(request, found)
        (system, user), lost = fitted.messages, fitted.lost
        try:
            message = await self._answer(system, user)
        except ModelFailed as error:
            return await _unwritten(request, str(error))
        how, text = ending(message), message.text.strip()
        if how not in ("complete", "truncated") or not text:
            return await _unwritten(request, _because(how))
        cut = ("the answer was cut at the model's token limit",) if how == "truncated" else ()
        sources, unknown = cited(text, found, {step.id for step in request.plan.steps})
        strange = (f"the answer cites what is no step: {', '.join(unknown)}",) if unknown else ()
        return Synthesis(answer=text, degraded=(*lost, *cut, *strange), sources=sources, message_id=message.id)

    @property
    def model_name(self) -> str:
        """Name of the model at its provider."""
        return model_name(self._model)

    @property
    def max_input_tokens(self) -> int:
        """Most tokens of the prompt."""
        return self._results.limit

    def prompt(self, request: SynthesisRequest) -> str:
        """Render what the model would be sent if nothing were too long for it; nothing is called."""
        return self._results.whole(request)

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


def _because(how: Ending) -> str:
    reasons: dict[Ending, str] = {
        "filtered": "a content filter stopped its answer",
        "refused": "it refused",
        "truncated": "its answer was cut before any text",
    }
    return f"the model wrote no answer: {reasons.get(how, 'its answer was empty')}"


async def _unwritten(request: SynthesisRequest, why: str) -> Synthesis:
    plain = await Concatenate().synthesize(request)
    reason = f"the results are put together as they are, because {why}"
    return Synthesis(answer=plain.answer, degraded=(reason,), sources=plain.sources)
