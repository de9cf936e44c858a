"""A plan as a picture: a self-contained svg, made offline, that needs no colours to be read and executes nothing."""

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from html import escape

from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
from goalgraph.views.chart import Box, Chart, chart_of
from goalgraph.views.layout import Layout, Point, laid_out
from goalgraph.views.marks import COLOURS, Mark, seconds_text
from goalgraph.views.text import visible

__all__ = ["plan_svg"]

_WIDTH, _HEIGHT = 196.0, 46.0
_MARGIN = 12.0
_WIDEST = 1000.0
"""Pixels that a page shows without scrolling; a plan that is wider from top to bottom may go from left to right."""
_LEAST = 0.75
"""How small a page may draw it, where it makes it as wide as it is itself."""
_ACROSS = (18.0, 44.0)
_ALONG = (14.0, 52.0)
_BEND = 10.0
_PIXELS = 7.5
"""That a letter of an id takes in the mean."""
_SMALL = 6.3
"""The same of a letter of the second line."""


def plan_svg(
    plan: Plan,
    outcomes: Mapping[str, Outcome] | None = None,
    *,
    doers: Mapping[str, str] | None = None,
    gated: Collection[str] = (),
) -> str:
    """Draw a plan: a box for each step, below or right of what it waits for.

    Steps say who does them, and what they came to by sign, colour and seconds. A plan of more than 48 steps, or with
    more than 16 side by side, is folded: one box stands for the steps of a group, or for steps that are alike, and
    counts what they came to. Where there are many lines, those that others imply are not drawn.

    Every class begins with ``gg-``, and there are no ids, so that a page may have several. The colours follow the
    viewer's light or dark scheme. A page around it sets its own by CSS variables: ``--gg-text``, ``--gg-muted``,
    ``--gg-box`` (ground of the boxes), ``--gg-line`` (their border), ``--gg-edge`` (lines between them), ``--gg-ok``,
    ``--gg-bad``, ``--gg-weak``, ``--gg-off``, ``--gg-gate`` (what asks a human).

    Args:
        plan: Any; of one that is not valid what can be drawn.
        outcomes: What steps came to, by id; None: of a plan that did not run.
        doers: Names of who does it by step id, for steps that leave it open.
        gated: Ids of steps before which a policy asks a human.
    """
    return _drawn(chart_of(plan, outcomes, doers=doers, gated=gated))


def _drawn(chart: Chart) -> str:
    widest = max(map(len, chart.layers), default=0)
    down = widest * (_WIDTH + _ACROSS[0])
    right = len(chart.layers) * (_WIDTH + _ALONG[1])
    rightward = down > _WIDEST and right < down
    found = laid_out(
        chart.layers,
        chart.edges,
        size=(_WIDTH, _HEIGHT),
        gap=_ALONG if rightward else _ACROSS,
        bend=_BEND,
        rightward=rightward,
    )
    width, height = (round(size + 2 * _MARGIN) for size in (found.width, found.height))
    counts = "".join(f", {count} {mark.word}" for count, mark in chart.marks)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gg-plan" role="img" '
        f'aria-label="{_text(chart.title + counts)}" width="{width}" height="{height}" '
        f'style="min-width:{round(width * _LEAST)}px" viewBox="{-_MARGIN:g} {-_MARGIN:g} {width} {height}">',
        f"<style>{_STYLE}</style>",
        *_edges(chart, found, rightward=rightward),
        *(line for box, centre in found.centres.items() for line in _box(chart.boxes[box], centre)),
        *_words(chart, found, rightward=rightward),
        "</svg>",
    ]
    return "\n".join(lines)


def _edges(chart: Chart, found: Layout, *, rightward: bool) -> Iterator[str]:
    """Write the lines that boxes go out with, as one path for each kind of line, then the heads of arrows."""
    for dashed in (False, True):
        ways = dict.fromkeys(
            piece
            for edge, word in chart.edges.items()
            if (word == "else") == dashed
            for piece in _pieces(found.routes[edge], rightward=rightward)
        )
        if ways:
            yield f'<path class="gg-edge{" gg-else" if dashed else ""}" d="{"".join(ways)}"/>'
    ends = dict.fromkeys(found.routes[edge][-1] for edge in chart.edges)
    shape = "l-7-4v8z" if rightward else "l-4-7h8z"
    if ends:
        yield f'<path class="gg-head" d="{"".join(f"M{x:g} {y:g}{shape}" for x, y in ends)}"/>'


def _pieces(route: tuple[Point, ...], *, rightward: bool) -> Iterator[str]:
    last = len(route) - 1
    for number in range(last):
        (x, y), (to_x, to_y) = route[number], route[number + 1]
        if number + 1 == last:  # the head of the arrow takes the rest
            to_x, to_y = (to_x - 5, to_y) if rightward else (to_x, to_y - 5)
        if number % 2 or x == to_x or y == to_y:
            yield f"M{x:g} {y:g}L{to_x:g} {to_y:g}"
        elif rightward:
            yield f"M{x:g} {y:g}C{(x + to_x) / 2:g} {y:g} {(x + to_x) / 2:g} {to_y:g} {to_x:g} {to_y:g}"
        else:
            yield f"M{x:g} {y:g}C{x:g} {(y + to_y) / 2:g} {to_x:g} {(y + to_y) / 2:g} {to_x:g} {to_y:g}"


def _words(chart: Chart, found: Layout, *, rightward: bool) -> Iterator[str]:
    """Write the branches of conditions beside the ends of their lines."""
    for edge, word in chart.edges.items():
        if word:
            x, y = found.routes[edge][-1]
            place = f'x="{x - 9:g}" y="{y - 5:g}" text-anchor="end"' if rightward else f'x="{x + 7:g}" y="{y - 6:g}"'
            yield f'<text class="gg-word" {place}>{word}</text>'


def _box(box: Box, centre: Point) -> Iterator[str]:
    left, top = centre[0] - _WIDTH / 2, centre[1] - _HEIGHT / 2
    tone = box.tone or "new"
    yield f'<g class="gg-step gg-{tone}" transform="translate({left:g} {top:g})"><title>{_text(box.told)}</title>'
    yield _SHAPES.get(box.shape, _BODY)
    if tone != "new":
        yield f'<path class="gg-bar" d="{_BARS.get(box.shape, _BAR)}"/>'
    begin = 20.0 if box.shape in ("condition", "wait") else 14.0
    end = _WIDTH - (begin - 2)
    said = _said(box)
    if said and len(box.steps) == 1:
        yield f'<text class="gg-sign" x="{end:g}" y="19" text-anchor="end">{_text(said)}</text>'
    room = end - begin - (_wide(said, _PIXELS) + 10 if said and len(box.steps) == 1 else 0)
    yield f'<text class="gg-id" x="{begin:g}" y="19">{_text(_cut(box.name, room, _PIXELS))}</text>'
    edge = end - (18 if box.asks else 0)
    room = edge - begin
    if said and len(box.steps) > 1:
        yield f'<text class="gg-sign" x="{edge:g}" y="36" text-anchor="end">{_text(said)}</text>'
        room -= _wide(said, _PIXELS) + 8
    yield f'<text class="gg-who" x="{begin:g}" y="36">{_text(_cut(box.who, room, _SMALL))}</text>'
    if box.asks:
        yield f'<path class="gg-gate" transform="translate({end - 12:g} 26)" d="{_PERSON}"/>'
    yield "</g>"


def _said(box: Box) -> str:
    if len(box.steps) > 1:
        return " ".join(f"{count}{mark.sign}" for count, mark in box.marks)
    if not box.marks:
        return ""
    mark: Mark = box.marks[0][1]
    return f"{mark.sign} {seconds_text(box.seconds)}" if box.seconds is not None else mark.sign


def _cut(text: str, room: float, letter: float) -> str:
    """Cut a text to so many pixels, as far as can be told without the font."""
    if _wide(text, letter) <= room:
        return text
    shown = text
    while shown and _wide(shown, letter) > room - letter:
        shown = shown[:-1]
    return f"{shown.rstrip()}…"


def _wide(text: str, letter: float) -> float:
    return letter * sum(_share(character) for character in text)


def _share(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.9
    if character in "ijlftI.,:;|'!()[] -":
        return 0.62
    return 1.3 if character in "mwMW@%" or (character.isupper()) else 1.05


def _text(text: str) -> str:
    return escape(visible(text))


def _styled(*rules: tuple[str, str, str]) -> str:
    """Write rules of CSS: plain colours for what knows no variables, the page's own colours, those on dark ground."""
    plain = (
        f"{at}{{{prop}:{COLOURS[name][0]};{prop}:var(--gg-{name},{COLOURS[name][0]})}}" for at, prop, name in rules
    )
    dark = (f"{at}{{{prop}:var(--gg-{name},{COLOURS[name][1]})}}" for at, prop, name in rules)
    return f"{''.join(plain)}@media (prefers-color-scheme:dark){{{''.join(dark)}}}"


_TONES = ("ok", "bad", "weak", "off")
_STYLE = (
    ".gg-plan{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}"
    ".gg-plan .gg-box{stroke-width:1.2}.gg-plan .gg-end{stroke-dasharray:4 3}.gg-plan .gg-id{font-weight:600}"
    ".gg-plan .gg-who{font-size:11px}.gg-plan .gg-sign{font-size:11px;font-weight:600}"
    ".gg-plan .gg-word{font-size:11px;font-style:italic}.gg-plan .gg-edge{fill:none;stroke-width:1.3}"
    ".gg-plan .gg-else{stroke-dasharray:5 3}.gg-plan .gg-off .gg-id{font-weight:400}"
    + _styled(
        (".gg-plan .gg-box", "fill", "box"),
        (".gg-plan .gg-box", "stroke", "line"),
        (".gg-plan .gg-id", "fill", "text"),
        (".gg-plan .gg-who", "fill", "muted"),
        (".gg-plan .gg-edge", "stroke", "edge"),
        (".gg-plan .gg-head", "fill", "edge"),
        (".gg-plan .gg-word", "fill", "edge"),
        (".gg-plan .gg-gate", "fill", "gate"),
        *((f".gg-plan .gg-{tone} .gg-{part}", "fill", tone) for tone in _TONES for part in ("bar", "sign")),
        *((f".gg-plan .gg-{tone} .gg-box", "stroke", tone) for tone in _TONES),
    )
)
_PERSON = "M6 0a3 3 0 0 1 0 6a3 3 0 0 1 0-6zM0 13c0-7 12-7 12 0z"
_BODY = '<rect class="gg-box" width="196" height="46" rx="7"/>'
_BEHIND = '<rect class="gg-box" x="5" y="5" width="196" height="46" rx="7"/>'
_SHAPES = {
    "condition": '<path class="gg-box" d="M14 0H182L196 23L182 46H14L0 23z"/>',
    "wait": '<rect class="gg-box" width="196" height="46" rx="23"/>',
    "parallel": '<rect class="gg-box gg-end" width="196" height="46" rx="7"/>',
    "transform": '<rect class="gg-box" width="196" height="46"/>',
    "map": _BEHIND + _BODY,
    "fold": _BEHIND + _BODY,
}
_BAR = "M7 0A7 7 0 0 0 0 7V39A7 7 0 0 0 7 46z"
_BARS = {
    "condition": "M14 0L0 23L14 46L19 46L5 23L19 0z",
    "wait": "M23 0A23 23 0 0 0 23 46A27 27 0 0 1 23 0z",
    "transform": "M0 0H5V46H0z",
}
