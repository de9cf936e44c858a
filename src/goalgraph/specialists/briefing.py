"""A step's work as one text, for specialists that take nothing but text."""

import json
from collections.abc import Mapping

from goalgraph.planner.outcome import Outcome, text_of
from goalgraph.prompts import FittedPrompt, Summarizer, fit_prompt, tagged
from goalgraph.specialists.specialist import StepContext, StepTask

__all__ = ["brief", "dependency_texts", "fitted_brief", "input_text", "result_of"]

_TASK, _INPUT = "the task", "the input"


def brief(task: StepTask, context: StepContext) -> str:
    """Write instruction, input and the dependencies' outputs as one text; data is fenced and named as such."""
    return _written(_texts(task, context), context)


async def fitted_brief(
    task: StepTask,
    context: StepContext,
    limit: int,
    *,
    system: str = "",
    model_name: str | None = None,
    summarizer: Summarizer | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Write a brief for a model that takes no more than so many tokens.

    The task gives way last; input and outputs share what it leaves, see `goalgraph.prompts.fit_prompt`.

    Args:
        task: The work.
        context: What surrounds it.
        limit: Tokens of the whole prompt.
        system: Message that goes before it, and is left as it is.
        model_name: As for `goalgraph.prompts.count_tokens`.
        summarizer: Shortens what is too long; without it, it is cut.

    Returns:
        The brief, and a sentence for each part of it that is not whole.
    """

    def write(texts: Mapping[str, str], _how: Mapping[str, str]) -> tuple[str, ...]:
        text = _written(texts, context)
        return (system, text) if system else (text,)

    fitted: FittedPrompt = await fit_prompt(
        write, _texts(task, context), limit, first=(_TASK,), model_name=model_name, summarizer=summarizer
    )
    return fitted.messages[-1], fitted.lost


def dependency_texts(dependencies: Mapping[str, Outcome]) -> dict[str, str]:
    """Each dependency's output as text; what did not succeed says so in place of an output."""
    return {
        step: text_of(outcome.output)
        if outcome.status == "succeeded"
        else f"[{outcome.status}{': ' + outcome.error.message if outcome.error else ''}]"
        for step, outcome in dependencies.items()
    }


def input_text(task: StepTask) -> str:
    """Write a step's arguments as JSON; empty where it has none."""
    return json.dumps(dict(task.input), ensure_ascii=False, indent=1) if task.input else ""


def result_of(step: str) -> str:
    """Name a step's output to whoever is told that it was too long."""
    return f"the result of step {step!r}"


def _texts(task: StepTask, context: StepContext) -> dict[str, str]:
    results = dependency_texts(context.dependencies)
    given = {_INPUT: input_text(task)} if task.input else {}
    return {_TASK: task.instruction, **given, **{result_of(step): text for step, text in results.items()}}


def _written(texts: Mapping[str, str], context: StepContext) -> str:
    parts = [texts[_TASK]]
    if _INPUT in texts:
        parts.append(tagged("input", texts[_INPUT]))
    parts += [tagged("result", texts[result_of(step)], step=step) for step in context.dependencies]
    return "\n\n".join(parts)
