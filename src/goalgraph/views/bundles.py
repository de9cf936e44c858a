"""How each of the library's objects shows itself: by media type for notebooks, drawn by rich for terminals."""

from functools import singledispatch

from rich.console import RenderableType
from rich.text import Text

from goalgraph.graph.humans.thread import Request
from goalgraph.graph.result import RunResult
from goalgraph.planner.diff import PlanDiff
from goalgraph.planner.estimate import Estimate
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
from goalgraph.views.differences import diff_drawn
from goalgraph.views.html import difference_html, estimate_html, outcome_html, plan_html, request_html, result_html
from goalgraph.views.markdown import result_markdown
from goalgraph.views.mermaid import plan_mermaid
from goalgraph.views.plan_svg import plan_svg
from goalgraph.views.terminal import as_plain, estimate_drawn, outcome_drawn, request_drawn, result_drawn
from goalgraph.views.text import printable
from goalgraph.views.tree import plan_text, plan_tree

__all__ = ["drawn", "mimebundle"]

_MOST_IN_LAYER = 24


@singledispatch
def mimebundle(value: object) -> dict[str, str]:
    """Return the forms of an object that a notebook may choose from, by media type."""
    return {"text/plain": printable(repr(value))}


@mimebundle.register
def _(value: Plan) -> dict[str, str]:
    return {
        "text/html": plan_html(value),
        "image/svg+xml": plan_svg(value),
        "text/vnd.mermaid": plan_mermaid(value),
        "text/plain": plan_text(value, most=_MOST_IN_LAYER),
    }


@mimebundle.register
def _(value: Outcome) -> dict[str, str]:
    return {"text/html": outcome_html(value), "text/plain": as_plain(outcome_drawn(value))}


@mimebundle.register
def _(value: Estimate) -> dict[str, str]:
    return {"text/html": estimate_html(value), "text/plain": as_plain(estimate_drawn(value))}


@mimebundle.register
def _(value: RunResult) -> dict[str, str]:
    return {
        "text/html": result_html(value),
        "text/markdown": result_markdown(value),
        "text/plain": as_plain(result_drawn(value)),
    }


@mimebundle.register
def _(value: PlanDiff) -> dict[str, str]:
    return {"text/html": difference_html(value), "text/plain": as_plain(diff_drawn(value))}


@mimebundle.register
def _(value: Request) -> dict[str, str]:
    return {"text/html": request_html(value), "text/plain": as_plain(request_drawn(value))}


@singledispatch
def drawn(value: object) -> RenderableType:
    """Return what rich draws of an object."""
    return Text(printable(repr(value)))


@drawn.register
def _(value: Plan) -> RenderableType:
    return plan_tree(value, most=_MOST_IN_LAYER)


@drawn.register
def _(value: Outcome) -> RenderableType:
    return outcome_drawn(value)


@drawn.register
def _(value: Estimate) -> RenderableType:
    return estimate_drawn(value)


@drawn.register
def _(value: RunResult) -> RenderableType:
    return result_drawn(value)


@drawn.register
def _(value: PlanDiff) -> RenderableType:
    return diff_drawn(value)


@drawn.register
def _(value: Request) -> RenderableType:
    return request_drawn(value)
