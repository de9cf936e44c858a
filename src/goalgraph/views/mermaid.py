"""A plan as a flowchart in Mermaid's language, for Markdown pages that draw it."""

from collections.abc import Collection, Mapping

from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
from goalgraph.views.chart import Box, chart_of
from goalgraph.views.marks import COLOURS, seconds_text
from goalgraph.views.text import one_line, visible

__all__ = ["plan_mermaid"]

_MOST = 40
"""Boxes: Mermaid draws at most 500 lines, and what is reduced of so many boxes has at most 400 (Mantel)."""
_MOST_NAME, _MOST_WHO = 60, 40
_WIDE = 5
_SHAPES = {
    "human_approval": ("[/", "/]"),
    "human_input": ("[/", "/]"),
    "condition": ("{{", "}}"),
    "parallel": ("([", "])"),
    "wait": ("([", "])"),
    "map": ("[[", "]]"),
    "fold": ("[[", "]]"),
    "sub_plan": ("[[", "]]"),
    "transform": ("(", ")"),
}
_STYLES = {
    "ok": "stroke-width:2px",
    "bad": "stroke-width:3px",
    "weak": "stroke-width:2px,stroke-dasharray:6 3",
    "off": "stroke-dasharray:2 3",
}


def plan_mermaid(
    plan: Plan,
    outcomes: Mapping[str, Outcome] | None = None,
    *,
    doers: Mapping[str, str] | None = None,
    gated: Collection[str] = (),
) -> str:
    """Write a plan as a Mermaid flowchart, which GitHub, GitLab and notebooks draw.

    Whatever ids and tasks say is text there: what has a meaning in Mermaid, in Markdown or in HTML stands as the code
    of its character. Plans of more than 40 steps are folded, as in `plan_svg`.

    Args:
        plan: Any; of one that is not valid what can be drawn.
        outcomes: What steps came to, by id; None: of a plan that did not run.
        doers: Names of who does it by step id, for steps that leave it open.
        gated: Ids of steps before which a policy asks a human.
    """
    chart = chart_of(plan, outcomes, doers=doers, gated=gated, most=_MOST)
    widest = max(map(len, chart.layers), default=0)
    ids = {box: f"n{number}" for number, box in enumerate(chart.boxes)}
    lines = [f"flowchart {'LR' if widest > _WIDE and widest > len(chart.layers) else 'TD'}"]
    for name, box in chart.boxes.items():
        begin, end = _SHAPES.get(box.shape, ("[", "]"))
        tone = f":::{box.tone}" if box.tone is not None else ""
        lines.append(f'  {ids[name]}{begin}"{_label(box)}"{end}{tone}')
    for (source, target), word in chart.edges.items():
        arrow = {"": "-->", "then": "-->|then|", "else": "-.->|else|"}[word]
        lines.append(f"  {ids[source]} {arrow} {ids[target]}")
    tones = {box.tone for box in chart.boxes.values()}
    lines += [
        f"  classDef {tone} stroke:{COLOURS[tone][0]},{style}" for tone, style in _STYLES.items() if tone in tones
    ]
    return "\n".join(lines)


def _label(box: Box) -> str:
    if len(box.steps) > 1:
        state = " ".join(f"{count} {mark.sign}" for count, mark in box.marks)
    else:
        spent = f" {seconds_text(box.seconds)}" if box.seconds is not None else ""
        state = "".join(f"{mark.sign}{spent}" for _, mark in box.marks)
    asks = "asks a human" if box.asks and box.shape not in ("human_approval", "human_input") else ""
    written = [_text(box.name, _MOST_NAME), _text(box.who, _MOST_WHO), asks, state]
    return "<br/>".join(filter(None, written))


def _text(text: str, most: int) -> str:
    """Write what is not a letter, a digit or plain in its place as ``#code;``."""
    shown = f" {visible(one_line(text, most)).replace('$$', '$ $')} "  # two are the mark of a formula
    return "".join(
        character if _is_plain(*shown[place - 1 : place + 2]) else f"#{ord(character)};"
        for place, character in enumerate(shown[1:-1], 1)
    )


def _is_plain(before: str, character: str, after: str) -> bool:
    if character.isalnum() or character == " ":
        return True
    return before.isalnum() and ((character in "._-" and after.isalnum()) or (character in ",:" and after == " "))
