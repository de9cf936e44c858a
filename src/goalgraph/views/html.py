"""Plans, outcomes, estimates and results as pieces of HTML: no script, nothing from outside, in light and in dark."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from goalgraph.graph.humans.thread import Request
from goalgraph.planner.diff import PlanDiff
from goalgraph.planner.estimate import Estimate
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
from goalgraph.views.differences import diff_html
from goalgraph.views.facts import Facts, estimate_facts, outcome_facts, output_text
from goalgraph.views.markdown_html import as_html
from goalgraph.views.marks import COLOURS, Mark, mark_of
from goalgraph.views.plan_svg import plan_svg
from goalgraph.views.standing import WAITS, Row, Standing, asked_of, standing_of, way_on
from goalgraph.views.text import visible

__all__ = ["difference_html", "estimate_html", "outcome_html", "plan_html", "request_html", "result_html"]

_COLUMNS = ("state", "step", "specialist", "time", "attempts", "tokens", "confidence", "remark")


def plan_html(plan: Plan, outcomes: Mapping[str, Outcome] | None = None) -> str:
    """Show a plan as a picture, which scrolls where it is too wide."""
    return _view(_picture(plan, outcomes))


def outcome_html(outcome: Outcome) -> str:
    """Show an outcome as a card, its output folded."""
    text = output_text(outcome)
    return _view(
        _head(mark_of(outcome), f"Step {outcome.step}"),
        _facts(fact for fact in outcome_facts(outcome) if fact[0] != "status"),
        _folded("Output", f"<pre>{escape(text)}</pre>") if text else "",
    )


def estimate_html(estimate: Estimate) -> str:
    """Show an estimate as a small table."""
    return _view('<div class="gg-head">Estimate</div>', _facts(estimate_facts(estimate)))


def difference_html(diff: PlanDiff) -> str:
    """Show what is different between two plans."""
    return _view(diff_html(diff))


def request_html(request: Request) -> str:
    """Show what a run asks, what it is about, and how to answer."""
    asked = asked_of(request.interrupt)
    arguments = json.dumps(dict(request.arguments), ensure_ascii=False, indent=2) if request.arguments else ""
    return _view(
        _head(WAITS, asked.about),
        _list([visible(request.problem)] if request.problem else []),
        f'<div class="gg-asked">{as_html(visible(request.prompt))}</div>',
        _folded("Arguments", f"<pre>{escape(visible(arguments))}</pre>") if arguments else "",
        f"<pre>{escape(way_on([request.interrupt])[-1])}</pre>",
    )


def result_html(values: Mapping[str, Any]) -> str:
    """Show a run as it stands: why it is less than was asked for, what it waits for, its answer, its steps.

    Args:
        values: Of the run's state, or a result.
    """
    found = standing_of(values)
    return _view(
        _head(found.mark, found.head),
        f'<div class="gg-dim">{escape(found.goal)}</div>' if found.goal else "",
        _list(found.reasons),
        *_asked(found),
        f'<div class="gg-answer">{as_html(visible(found.answer))}</div>' if found.answer else "",
        _picture(found.plan, found.outcomes) if found.plan is not None else "",
        _folded(f"Steps ({len(found.outcomes)})", _table(found.rows, found.hidden)) if found.rows else "",
        _facts(found.totals),
    )


def _view(*parts: str) -> str:
    return "\n".join(('<div class="gg-view">', f"<style>{_STYLE}</style>", *filter(None, parts), "</div>"))


def _picture(plan: Plan, outcomes: Mapping[str, Outcome] | None) -> str:
    return f'<div class="gg-wide">{plan_svg(plan, outcomes)}</div>'


def _head(mark: Mark, text: str) -> str:
    return f'<div class="gg-head">{_pill(mark)} {escape(visible(text))}</div>'


def _pill(mark: Mark) -> str:
    return f'<span class="gg-pill gg-on-{mark.tone}">{mark.sign} {mark.word}</span>'


def _facts(facts: Iterable[tuple[str, str]] | Facts) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return f'<table class="gg-table">{rows}</table>' if rows else ""


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _asked(found: Standing) -> Iterable[str]:
    for one in found.asked:
        yield f'<div class="gg-asked"><b>{escape(one.about)}</b>\n<div class="gg-pre">{escape(one.prompt)}</div></div>'
    if found.way_on:
        yield f"<pre>{escape(chr(10).join(found.way_on))}</pre>"


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def _table(rows: Iterable[Row], hidden: str) -> str:
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    lines = [
        f"<tr><td>{_pill(row.mark)}</td>"
        + "".join(
            f"<td>{escape(text)}</td>"
            for text in (row.step, row.who, row.time, row.attempts, row.usage, row.confidence, row.remark)
        )
        + "</tr>"
        for row in rows
    ]
    more = f'<div class="gg-dim">{escape(hidden)}</div>' if hidden else ""
    return f'<table class="gg-table"><tr>{head}</tr>{"".join(lines)}</table>{more}'


def _ground(tone: str) -> str:
    """Colour below white letters: the one for light ground, which is dark enough, on any page."""
    return COLOURS["muted" if tone == "off" else tone][0]


_STYLE = (
    ".gg-view{font:13px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;padding:4px 0}"
    ".gg-view>*{margin:6px 0}.gg-view .gg-wide{overflow-x:auto;max-width:100%}"
    ".gg-view .gg-wide svg{height:auto;max-width:100%}"
    ".gg-view .gg-head{font-size:15px;font-weight:600}.gg-view .gg-dim{opacity:.75}"
    ".gg-view .gg-pill{border-radius:9px;color:#fff;font-size:11px;font-weight:600;padding:1px 8px;white-space:nowrap}"
    ".gg-view .gg-answer,.gg-view .gg-asked{border-left:3px solid #8888;padding:2px 12px}"
    ".gg-view .gg-answer,.gg-view .gg-pre,.gg-view pre{overflow-wrap:anywhere}"
    ".gg-view .gg-pre,.gg-view pre{white-space:pre-wrap}.gg-view pre code{background:none;padding:0}"
    ".gg-view pre{background:#8882;border-radius:6px;font-size:12px;max-height:320px;overflow:auto;padding:6px 10px}"
    ".gg-view summary{cursor:pointer}.gg-view ul{padding-left:22px}"
    ".gg-view table.gg-table{border-collapse:collapse;color:inherit;display:block;font:inherit;overflow-x:auto}"
    ".gg-view table.gg-table th,.gg-view table.gg-table td{border-bottom:1px solid #8884;max-width:560px;"
    "padding:2px 14px 2px 0;text-align:left;vertical-align:top;white-space:normal}"
    ".gg-view table.gg-table th{font-weight:600}"
) + "".join(
    f".gg-view .gg-on-{tone}{{background:var(--gg-{tone},{_ground(tone)})}}"
    f".gg-view .gg-line-{tone}{{border-left:4px solid var(--gg-{tone},{_ground(tone)});padding-left:8px}}"
    for tone in ("ok", "bad", "weak", "off", "gate")
)
