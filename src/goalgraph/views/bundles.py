"""How each of the library's objects shows itself: by media type for notebooks, drawn by rich for terminals."""

from functools import singledispatch

from rich.console import RenderableType
from rich.text import Text

from goalgraph.planner.plan import Plan
from goalgraph.views.text import printable
from goalgraph.views.tree import plan_text, plan_tree

__all__ = ["drawn", "mimebundle"]


@singledispatch
def mimebundle(value: object) -> dict[str, str]:
    """Return the forms of an object that a notebook may choose from, by media type."""
    return {"text/plain": printable(repr(value))}


@mimebundle.register
def _(value: Plan) -> dict[str, str]:
    return {"text/plain": plan_text(value)}


@singledispatch
def drawn(value: object) -> RenderableType:
    """Return what rich draws of an object."""
    return Text(printable(repr(value)))


@drawn.register
def _(value: Plan) -> RenderableType:
    return plan_tree(value)
