"""Prompts: Markdown templates rendered strictly, and texts fitted into a token budget."""

from goalgraph.prompts.fencing import fenced, tagged
from goalgraph.prompts.fitting import Fitted, fit
from goalgraph.prompts.render import DEFAULT_PROMPTS, Prompts, render
from goalgraph.prompts.summaries import Summarizer, unheard
from goalgraph.prompts.tokens import count_message_tokens, count_tokens
from goalgraph.prompts.window import FittedPrompt, context_limit, fit_prompt, prompt_limit

__all__ = [
    "DEFAULT_PROMPTS",
    "Fitted",
    "FittedPrompt",
    "Prompts",
    "Summarizer",
    "context_limit",
    "count_message_tokens",
    "count_tokens",
    "fenced",
    "fit",
    "fit_prompt",
    "prompt_limit",
    "render",
    "tagged",
    "unheard",
]
