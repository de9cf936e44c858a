"""Plans as people see them."""

from goalgraph.views.mermaid import plan_mermaid
from goalgraph.views.plan_svg import plan_svg
from goalgraph.views.text import one_line, printable
from goalgraph.views.tree import plan_text, plan_tree

__all__ = ["one_line", "plan_mermaid", "plan_svg", "plan_text", "plan_tree", "printable"]
