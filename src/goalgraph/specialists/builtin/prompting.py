"""What a model is told: the specialist's template filled with the task, the figures and earlier results as data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from goalgraph.errors import GoalgraphError
from goalgraph.models import complete, model_name
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, Summarizer, fit_prompt, prompt_limit, tagged, unheard
from goalgraph.specialists.briefing import dependency_texts, input_text, result_of
from goalgraph.specialists.builtin.wording import one_line
from goalgraph.specialists.specialist import StepContext, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Writer", "Written", "write_or", "writer_of"]

_TASK, _GOAL, _INPUT = "the task", "the goal", "the input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A text, and what it lacks."""

    text: str
    lacking: tuple[str, ...] = ()
    """A sentence for each thing that the model was not shown as a whole, or for its failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes texts with a chat model, from a template and from data that is shortened where the model's window ends."""

    model: "BaseChatModel"
    prompts: Prompts = DEFAULT_PROMPTS
    max_input_tokens: int | None = None
    """Of a prompt; None: three quarters of the model's window, see `goalgraph.prompts.prompt_limit`."""
    summarize: bool = False
    """Whether the model may summarise what is too long, in further calls, before it is cut."""

    def __post_init__(self) -> None:
        if self.max_input_tokens is not None and self.max_input_tokens < 1:
            raise ValueError(f"max_input_tokens must be 1 or more, found {self.max_input_tokens!r}")

    async def write(self, template: str, task: StepTask, context: StepContext, **data: str | int) -> Written:
        """Have the model write a text.

        Args:
            template: Name of the template; what stands before its ``<!-- user -->`` line is the system's message.
            task: Its instruction stands in the user's message word for word.
            context: Goal and dependencies; every dependency's output is in the message.
            data: Further values of the template, by name: texts are fenced, numbers stand as they are.

        Raises:
            ModelFailed: The model could not be called.
            GoalgraphError: It gave no usable text.
        """
        limit, name = prompt_limit(self.model, self.max_input_tokens), model_name(self.model)
        results = {result_of(step): text for step, text in dependency_texts(context.dependencies).items()}
        shown = {_said(key): value for key, value in data.items() if isinstance(value, str)}
        given = {_INPUT: input_text(task)} if task.input else {}

        def write(texts: Mapping[str, str], _how: Mapping[str, str]) -> tuple[str, str]:
            return self.prompts.messages(
                template,
                instruction=texts[_TASK],
                goal=tagged("goal", texts[_GOAL]),
                input=tagged("input", texts[_INPUT]) if task.input else "",
                results="\n\n".join(
                    tagged("result", texts[result_of(step)], step=step) for step in context.dependencies
                ),
                **{
                    key: tagged(key, texts[_said(key)]) if isinstance(value, str) else value
                    for key, value in data.items()
                },
            )

        fitted = await fit_prompt(
            write,
            {_TASK: task.instruction, _GOAL: context.goal, **given, **results, **shown},
            limit,
            first=(_TASK, _GOAL),
            model_name=name,
            summarizer=self._summarizer(task, context, limit, name) if self.summarize else None,
        )
        system, user = fitted.messages
        text = (await complete(self.model, system, user, retries=not context.retried)).strip()
        if not text:
            raise GoalgraphError("the model's answer has no text", hint="try again, or use another model")
        return Written(text=text, lacking=fitted.lost)

    def _summarizer(self, task: StepTask, context: StepContext, limit: int, name: str) -> Summarizer:
        return Summarizer(
            ask=partial(complete, unheard(self.model), retries=not context.retried),
            limit=limit,
            goal=context.goal,
            task=task.instruction,
            prompts=self.prompts,
            model_name=name,
        )


async def write_or(
    fallback: str, template: str, writer: Writer | None, task: StepTask, context: StepContext, **data: str | int
) -> Written:
    """Have a model write a text, or take the rules' text where there is no model or it fails."""
    if writer is None:
        return Written(text=fallback)
    try:
        # Not tried again by anybody else: the step succeeds either way.
        return await writer.write(template, task, replace(context, retried=False), **data)
    except GoalgraphError as error:
        why = f"the text was written by rules, since the model failed: {one_line(str(error), 200)}"
        return Written(text=fallback, lacking=(why,))


def writer_of(
    model: "BaseChatModel | None", prompts: Prompts | None, max_input_tokens: int | None, *, summarize: bool
) -> Writer | None:
    """Return the writer that a specialist's arguments stand for; None without a model.

    Args:
        model: The chat model.
        prompts: None: the built-in ones.
        max_input_tokens: As for `Writer`.
        summarize: As for `Writer`.

    Raises:
        ValueError: ``max_input_tokens`` is not positive.
    """
    if model is None:
        return None
    return Writer(
        model=model, prompts=prompts or DEFAULT_PROMPTS, max_input_tokens=max_input_tokens, summarize=summarize
    )


def _said(name: str) -> str:
    """Name a value of the template to whoever is told that it was too long."""
    return f"the text {name!r} of its prompt"
