"""Prompts: Markdown templates rendered strictly, and texts fitted into a token budget."""

from goalgraph.prompts.render import fenced, render
from goalgraph.prompts.tokens import Fitted, count_tokens, fit

__all__ = ["Fitted", "count_tokens", "fenced", "fit", "render"]
