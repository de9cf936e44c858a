"""Plans as people see them."""

from goalgraph.views.text import one_line, printable
from goalgraph.views.tree import plan_text, plan_tree

__all__ = ["one_line", "plan_text", "plan_tree", "printable"]
