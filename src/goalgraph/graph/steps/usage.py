"""Counting what models are asked for, whoever calls them, through LangChain's callbacks."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from goalgraph.graph.steps.budget import Budget
from goalgraph.planner.outcome import Usage

__all__ = ["at_least", "count_usage"]


class _Meter(BaseCallbackHandler):
    """Adds up the usage that models report."""

    def __init__(self, budget: Budget | None) -> None:
        self.calls = self.input_tokens = self.output_tokens = self.unpriced_calls = 0
        self.cost_usd = 0.0
        self._budget = budget

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self.calls += 1
        for generations in response.generations:
            for generation in generations:
                if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
                    used = generation.message.usage_metadata
                    if used is not None:
                        self.input_tokens += used["input_tokens"]
                        self.output_tokens += used["output_tokens"]
                    if self._budget is not None:
                        self._charge(self._budget, generation.message, response.llm_output)

    def _charge(self, budget: Budget, message: AIMessage, about: Mapping[str, Any] | None) -> None:
        said: Any = {**(about or {}), **message.response_metadata}
        used = message.usage_metadata
        model = said.get("model_name") or said.get("model")
        price = budget.charge(str(model), used["input_tokens"], used["output_tokens"]) if used and model else None
        if price is None:
            self.unpriced_calls += 1
        else:
            self.cost_usd += price

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        return (
            Usage(
                input_tokens=self.input_tokens,
                output_tokens=self.output_tokens,
                calls=self.calls,
                cost_usd=self.cost_usd,
                unpriced_calls=self.unpriced_calls,
            )
            if self.calls
            else _NONE
        )


def at_least(one: Usage, other: Usage) -> Usage:
    """Return what two counts of the same calls come to, each of which may have missed some."""
    if one == other or not other.calls:
        return one
    return Usage.model_validate({name: max(value, getattr(other, name)) for name, value in one})


_NONE = Usage()
_meter: ContextVar[_Meter | None] = ContextVar("goalgraph_usage", default=None)
register_configure_hook(_meter, inheritable=True)


def count_usage(budget: Budget | None = None) -> _Meter:
    """Count every model call that the current task makes from now on, in nested runs and threads too.

    Args:
        budget: What the calls are charged to; without one, they are not priced.
    """
    meter = _Meter(budget)
    _meter.set(meter)
    return meter
