"""Counting what models are asked for, whoever calls them, through LangChain's callbacks."""

from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from goalgraph.planner.outcome import Usage

__all__ = ["count_usage"]


class _Meter(BaseCallbackHandler):
    """Adds up the usage that models report."""

    def __init__(self) -> None:
        self.calls = self.input_tokens = self.output_tokens = 0

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self.calls += 1
        for generations in response.generations:
            for generation in generations:
                if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
                    used = generation.message.usage_metadata
                    if used is not None:
                        self.input_tokens += used["input_tokens"]
                        self.output_tokens += used["output_tokens"]

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        return (
            Usage(input_tokens=self.input_tokens, output_tokens=self.output_tokens, calls=self.calls)
            if self.calls
            else _NONE
        )


_NONE = Usage()
_meter: ContextVar[_Meter | None] = ContextVar("goalgraph_usage", default=None)
register_configure_hook(_meter, inheritable=True)


def count_usage() -> _Meter:
    """Count every model call that the current task makes from now on, in nested runs and threads too."""
    meter = _Meter()
    _meter.set(meter)
    return meter
