"""What a model is told: the specialist's template filled with the task, the figures and earlier results as data."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from goalgraph.errors import GoalgraphError
from goalgraph.models import complete
from goalgraph.prompts import render
from goalgraph.specialists.briefing import dependency_texts
from goalgraph.specialists.builtin.wording import one_line
from goalgraph.specialists.specialist import StepContext, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["fenced", "write_or", "write_text"]

_MAX_CHARACTERS = 60_000
_CLOSING = re.compile(r"</(?=(?:draft|findings|input|method|passages|profile|result)\b)", re.IGNORECASE)
_USER = "\n<!-- user -->\n"


async def write_text(template: str, model: "BaseChatModel", task: StepTask, context: StepContext, **data: str) -> str:
    """Have a model write a text.

    Args:
        template: Name of the template; what stands before its ``<!-- user -->`` line is the system's message.
        model: The chat model.
        task: Its instruction stands in the user's message word for word.
        context: Goal and dependencies; every dependency's output is in the message.
        data: Further values of the template, by name; each is fenced.

    Raises:
        ModelFailed: The model could not be called.
        GoalgraphError: It gave no usable text.
    """
    results = [fenced(f"result step={step}", text) for step, text in dependency_texts(context.dependencies).items()]
    values = {name: fenced(name, text) for name, text in data.items()}
    given = fenced("input", one_line(dict(task.input), 20_000)) if task.input else ""
    prompt = render(
        template, instruction=task.instruction, goal=context.goal, input=given, results="\n\n".join(results), **values
    )
    system, _, user = prompt.partition(_USER)
    text = (await complete(model, system.strip(), user.strip(), retries=not context.retried)).strip()
    if not text:
        raise GoalgraphError("the model's answer has no text", hint="try again, or use another model")
    return text


async def write_or(
    fallback: str, template: str, model: "BaseChatModel | None", task: StepTask, context: StepContext, **data: str
) -> tuple[str, tuple[str, ...]]:
    """Have a model write a text, or take the rules' text where there is no model or it fails.

    Returns:
        The text, and why it is less than was asked for: empty, or one line about the model's failure.
    """
    if model is None:
        return fallback, ()
    try:
        # Not tried again by anybody else: the step succeeds either way.
        return await write_text(template, model, task, replace(context, retried=False), **data), ()
    except GoalgraphError as error:
        return fallback, (f"the text was written by rules, since the model failed: {one_line(str(error), 200)}",)


def fenced(name: str, value: JsonValue) -> str:
    """Put data between tags, so that a model can tell it from instructions; a closing tag inside is broken."""
    text = value if isinstance(value, str) else one_line(value, _MAX_CHARACTERS)
    cut = len(text) - _MAX_CHARACTERS
    if cut > 0:
        text = f"{text[:_MAX_CHARACTERS]}\n[{cut} more characters are left out]"
    tag = name.split()[0]
    inside = _CLOSING.sub(r"<\\/", text)
    return f"<{name}>\n{inside}\n</{tag}>"
