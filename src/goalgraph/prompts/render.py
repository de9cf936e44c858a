"""Render a prompt template; a value too few or too many is an error."""

import re
from functools import lru_cache
from importlib.resources import files

from minijinja import Environment, TemplateError

from goalgraph.errors import InvalidPrompt

__all__ = ["fenced", "render"]


def render(name: str, /, **values: object) -> str:
    """Fill in the template ``prompts/templates/<name>.md``.

    Values are data: braces inside of them are not evaluated.

    Args:
        name: File name of the template, without ``.md``.
        values: Exactly the values that the template names.

    Returns:
        The text, without white space at its ends.

    Raises:
        InvalidPrompt: There is no such template, a value is missing or surplus, or one of them has the wrong shape.
    """
    wanted = _wanted(name)
    missing, surplus = sorted(wanted - values.keys()), sorted(values.keys() - wanted)
    if missing or surplus:
        found = [f"{word} {names}" for word, names in (("missing", missing), ("surplus", surplus)) if names]
        raise InvalidPrompt(
            f"prompt {name!r} takes the values {sorted(wanted)}; {' and '.join(found)}",
            hint="pass exactly the values that the template names",
        )
    try:
        return _environment().render_template(name, **values).strip()
    except TemplateError as error:
        raise InvalidPrompt(f"prompt {name!r} cannot be rendered: {_one_line(error)}") from error


def fenced(text: str) -> str:
    """Put a text between lines of backticks, more of them than it has in a row itself: it cannot end the fence."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=_source,
        undefined_behavior="strict",
        auto_escape_callback=lambda _name: False,
        trim_blocks=True,
        lstrip_blocks=True,
        debug=False,
    )


@lru_cache(maxsize=64)
def _wanted(name: str) -> frozenset[str]:
    try:
        return frozenset(_environment().undeclared_variables_in_template(name))
    except TemplateError as error:
        raise InvalidPrompt(f"prompt {name!r} cannot be read: {_one_line(error)}") from error


def _source(name: str) -> str | None:
    template = files("goalgraph.prompts").joinpath("templates", f"{name}.md")
    return (
        template.read_text(encoding="utf-8") if re.fullmatch(r"[A-Za-z0-9_-]+", name) and template.is_file() else None
    )


def _one_line(error: TemplateError) -> str:
    return " ".join(str(error).split())
