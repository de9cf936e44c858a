"""A result as Markdown, for notebooks and pages that take it."""

import re
from collections.abc import Mapping
from typing import Any

from goalgraph.graph.humans.markdown import escaped
from goalgraph.views.standing import standing_of
from goalgraph.views.text import visible

__all__ = ["result_markdown"]

_LIVE = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
"""What begins HTML, and what loads a picture from wherever it says."""


def result_markdown(values: Mapping[str, Any]) -> str:
    """Write how a run stands, and its answer.

    The answer stays the Markdown that it is, but for HTML and pictures: they show as text.

    Args:
        values: Of the run's state, or a result.
    """
    found = standing_of(values)
    goal = f": {escaped(found.goal, 300)}" if found.goal else ""
    parts = [f"**{found.mark.sign} {found.head}**{goal}", "\n".join(f"- {escaped(one, 400)}" for one in found.reasons)]
    for one in found.asked:
        quoted = "\n".join(f"> {escaped(line, 400)}" for line in one.prompt.splitlines())
        parts.append(f"**{escaped(one.about)}**\n\n{quoted}")
    if found.way_on:
        parts.append("\n".join(("```python", *found.way_on, "```")))
    parts.append(_LIVE.sub(lambda found: "&lt;" if found[0] == "<" else "&#33;", visible(found.answer)))
    parts.append("; ".join(f"{name}: {escaped(value)}" for name, value in found.totals))
    return "\n\n".join(filter(None, parts))
