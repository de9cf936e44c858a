"""The prompt that shows a model the goal and the results of all steps, within its window."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from goalgraph.models import complete, model_name
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
from goalgraph.synthesis.synthesizer import SynthesisRequest

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["ResultsPrompt"]

_MAX_GAPS = 50
"""Steps without a result that are listed one by one."""

_GOAL, _GAPS = "the goal", "the list of steps without a result"
_SUMMARY_TASK = "Write the answer to the goal from the results of all steps, of which the text is one."


class ResultsPrompt:
    """Writes the prompt; what is too long is summarised, where that is allowed, or else cut in the middle."""

    def __init__(
        self,
        model: "BaseChatModel",
        *,
        system: str,
        max_input_tokens: int | None = None,
        summarize: bool = False,
        prompts: Prompts | None = None,
    ) -> None:
        """Take the model, and the name of the template of the system's message.

        Raises:
            ValueError: ``max_input_tokens`` is not positive.
        """
        self.limit = prompt_limit(model, max_input_tokens)
        """Most tokens of the prompt."""
        self._model = model
        self._system = system
        self._summarizes = summarize
        self._prompts = prompts or DEFAULT_PROMPTS

    def whole(self, request: SynthesisRequest) -> str:
        """Render what the model would be sent if nothing were too long for it; nothing is called."""
        texts, write = self._frame(request.goal, parts(request), gaps(request))
        return "\n\n".join(write(texts, {}))

    async def fitted(self, request: SynthesisRequest, found: Sequence[Part]) -> FittedPrompt:
        """Write system's and user's message within the limit, and say what was lost."""
        name = model_name(self._model)
        texts, write = self._frame(request.goal, found, gaps(request))
        summarizer = Summarizer(
            ask=partial(complete, unheard(self._model)),
            limit=self.limit,
            goal=request.goal,
            task=_SUMMARY_TASK,
            prompts=self._prompts,
            model_name=name,
        )
        return await fit_prompt(
            write,
            texts,
            self.limit,
            first=(_GOAL,),
            model_name=name,
            summarizer=summarizer if self._summarizes else None,
        )

    def _frame(
        self, goal: str, found: Sequence[Part], missing: Sequence[Gap]
    ) -> tuple[dict[str, str], Callable[[Mapping[str, str], Mapping[str, str]], tuple[str, str]]]:
        """Return the texts of the prompt, by name, and what writes it from them."""
        system = self._prompts.render(self._system)
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
        "marks": "; ".join(filter(None, (*part.marks, how.get(_result(part), "")))),
    }


def _listed(missing: Sequence[Gap]) -> str:
    lines = [f"- [{gap.step}] {' '.join(gap.reason.split())[:300]}" for gap in missing[:_MAX_GAPS]]
    rest = len(missing) - _MAX_GAPS
    return "\n".join([*lines, f"- and {rest} more"] if rest > 0 else lines)
