"""Counting what models are asked for, through LangChain's callbacks, and refusing calls past a limit."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from threading import Lock
from typing import Any, cast
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, manager
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from goalgraph.errors import LimitReached
from goalgraph.graph.ledger.caps import Call, Used
from goalgraph.graph.ledger.estimating import call_of
from goalgraph.graph.ledger.ledger import Ledger
from goalgraph.planner.outcome import Usage

__all__ = ["Meter", "at_least", "count_usage"]

_counting = Lock()
"""Held while any meter counts: models may report what they used in threads of their own."""


class Meter(BaseCallbackHandler):
    """Adds up the usage that models report.

    It runs inline, as `_Guard` does: where one handler of that kind raises, LangChain leaves the coroutines of others
    unawaited, which Python warns of.
    """

    run_inline = True

    def __init__(self) -> None:
        self.usage = _NONE

    @property
    def calls(self) -> int:
        """How many there were."""
        return self.usage.calls

    def refusal(self) -> LimitReached | None:
        """Return why a call was refused, where one was."""
        return None

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Do nothing; LangChain would write all messages out as text for a handler without this."""

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a call."""
        used = _used(response)
        self._add(
            Usage(
                input_tokens=used.input_tokens if used is not None else 0,
                output_tokens=used.output_tokens if used is not None else 0,
                calls=1,
            )
        )

    def _add(self, usage: Usage) -> None:
        with _counting:
            self.usage += usage


class _Guard(Meter):
    """Has every call granted by ledgers before it is made, and settles it after.

    Inner runs have meters of their own, whose ledgers are these and theirs, and which reserve in all of them. LangChain
    tells handlers one after the other, in the thread and the task of the call, where they run inline; what such a
    handler raises ends the call.
    """

    raise_error = True

    def __init__(self, ledgers: Sequence[Ledger], *, is_last: bool) -> None:
        super().__init__()
        self._ledgers = tuple(ledgers)
        self._is_last = is_last
        self._refused: LimitReached | None = None
        self._around = _meter.get()
        self._batch: tuple[object, list[UUID]] = (None, [])

    def refusal(self) -> LimitReached | None:
        return self._refused

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        for prompt in messages:
            self._reserve(run_id, call_of(prompt, kwargs), kwargs)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        for prompt in prompts:
            self._reserve(run_id, call_of(prompt, kwargs), kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        used, model = _used(response), _model(response)
        settled = [ledger.settle(run_id, used, model) for ledger in self._ledgers][-1]
        if settled is None:  # it was reserved by nobody, as where a handler of somebody else's has refused it
            super().on_llm_end(response, run_id=run_id)
            return
        self._add(
            Usage(
                input_tokens=settled.input_tokens,
                output_tokens=settled.output_tokens,
                calls=1,
                cost_usd=settled.cost_usd,
                unpriced_calls=int(settled.is_unpriced),
                estimated_calls=int(settled.is_estimated),
            )
        )

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        for ledger in self._ledgers:
            ledger.release(run_id)

    def _reserve(self, run_id: UUID, call: Call, about: dict[str, Any]) -> None:
        inner = _meter.get()
        if inner is not self and isinstance(inner, _Guard) and {*self._ledgers} <= {*inner._ledgers}:
            return
        together = self._together(run_id, about)
        is_over = _end_of_task()
        own = ledger = self._ledgers[-1]
        try:
            for ledger in self._ledgers:
                ledger.reserve(run_id, call, is_last=self._is_last and ledger is own, is_over=is_over)
        except LimitReached as error:
            self._tell(error, ledger)
            for one in together:
                for ledger in self._ledgers:
                    ledger.release(one)
            raise

    def _tell(self, error: LimitReached, refusing: Ledger) -> None:
        """Let the meters of the runs inside and around know, to which the call may not have been told."""
        self._refused = error
        inner, chain = _meter.get(), list[_Guard]()
        while isinstance(inner, _Guard):
            chain.append(inner)
            inner = inner._around
        concerned = [place for place, one in enumerate(chain) if refusing in one._ledgers]
        for one in chain[: max(concerned, default=-1) + 1]:
            one._refused = error

    def _together(self, run_id: UUID, about: dict[str, Any]) -> list[UUID]:
        """Return the calls that are not made either where this one is refused: those before it in its batch."""
        options = about.get("options")
        if about.get("batch_size", 1) == 1 or options is None:
            return [run_id]
        if self._batch[0] is not options:
            self._batch = (options, [])
        self._batch[1].append(run_id)
        return self._batch[1]


def _end_of_task() -> Callable[[], bool] | None:
    """Whether the current task is over: of a call that is cancelled, LangChain tells no end."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # in a thread, where calls always come to an end
        return None
    return task.done if task is not None else None


def _used(response: LLMResult) -> Used | None:
    """What the model says that it used; None where it does not."""
    found = [
        generation.message.usage_metadata
        for generations in response.generations
        for generation in generations
        if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage)
    ]
    told = [one for one in found if one is not None]
    if not told:
        return None
    return Used(
        input_tokens=sum(one["input_tokens"] for one in told), output_tokens=sum(one["output_tokens"] for one in told)
    )


def _model(response: LLMResult) -> str | None:
    said: dict[str, Any] = dict(response.llm_output or {})
    for generations in response.generations:
        for generation in generations:
            if isinstance(generation, ChatGeneration):
                said |= cast("dict[str, Any]", generation.message.response_metadata)
    name = said.get("model_name") or said.get("model")
    return str(name) if name else None


def at_least(one: Usage, other: Usage) -> Usage:
    """Return what two counts of the same calls come to, each of which may have missed some."""
    if one == other or not other.calls:
        return one
    return Usage.model_validate({name: max(value, getattr(other, name)) for name, value in one})


class _AllButRefusals(logging.Filter):
    """Drops LangChain's warnings of handlers that raise where it is a refusal, which whoever calls the model gets."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (isinstance(record.args, tuple) and record.args[:1] == (_Guard.__name__,))


logging.getLogger(manager.__name__).addFilter(_AllButRefusals())

_NONE = Usage()
_meter: ContextVar[Meter | None] = ContextVar("goalgraph_usage", default=None)
register_configure_hook(_meter, inheritable=True)


def count_usage(ledgers: Sequence[Ledger] = (), *, is_last: bool = False) -> Meter:
    """Count every model call that the current task makes from now on, in nested runs and threads too.

    Args:
        ledgers: What the calls need to be granted by, the run's own last; without any, they are not priced.
        is_last: Whether they may use what the last ledger keeps back.
    """
    meter = _Guard(ledgers, is_last=is_last) if ledgers else Meter()
    _meter.set(meter)
    return meter
