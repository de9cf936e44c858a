"""An answer in a form of the caller's: filled in by a model, or taken from the work where that fits it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from goalgraph.errors import (
    GoalgraphError,
    PlannerEmpty,
    PlannerError,
    PlannerFiltered,
    PlannerInvalid,
    PlannerRefused,
    PlannerTruncated,
)
from goalgraph.models import model_name
from goalgraph.planner.outcome import text_of
from goalgraph.planner.repairing import Question, Refused, ask_until_usable, problems_of
from goalgraph.planner.source import Source
from goalgraph.planner.structured import ask_for_json
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, unheard
from goalgraph.synthesis.parts import ends, parts
from goalgraph.synthesis.plain import Concatenate, synthesized
from goalgraph.synthesis.prompting import ResultsPrompt
from goalgraph.synthesis.response_format import ResponseFormat
from goalgraph.synthesis.sources import source_of
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest, Synthesizer

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["StructuredSynthesizer"]

_MAX_PROBLEMS = 5

_ENDINGS: Mapping[type[PlannerError], str] = {
    PlannerTruncated: "its answer was cut at the model's token limit",
    PlannerFiltered: "a content filter stopped its answer",
    PlannerRefused: "it refused",
    PlannerEmpty: "its answer was empty",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """The answer in its form, or why there is none."""

    value: JsonValue = None
    degraded: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


class StructuredSynthesizer:
    """Writes the answer in a form, beside its text.

    What another synthesizer gives as JSON counts where it fits; else the model fills the form in from the results of
    all steps; without a model it is the output of the last step that fits. Where none of it does, the answer is
    degraded, ``structured`` is None, and the text is there all the same.
    """

    def __init__(
        self,
        form: ResponseFormat,
        *,
        text: Synthesizer | None = None,
        model: "BaseChatModel | None" = None,
        max_input_tokens: int | None = None,
        max_repairs: int = 2,
        prompts: Prompts | None = None,
    ) -> None:
        """Take form and model.

        Args:
            form: What the answer is to fit.
            text: Writes the text; None: it is that of the filled form.
            model: Any chat model. Those who listen to a graph's messages do not hear it: JSON that is still being
                written, and may yet be refused, is nobody's answer.
            max_input_tokens: Of the prompt, as for `ModelSynthesizer`.
            max_repairs: How often, after a first answer that does not fit, it is asked again.
            prompts: Whose ``structured_system``, ``synthesize`` and ``structured_repair`` it is told; None: the
                built-in ones.

        Raises:
            ValueError: ``max_input_tokens`` is not positive, or ``max_repairs`` is negative.
        """
        if max_repairs < 0:
            raise ValueError(f"max_repairs must be 0 or more, found {max_repairs!r}")
        self.text = text
        """Who writes the text."""
        self.form = form
        """What the answer is to fit."""
        self._prompts = prompts or DEFAULT_PROMPTS
        self._model = model
        self._max_repairs = max_repairs
        self._results = None
        if model is not None:
            self._results = ResultsPrompt(
                model, system="structured_system", max_input_tokens=max_input_tokens, prompts=prompts
            )

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Write the text, where that is another's to write, and fill the form in."""
        if self.text is None:
            filled = await self._filled(request)
            if filled.value is None:
                plain = await Concatenate().synthesize(request)
                return replace(plain, degraded=(*plain.degraded, *filled.degraded))
            return Synthesis(
                answer=text_of(filled.value),
                structured=filled.value,
                degraded=filled.degraded,
                sources=filled.sources,
            )
        return await self._with_form(await synthesized(self.text, request), request)

    async def of_output(self, value: JsonValue, taken: Synthesis, request: SynthesisRequest) -> Synthesis:
        """Add the form to the answer that is the plan's own output: that output where it fits, else as ever."""
        return await self._with_form(replace(taken, structured=value), request)

    async def _with_form(self, written: Synthesis, request: SynthesisRequest) -> Synthesis:
        lost: tuple[str, ...] = ()
        if written.structured is not None:
            value, problems = self.form.read(written.structured)
            if not problems:
                return replace(written, structured=value)
            if self._model is None:
                told = [str(problem) for problem in problems[:_MAX_PROBLEMS]]
                lost = (f"what was given as the structured answer does not fit: {'; '.join(told)}",)
        filled = await self._filled(request)
        if filled.value is not None:
            lost = ()
        sources = written.sources or filled.sources
        degraded = (*written.degraded, *lost, *filled.degraded)
        return replace(written, structured=filled.value, degraded=degraded, sources=sources)

    async def _filled(self, request: SynthesisRequest) -> _Filled:
        found = parts(request)
        if not found:
            return _Filled(degraded=("there is no structured answer: no step has a result",))
        if self._model is None or self._results is None:
            return self._last(request)
        system, user = "", ""
        lost: Sequence[str] = ()
        try:
            fitted = await self._results.fitted(request, found)
            (system, user), lost = fitted.messages, fitted.lost
            value = await self._asked(self._model, system, user)
        except GoalgraphError as error:
            return _Filled(degraded=(*lost, f"there is no structured answer: {_because(error)}"))
        return _Filled(value=value, degraded=tuple(lost), sources=tuple(map(source_of, found)))

    async def _asked(self, model: "BaseChatModel", system: str, user: str) -> JsonValue:
        quiet, form = unheard(model), self.form
        return await ask_until_usable(
            Question(system=system, user=user, repair="structured_repair", max_repairs=self._max_repairs),
            lambda messages: ask_for_json(quiet, messages, form.schema, strict=form.is_strict),
            form.read,
            prompts=self._prompts,
            on_refused=_passed_over,
        )

    def _last(self, request: SynthesisRequest) -> _Filled:
        """Take the output of the last step that the plan leads to, where it fits."""
        at_end = parts(request, ends(request.plan))
        if at_end:
            value, problems = self.form.read(request.outcomes[at_end[-1].step].output)
            if not problems:
                return _Filled(value=value, sources=(source_of(at_end[-1]),))
        reason = (
            "there is no structured answer: no model could fill it in, and the output of the last step does not fit"
        )
        return _Filled(degraded=(reason,))

    @property
    def model_name(self) -> str | None:
        """Name at its provider of the model that fills the form in; None without one."""
        return None if self._model is None else model_name(self._model)

    @property
    def max_input_tokens(self) -> int:
        """Most tokens of the prompt; 0 without a model."""
        return self._results.limit if self._results is not None else 0

    def prompt(self, request: SynthesisRequest) -> str:
        """Render what the model would be sent if nothing were too long for it; nothing is called."""
        return self._results.whole(request) if self._results is not None else ""


def _passed_over(_refused: Refused) -> None:
    """Keep no record: what comes of the repairs is in the answer."""


def _because(error: GoalgraphError) -> str:
    if isinstance(error, PlannerInvalid):
        problems, more = problems_of(error)
        rest = len(problems) - _MAX_PROBLEMS + more
        told = "; ".join(problems[:_MAX_PROBLEMS])
        return f"what the model filled in does not fit: {told}" + (f"; and {rest} more" if rest > 0 else "")
    ended = _ENDINGS.get(type(error)) if isinstance(error, PlannerError) else None
    return f"the model gave none: {ended}" if ended else str(error)
