"""How the states of steps look in every view: a sign, a word, a colour; each says the same without the others."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from goalgraph.planner.outcome import Outcome

__all__ = ["COLOURS", "MARKS", "Mark", "counted", "css_colour", "mark_of", "seconds_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How one state looks."""

    sign: str
    word: str
    tone: str
    """Name of a colour in `COLOURS`."""
    style: str
    """Of rich."""


MARKS: Mapping[str, Mark] = {
    "succeeded": Mark(sign="✓", word="succeeded", tone="ok", style="green"),
    "failed": Mark(sign="✗", word="failed", tone="bad", style="bold red"),
    "blocked": Mark(sign="⊘", word="blocked", tone="bad", style="red"),
    "cancelled": Mark(sign="□", word="cancelled", tone="weak", style="yellow"),
    "skipped": Mark(sign="–", word="skipped", tone="off", style="dim"),
    "open": Mark(sign="○", word="not over", tone="off", style="dim"),
}
"""By the status of an outcome; ``open``: there is none yet."""

COLOURS: Mapping[str, tuple[str, str]] = {
    "text": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9198a1"),
    "box": ("#ffffff", "#161b22"),
    "line": ("#afb8c1", "#484f58"),
    "edge": ("#818b98", "#7d8590"),
    "ok": ("#1a7f37", "#3fb950"),
    "bad": ("#cf222e", "#f85149"),
    "weak": ("#9a6700", "#d29922"),
    "off": ("#818b98", "#7d8590"),
    "gate": ("#8250df", "#a371f7"),
}
"""Each colour on light and on dark ground. A page sets its own by CSS variables: ``--gg-ok: #00aa55``."""


def css_colour(name: str, *, dark: bool = False) -> str:
    """Return a colour for CSS: the surrounding page's, or the library's own."""
    return f"var(--gg-{name}, {COLOURS[name][dark]})"


def mark_of(outcome: Outcome | None) -> Mark:
    """Return how the state of a step looks."""
    return MARKS["open" if outcome is None else outcome.status]


def counted(outcomes: Iterable[Outcome | None]) -> list[tuple[int, Mark]]:
    """Count steps by state, in the order of `MARKS`."""
    found = Counter("open" if one is None else one.status for one in outcomes)
    return [(found[status], mark) for status, mark in MARKS.items() if found[status]]


def seconds_text(seconds: float) -> str:
    """Write a duration briefly: ``4 ms``, ``0.4 s``, ``12 s``, ``3 m 20 s``, ``2 h 05 m``."""
    if seconds < 0.095:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} m"
