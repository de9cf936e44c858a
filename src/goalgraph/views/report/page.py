"""The page itself: templates filled in, everything escaped, and a policy that lets nothing else run."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from html import unescape
from importlib.resources import files

from minijinja import Environment, safe

from goalgraph.views.marks import MARKS, Mark
from goalgraph.views.report.words import as_text, clock, count, span, tick, usd
from goalgraph.views.text import printable

__all__ = ["MARKER", "filled"]

MARKER = '<meta name="generator" content="goalgraph'
"""Stands in the first kilobyte of each report, by which one is known as such."""
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_STATES: Mapping[str, Mark] = {
    **MARKS,
    "waiting": Mark(sign="?", word="waits for an answer", tone="weak", style="yellow"),
    "complete": Mark(sign="✓", word="complete", tone="ok", style="green"),
    "degraded": Mark(sign="!", word="degraded", tone="weak", style="yellow"),
    "halted": Mark(sign="□", word="halted", tone="bad", style="red"),
    "interrupted": Mark(sign="□", word="interrupted", tone="weak", style="yellow"),
    "running": Mark(sign="○", word="not over", tone="off", style="dim"),
}
"""Of steps and of runs."""


def filled(values: Mapping[str, object], graph: str, answer: str) -> str:
    """Fill in the page.

    Args:
        values: By name, as the templates have them: text and data, which is escaped wherever it stands.
        graph: The plan, as an svg that may stand in a page.
        answer: HTML that may stand in a page.
    """
    css, js = (_texts()[name].strip() for name in ("report.css", "report.js"))
    styles = [css, *map(unescape, _STYLE.findall(graph))]
    page: str = _environment().render_template(
        "page.html",
        **values,
        css=safe(css),
        js=safe(js),
        styles=safe(" ".join(map(_digest, styles))),
        scripts=safe(_digest(js)),
        graph=safe(graph),
        answer=safe(answer),
    )
    return page


def _digest(text: str) -> str:
    """Name a style sheet or script by its content, as a Content-Security-Policy does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache(maxsize=1)
def _texts() -> Mapping[str, str]:
    folder = files("goalgraph.views.report").joinpath("templates")
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=_texts().get,
        undefined_behavior="strict",
        auto_escape_callback=lambda _name: "html",
        finalizer=_shown,
        filters={"span": span, "tick": tick, "clock": clock, "count": count, "usd": usd, "text": as_text},
        globals={"sign": _sign, "word": _word, "tone": _tone},
        trim_blocks=True,
        lstrip_blocks=True,
        debug=False,
    )


def _shown(value: object) -> object:
    """Take out of every text what turns its direction or steers a terminal; of nothing, show nothing."""
    if value is None:
        return ""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _sign(status: str) -> str:
    return _STATES[status].sign if status in _STATES else "○"


def _word(status: str) -> str:
    return _STATES[status].word if status in _STATES else status


def _tone(status: str) -> str:
    return _STATES[status].tone if status in _STATES else "off"
