"""What a graph hands on where it is a part of one of LangChain's chains."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

__all__ = ["Chained"]


class Chained(Runnable[Any, Any]):
    """A graph that gives what comes next in a chain its result, also where the chain is streamed.

    A graph of LangGraph's gives it the updates of its nodes then. Models, steps and so on are heard while the graph
    runs, by callbacks and ``astream_events``. A ``stream_mode`` that is bound stands.
    """

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Give the result of the ``input`` that comes in parts, as a part of a chain: ``chain.astream`` calls this."""
        given = [part async for part in input]
        if given and "stream_mode" in kwargs:
            async for part in self.astream(_joined(given), config, **kwargs):
                yield part
        elif given:
            yield await self.ainvoke(_joined(given), config, **kwargs)

    def transform(self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """Do what `atransform` does, from sync code."""
        given = [*input]
        if given and "stream_mode" in kwargs:
            yield from self.stream(_joined(given), config, **kwargs)
        elif given:
            yield self.invoke(_joined(given), config, **kwargs)


def _joined(parts: Sequence[Any]) -> Any:
    """Put an input together that comes in parts, as LangChain does: added up where that can be done, or the last."""
    found, *others = parts
    for part in others:
        try:
            found = found + part
        except TypeError:
            found = part
    return found
