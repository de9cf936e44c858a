"""A run at one moment as rich draws it on a terminal."""

from typing import Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from goalgraph.views.frame import Frame

__all__ = ["frame_table"]

_STYLES = {
    "waiting": "dim",
    "running": "bold yellow",
    "asking": "bold cyan",
    "succeeded": "green",
    "failed": "bold red",
    "blocked": "red",
    "cancelled": "red",
    "skipped": "dim",
}


def frame_table(frame: Frame, *, signs: bool) -> Group:
    """Draw it: the head, a row for each step that is shown, and how many are not.

    Args:
        frame: The moment.
        signs: Whether characters beyond ASCII can be shown.
    """
    cut: Literal["ellipsis", "crop"] = "ellipsis" if signs else "crop"

    def text(words: str, style: str = "") -> Text:
        plain = words if signs else words.encode("ascii", "replace").decode()
        return Text(plain, style=style, no_wrap=True, overflow=cut)

    rows = Table.grid(padding=(0, 1), expand=True)
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True, overflow=cut, style="cyan")
    rows.add_column(no_wrap=True, overflow=cut, style="magenta")
    rows.add_column(no_wrap=True, justify="right")
    rows.add_column(no_wrap=True, overflow=cut, style="dim", ratio=1)  # the first to give way
    for row in frame.rows:
        rows.add_row(
            Text(row.sign if signs else row.ascii_sign, style=_STYLES[row.status]),
            text(row.id),
            text(row.who),
            Text(row.seconds),
            text(row.remark),
        )
    if frame.hidden:
        rows.add_row("", text(f"and {frame.hidden} more", "dim"), "", "", "")
    return Group(text(frame.head, "bold"), *([rows] if frame.rows else []))
