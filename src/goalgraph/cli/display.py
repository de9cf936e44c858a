"""A run that is watched: lines that change on a terminal, or a new line for each event."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goalgraph.cli.progress import StepLine, Track
from goalgraph.graph.events import Event
from goalgraph.planner.wording import KINDS
from goalgraph.views.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from goalgraph.cli.terminal import Terminal

__all__ = ["displayed", "plain_line", "shown", "table"]

_SIGNS = {
    "waiting": ("·", "."),
    "running": ("▸", ">"),
    "succeeded": ("✓", "+"),
    "failed": ("✗", "x"),
    "blocked": ("✗", "x"),
    "cancelled": ("✗", "x"),
    "skipped": ("–", "-"),
}
_STYLES = {
    "waiting": "dim",
    "running": "bold yellow",
    "succeeded": "green",
    "failed": "bold red",
    "blocked": "red",
    "cancelled": "red",
    "skipped": "dim",
}


@contextmanager
def displayed(track: Track, terminal: "Terminal", clock: Callable[[], float]) -> Generator[Callable[[Event], None]]:
    """Show a run while it goes on, from the first event of a step on.

    Args:
        track: Follows the run.
        terminal: Where it is shown.
        clock: In seconds; only goes forward.

    Yields:
        What to call with every event.
    """
    if not terminal.rich:

        def told(event: Event) -> None:
            track.follow(event, clock())
            if (text := plain_line(event)) is not None:
                terminal.line(text)

        yield told
        return

    from rich.live import Live

    def drawn() -> "Table":
        return table(track.lines, clock(), terminal.console.height - 2, signs=terminal.signs)

    live = Live(console=terminal.console, get_renderable=drawn, refresh_per_second=8)

    def seen(event: Event) -> None:
        track.follow(event, clock())
        if event.get("step"):
            live.start()

    try:
        yield seen
    finally:
        live.stop()


def plain_line(event: Event) -> str | None:
    """Write an event as one line of text; None for one that is not worth a line."""
    if event["type"] == "step_started":
        return f"started {event['step']} ({one_line(KINDS.get(event['specialist'], event['specialist']))})"
    if event["type"] == "request":
        return f"asks {event['step'] or 'plan'}: {one_line(str(event['request'].get('prompt', '')))}"
    if event["type"] == "step_finished":
        why = f": {one_line(event['error'])}" if "error" in event else ""
        return f"{event['status']} {event['step']} after {event['seconds']:.1f} s{why}"
    return None


def shown(lines: Sequence[StepLine], room: int) -> tuple[list[StepLine], int]:
    """Choose the lines that fit: all of them, or first what runs, then what failed, then what comes next.

    Returns:
        The lines in plan order, and how many are left out.
    """
    if len(lines) <= room:
        return list(lines), 0
    ranks = {"running": 0, "failed": 1, "waiting": 2}
    places = sorted(range(len(lines)), key=lambda place: (ranks.get(lines[place].status, 3), place))
    return [lines[place] for place in sorted(places[: max(room, 1)])], len(lines) - max(room, 1)


def table(lines: Mapping[str, StepLine], now: float, room: int, *, signs: bool) -> "Table":
    """Draw the lines as a table.

    Args:
        lines: By step id, in plan order.
        now: On the clock of their ``began``.
        room: Rows of the terminal.
        signs: Whether characters beyond ASCII can be shown.
    """
    from rich.table import Table
    from rich.text import Text

    chosen, hidden = shown(tuple(lines.values()), room - 1)
    drawn = Table.grid(padding=(0, 1), expand=True)
    drawn.add_column(no_wrap=True)
    drawn.add_column(no_wrap=True, overflow="ellipsis", style="cyan")
    drawn.add_column(no_wrap=True, overflow="ellipsis", style="magenta")
    drawn.add_column(no_wrap=True, justify="right")
    drawn.add_column(no_wrap=True, overflow="ellipsis", style="dim", ratio=1)  # the first to give way
    for line in chosen:
        seconds = now - line.began if line.status == "running" else line.seconds
        drawn.add_row(
            Text(_SIGNS[line.status][0 if signs else 1], style=_STYLES[line.status]),
            line.id,
            one_line(line.specialist, 40),
            f"{seconds:.1f} s" if line.status != "waiting" else "",
            one_line(line.remark, 100),
        )
    if hidden:
        done = sum(1 for line in lines.values() if line.status not in ("waiting", "running"))
        drawn.add_row("", Text(f"{done} of {len(lines)} steps done", style="dim"), "", "", "")
    return drawn
