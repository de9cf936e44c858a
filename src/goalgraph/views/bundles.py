"""How each of the library's objects shows itself: by media type for notebooks, drawn by rich for terminals."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

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


_Forms = Mapping[str, Callable[[Any], str]]
"""What makes each media type of an object."""

_FORMS: Mapping[type, _Forms] = {
    Plan: {
        "text/html": plan_html,
        "image/svg+xml": plan_svg,
        "text/vnd.mermaid": plan_mermaid,
        "text/plain": partial(plan_text, most=_MOST_IN_LAYER),
    },
    Outcome: {"text/html": outcome_html},
    Estimate: {"text/html": estimate_html},
    RunResult: {"text/html": result_html, "text/markdown": result_markdown},
    PlanDiff: {"text/html": difference_html},
    Request: {"text/html": request_html},
}
_DRAWN: Mapping[type, Callable[[Any], RenderableType]] = {
    Plan: partial(plan_tree, most=_MOST_IN_LAYER),
    Outcome: outcome_drawn,
    Estimate: estimate_drawn,
    RunResult: result_drawn,
    PlanDiff: diff_drawn,
    Request: request_drawn,
}


def mimebundle(value: object) -> dict[str, str]:
    """Return the forms of an object that a notebook may choose from, by media type."""
    if not (kinds := [kind for kind in type(value).__mro__ if kind in _FORMS]):
        return {"text/plain": printable(repr(value))}
    forms: _Forms = {"text/plain": _plainly, **_FORMS[kinds[0]]}
    return {media_type: make(value) for media_type, make in forms.items()}


def drawn(value: object) -> RenderableType:
    """Return what rich draws of an object."""
    kinds = [kind for kind in type(value).__mro__ if kind in _DRAWN]
    return _DRAWN[kinds[0]](value) if kinds else Text(printable(repr(value)))


def _plainly(value: object) -> str:
    return as_plain(drawn(value))
