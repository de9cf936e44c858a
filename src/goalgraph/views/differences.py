"""What is different between two plans, for notebooks and terminals: a line for each difference, its sign in colour."""

from html import escape

from rich.text import Text

from goalgraph.planner.diff import PlanDiff
from goalgraph.views.text import visible

__all__ = ["diff_drawn", "diff_html"]

_STYLES = {"+": "green", "-": "red", "~": "yellow"}
_TONES = {"+": "ok", "-": "bad", "~": "weak"}
_SAME = "The plans are the same."


def diff_html(diff: PlanDiff) -> str:
    """Write the differences as a block for each; their colours are those of the view around them."""
    lines = visible(diff.text).splitlines() or [_SAME]
    return "\n".join(
        f'<div class="gg-pre gg-line-{_TONES.get(line[:1], "off")}">{escape(line)}</div>' for line in lines
    )


def diff_drawn(diff: PlanDiff) -> Text:
    """Draw the differences."""
    lines = visible(diff.text).splitlines() or [_SAME]
    return Text("\n").join(Text(line, style=_STYLES.get(line[:1], "")) for line in lines)
