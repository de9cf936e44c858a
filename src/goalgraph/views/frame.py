"""What there is to see of a run at one moment: a line about the whole, and the steps that fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from goalgraph.graph.events import Used
from goalgraph.views.progress import AT_WORK, StepLine, Track
from goalgraph.views.text import one_line

__all__ = ["Frame", "Row", "frame", "frame_text", "shown"]

_MOST_ASKING = 5
_SIGNS = {
    "waiting": ("·", "."),
    "running": ("▸", ">"),
    "asking": ("?", "?"),
    "succeeded": ("✓", "+"),
    "failed": ("✗", "x"),
    "blocked": ("✗", "x"),
    "cancelled": ("✗", "x"),
    "skipped": ("–", "-"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A step; all texts are single lines without control characters."""

    status: str
    sign: str
    ascii_sign: str
    id: str
    who: str
    seconds: str
    """With its unit; empty where its time does not count."""
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A run at one moment."""

    head: str
    rows: tuple[Row, ...]
    """In plan order."""
    hidden: int
    """How many steps are left out."""
    done: int
    failed: int
    total: int


def frame(track: Track, now: float, room: int) -> Frame:
    """Look at a run.

    Args:
        track: Follows it; another thread may change it meanwhile.
        now: On the clock of the track, in seconds.
        room: Lines there are, the head's included.
    """
    with track.lock:
        lines = tuple(track.lines.values())
        fitting, hidden = shown(lines, room - 1)
        if hidden:
            fitting, hidden = shown(lines, room - 2)
        return Frame(
            head=_head(track, now),
            rows=tuple(_row(line, now) for line in fitting),
            hidden=hidden,
            done=track.done,
            failed=_failed(track),
            total=len(lines),
        )


def shown(lines: Sequence[StepLine], room: int) -> tuple[list[StepLine], int]:
    """Choose the lines that fit: all of them, or first what runs or asks, then what failed, then what comes next.

    Returns:
        The lines in plan order, and how many are left out.
    """
    if len(lines) <= room:
        return list(lines), 0
    ranks = {"running": 0, "asking": 0, "failed": 1, "waiting": 2}
    places = sorted(range(len(lines)), key=lambda place: (ranks.get(lines[place].status, 3), place))
    return [lines[place] for place in sorted(places[: max(room, 1)])], len(lines) - max(room, 1)


def frame_text(frame: Frame) -> str:
    """Write it as plain text."""
    rows = (
        " ".join(filter(None, (row.ascii_sign, row.id, f"[{row.who}]" if row.who else "", row.seconds, row.remark)))
        for row in frame.rows
    )
    return "\n".join([frame.head, *rows, *([f"and {frame.hidden} more"] if frame.hidden else [])])


def _row(line: StepLine, now: float) -> Row:
    seconds = now - line.began if line.status == "running" else line.seconds
    sign, ascii_sign = _SIGNS[line.status]
    return Row(
        status=line.status,
        sign=sign,
        ascii_sign=ascii_sign,
        id=one_line(line.id),
        who=one_line(line.specialist, 40),
        seconds=f"{seconds:.1f} s" if line.status not in ("waiting", "asking") else "",
        remark=one_line(line.remark, 100),
    )


def _failed(track: Track) -> int:
    return sum(1 for line in track.lines.values() if line.status in ("failed", "blocked", "cancelled"))


def _head(track: Track, now: float) -> str:
    figures = [
        _steps(track),
        _span(now - track.began) if track.began is not None else "",
        *_spent(track.usage),
    ]
    state, told = _state(track), ", ".join(filter(None, figures))
    words = [state + (" " if state.endswith("...") else ": ") * bool(told) + told]
    if track.asking and track.status != "stopped":
        names = [f"{one_line(step, 60)}" if step else "the plan" for step in track.asking]
        more = f" and {len(names) - _MOST_ASKING} more" if len(names) > _MOST_ASKING else ""
        words.append(f"waits for an answer: {', '.join(names[:_MOST_ASKING])}{more}")
    return "; ".join(words)


def _state(track: Track) -> str:
    if track.status is not None:
        return track.status.capitalize()
    if track.draft > 1:
        return f"Planning, draft {track.draft} ..."
    if track.draft or not track.lines:
        return "Planning ..."
    if any(line.revising for line in track.lines.values()):
        return "Revising the plan ..."
    if all(line.status not in AT_WORK for line in track.lines.values()):
        return "Writing the answer ..."
    return "Running"


def _steps(track: Track) -> str:
    count = len(track.lines)
    if track.draft:
        return f"{count} step{'' if count == 1 else 's'} so far"
    failed = _failed(track)
    return f"{track.done} of {count} steps done" + (f", {failed} failed" if failed else "") if count else ""


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _spent(used: Used) -> list[str]:
    if not used["calls"]:
        return []
    parts = [f"{used['tokens']:,} tokens"]
    unpriced = used.get("unpriced_calls", 0)
    if "cost_usd" in used:
        parts.append(f"{'at least ' if unpriced else ''}${used['cost_usd']:.4f}")
    elif unpriced:
        parts.append("cost unknown")
    return parts
