"""Data of a prompt, set apart so that no text in it can pass for a part of the prompt."""

import re
from functools import lru_cache

__all__ = ["fenced", "tagged"]

_TAGS = (
    *(
        "draft",
        "failure",
        "findings",
        "goal",
        "input",
        "method",
        "packages",
        "passages",
        "profile",
        "program",
        "result",
    ),
    *("schema", "task", "text"),
)
"""Names of all tags that the prompts use."""


def fenced(text: str) -> str:
    """Put a text between lines of backticks, more of them than it has in a row itself: it cannot end the fence."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def tagged(tag: str, text: str, *, step: str | None = None) -> str:
    """Put a text between tags; what would close one of the prompts' tags inside of it is broken by a backslash.

    Args:
        tag: One word, such as ``"result"``.
        text: The data.
        step: Id of the step it comes from, as the tag's attribute.
    """
    inside = _closing(tag).sub(r"<\\", text)
    attribute = "" if step is None else f' step="{step}"'
    return f"<{tag}{attribute}>\n{inside}\n</{tag}>"


@lru_cache(maxsize=64)
def _closing(tag: str) -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in sorted({tag, *_TAGS}))
    return re.compile(rf"<(?=\s*/\s*(?:{names})\b)", re.IGNORECASE)
