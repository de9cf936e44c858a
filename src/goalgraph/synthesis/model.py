"""An answer written by a chat model, streamed, within its context window."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from goalgraph.errors import ModelFailed
from goalgraph.models import Ending, complete, ending, for_this_loop, model_name, typed_failures
from goalgraph.prompts import (
    DEFAULT_PROMPTS,
    FittedPrompt,
    Prompts,
    Summarizer,
    fenced,
    fit_prompt,
    prompt_limit,
    unheard,
)
from goalgraph.synthesis.parts import Gap, Part, gaps, parts
from goalgraph.synthesis.plain import Concatenate
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk, BaseMessage

__all__ = ["ModelSynthesizer"]

_MAX_GAPS = 50
"""Steps without a result that are listed one by one."""

_GOAL, _GAPS = "the goal", "the list of steps without a result"
_SUMMARY_TASK = "Write the answer to the goal from the results of all steps, of which the text is one."


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
        self._limit = prompt_limit(model, max_input_tokens)
        self._summarizes = summarize
        self._prompts = prompts or DEFAULT_PROMPTS

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Ask for the answer; its tokens stream to whoever listens to the model.

        Results too long for the window are summarised, where that is allowed, or else cut in the middle; ``degraded``
        says which.
        """
        found = parts(request)
        if not found:
            return Synthesis(answer="")
        fitted = await self._prompt(request.goal, found, gaps(request))
        (system, user), lost = fitted.messages, fitted.lost
        try:
            message = await self._answer(system, user)
        except ModelFailed as error:
            return await _unwritten(request, str(error))
        how = ending(message)
        if how in ("complete", "truncated") and message.text.strip():
            cut = ("the answer was cut at the model's token limit",) if how == "truncated" else ()
            return Synthesis(answer=message.text.strip(), degraded=(*lost, *cut), message_id=message.id)
        return await _unwritten(request, _because(how))

    @property
    def model_name(self) -> str:
        """Name of the model at its provider."""
        return model_name(self._model)

    @property
    def max_input_tokens(self) -> int:
        """Most tokens of the prompt."""
        return self._limit

    def prompt(self, request: SynthesisRequest) -> str:
        """Render what the model would be sent if nothing were too long for it; nothing is called."""
        texts, write = self._frame(request.goal, parts(request), gaps(request))
        return "\n\n".join(write(texts, {}))

    def _frame(
        self, goal: str, found: Sequence[Part], missing: Sequence[Gap]
    ) -> tuple[dict[str, str], Callable[[Mapping[str, str], Mapping[str, str]], tuple[str, str]]]:
        """Return the texts of the prompt, by name, and what writes it from them."""
        system = self._prompts.render("synthesize_system")
        texts = {_GOAL: goal}
        for part in found:
            texts |= {_task(part): part.task, _result(part): part.text}
            if part.notes:
                texts[_notes(part)] = "\n".join(part.notes)
        if missing:
            texts[_GAPS] = _listed(missing)

        def write(texts: Mapping[str, str], how: Mapping[str, str]) -> tuple[str, str]:
            shown = [_shown(part, texts, how) for part in found]
            gone = fenced(texts[_GAPS]) if missing else ""
            return system, self._prompts.render("synthesize", goal=fenced(texts[_GOAL]), parts=shown, missing=gone)

        return texts, write

    async def _prompt(self, goal: str, found: Sequence[Part], missing: Sequence[Gap]) -> FittedPrompt:
        name = model_name(self._model)
        texts, write = self._frame(goal, found, missing)
        summarizer = Summarizer(
            ask=partial(complete, unheard(self._model)),
            limit=self._limit,
            goal=goal,
            task=_SUMMARY_TASK,
            prompts=self._prompts,
            model_name=name,
        )
        return await fit_prompt(
            write,
            texts,
            self._limit,
            first=(_GOAL,),
            model_name=name,
            summarizer=summarizer if self._summarizes else None,
        )

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


def _task(part: Part) -> str:
    return f"the task of step {part.step!r}"


def _result(part: Part) -> str:
    return f"the result of step {part.step!r}"


def _notes(part: Part) -> str:
    return f"what step {part.step!r} says that it lacks"


def _shown(part: Part, texts: Mapping[str, str], how: Mapping[str, str]) -> dict[str, str]:
    return {
        "step": part.step,
        "task": fenced(texts[_task(part)]),
        "text": fenced(texts[_result(part)]),
        "notes": fenced(texts[_notes(part)]) if part.notes else "",
        "marks": "; ".join(filter(None, (part.weak, how.get(_result(part), "")))),
    }


def _listed(missing: Sequence[Gap]) -> str:
    lines = [f"- [{gap.step}] {' '.join(gap.reason.split())[:300]}" for gap in missing[:_MAX_GAPS]]
    rest = len(missing) - _MAX_GAPS
    return "\n".join([*lines, f"- and {rest} more"] if rest > 0 else lines)


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
