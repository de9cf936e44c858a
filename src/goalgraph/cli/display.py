"""A run that is watched: lines that change on a terminal, or a new line for each event."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goalgraph.cli.progress import UNREVISED, StepLine, Track
from goalgraph.graph.events import Event, PlanRevised
from goalgraph.graph.policies import LOW_CONFIDENCE, ON_FAILURE
from goalgraph.planner.wording import KINDS
from goalgraph.views.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from goalgraph.cli.terminal import Terminal

__all__ = ["displayed", "plain_line", "planning", "shown", "table"]

_LASTING = ("revision_started", "plan_revised")
"""Events that stay on the screen above the lines that change."""
_REASONS = {ON_FAILURE: "failed", LOW_CONFIDENCE: "is not sure enough of its result"}
"""What the usual conditions of a revision mean."""
_MOST_CHANGES = 8

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
    from rich.text import Text

    def drawn() -> "Table":
        return table(track.lines, clock(), terminal.console.height - 2, signs=terminal.signs, title=planning(track))

    live = Live(console=terminal.console, get_renderable=drawn, refresh_per_second=8)

    def seen(event: Event) -> None:
        track.follow(event, clock())
        if event.get("step"):
            live.start()
        if event["type"] in _LASTING and (text := plain_line(event)) is not None:
            terminal.show(Text(text))

    try:
        yield seen
    finally:
        live.stop()


def planning(track: Track) -> str:
    """Say that a plan is being written; empty where there is one."""
    return "" if not track.draft else "Planning ..." if track.draft == 1 else f"Planning, draft {track.draft} ..."


def plain_line(event: Event) -> str | None:
    """Write an event as a line of text, a change of the plan with lines of its own; None where it is not worth one."""
    if event["type"] == "step_drafted":
        needs = f" (needs {one_line(', '.join(event['needs']), 80)})" if event["needs"] else ""
        return f"drafted {event['step']}{needs}: {one_line(event['title'])}{', begun' if event['early'] else ''}"
    if event["type"] == "revision_started":
        why = _REASONS.get(event["reason"]) or f"({one_line(event['reason'])})"
        return f"{event['step']} {why}: the plan is being revised"
    if event["type"] == "plan_revised":
        return _changed(event)
    if event["type"] == "step_started":
        return f"started {event['step']} ({one_line(KINDS.get(event['specialist'], event['specialist']))})"
    if event["type"] == "request":
        return f"asks {event['step'] or 'plan'}: {one_line(str(event['request'].get('prompt', '')))}"
    if event["type"] == "decision_made":
        by = f" (by {one_line(event['by'])})" if event["by"] else ""
        why = f": {one_line(event['rationale'])}" if event["rationale"].strip() else ""
        about = f"{event['kind']} of {event['step']}" if event["step"] else event["kind"]
        return f"decided {about}: {one_line(event['chosen'])}{by}{why}"
    if event["type"] == "step_finished":
        why = f": {one_line(event['error'])}" if "error" in event else ""
        return f"{event['status']} {event['step']} after {event['seconds']:.1f} s{why}"
    return None


def _changed(event: PlanRevised) -> str:
    """Say what became of a revision, with what is different."""
    why = f": {one_line(event['rationale'])}" if event["rationale"].strip() else ""
    if event["chosen"] != "revise":
        return f"not revised for {event['step']}, {UNREVISED[event['chosen']]}{why}"
    changes = event["diff"].splitlines()
    more = [f"and {len(changes) - _MOST_CHANGES} more changes"] if len(changes) > _MOST_CHANGES else []
    lines = [one_line(change, 160) for change in changes[:_MOST_CHANGES]]
    return "\n  ".join((f"revised for {event['step']}{why}", *lines, *more))


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


def table(lines: Mapping[str, StepLine], now: float, room: int, *, signs: bool, title: str = "") -> "Table":
    """Draw the lines as a table.

    Args:
        lines: By step id, in plan order.
        now: On the clock of their ``began``.
        room: Rows of the terminal.
        signs: Whether characters beyond ASCII can be shown.
        title: A line above them.
    """
    from rich.table import Table
    from rich.text import Text

    chosen, hidden = shown(tuple(lines.values()), room - 1 - bool(title))
    drawn = Table.grid(padding=(0, 1), expand=True)
    drawn.title, drawn.title_justify, drawn.title_style = title or None, "left", "bold"
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
