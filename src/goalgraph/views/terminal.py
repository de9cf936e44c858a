"""Outcomes, estimates and results drawn by rich, and anything drawn by it as plain text."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from goalgraph.graph.humans.thread import Request
from goalgraph.planner.estimate import Estimate
from goalgraph.planner.outcome import Outcome
from goalgraph.views.facts import estimate_facts, outcome_facts, output_text
from goalgraph.views.marks import mark_of
from goalgraph.views.standing import WAITS, Row, Standing, asked_of, standing_of, way_on
from goalgraph.views.text import one_line, printable, visible
from goalgraph.views.tree import plan_tree

__all__ = ["as_plain", "estimate_drawn", "markdown_drawn", "outcome_drawn", "request_drawn", "result_drawn"]

_MOST_IN_LAYER = 12
_MOST_LINES = 12
_WIDTH = 100


def outcome_drawn(outcome: Outcome) -> RenderableType:
    """Draw an outcome: what is known of it, and how its output begins."""
    mark = mark_of(outcome)
    facts = (fact for fact in outcome_facts(outcome) if fact[0] != "status")
    head = Text.assemble((f"{mark.sign} {mark.word}", mark.style), "  ", (one_line(outcome.step), "cyan"))
    lines = output_text(outcome).splitlines()
    shown = [*lines[:_MOST_LINES], *(["..."] if len(lines) > _MOST_LINES else [])]
    return Group(head, _facts(facts), *([Padding(Text("\n".join(shown)), (0, 0, 0, 2))] if shown else []))


def estimate_drawn(estimate: Estimate) -> RenderableType:
    """Draw an estimate as a small table."""
    return Group(Text("Estimate", style="bold"), _facts(estimate_facts(estimate)))


def request_drawn(request: Request) -> RenderableType:
    """Draw what a run asks, and how to answer."""
    asked = asked_of(request.interrupt)
    head = Text.assemble((f"{WAITS.sign} {WAITS.word}", WAITS.style), "  ", (asked.about, "cyan"))
    problem = [Text(f"  {visible(request.problem)}", style="yellow")] if request.problem else []
    prompt = Padding(markdown_drawn(printable(request.prompt)), (0, 0, 0, 2))
    return Group(head, *problem, prompt, Text(way_on([request.interrupt])[-1], style="dim"))


def result_drawn(values: Mapping[str, Any]) -> RenderableType:
    """Draw a run as it stands: its steps as a tree with their states, what it waits for, its answer.

    Args:
        values: Of the run's state, or a result.
    """
    return Group(*_parts(standing_of(values)))


def as_plain(drawn: RenderableType) -> str:
    """Write what rich draws as text, 100 characters wide, without colours."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=_WIDTH,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,  # else a kernel shows it, and the file stays empty
        legacy_windows=False,
    )
    console.print(drawn)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _parts(found: Standing) -> Iterator[RenderableType]:
    yield Text.assemble((f"{found.mark.sign} {found.head}", found.mark.style), f"  {found.goal}" if found.goal else "")
    for reason in found.reasons:
        yield Text(f"  - {reason}")
    if found.plan is not None:
        yield plan_tree(found.plan, outcomes=found.outcomes, most=_MOST_IN_LAYER)
    elif found.rows:
        yield _table(found.rows)
    if found.totals:
        yield _facts(found.totals)
    for one in found.asked:
        yield Text.assemble("\n", (one.about, "bold magenta"))
        yield Padding(Text(one.prompt), (0, 0, 0, 2))
    if found.way_on:
        yield Text("\n" + "\n".join(found.way_on), style="dim")
    if found.answer:
        yield Text()
        yield markdown_drawn(found.answer)


def markdown_drawn(text: str) -> Markdown:
    """Draw Markdown; HTML in it, which rich leaves out, is shown as the text that it is."""
    drawn = Markdown(text, hyperlinks=False)
    for token in drawn.parsed:
        token.type = "code_block" if token.type == "html_block" else token.type
        for inside in token.children or ():
            inside.type = "text" if inside.type == "html_inline" else inside.type
    return drawn


def _facts(facts: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(Text(f"  {name}", style="bold"), Text(value))
    return table


def _table(rows: Iterable[Row]) -> Table:
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(
            Text(f"  {row.mark.sign}", style=row.mark.style),
            Text(row.step, style="cyan"),
            Text(row.who, style="magenta"),
            Text(row.time),
            Text(row.remark),
        )
    return table
