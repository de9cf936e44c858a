"""What a graph hands on where it is a part of one of LangChain's chains."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig

__all__ = ["Chained"]


class Chained:
    """A graph that gives what comes next in a chain its result, also where the chain is streamed.

    A graph of LangGraph's gives it the updates of its nodes then. Models, steps and so on are heard while the graph
    runs, by callbacks and ``astream_events``. A ``stream_mode`` that is bound stands.
    """

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Give the result of the ``input`` that comes in parts, as a part of a chain: ``chain.astream`` calls this."""
        graph: Any = self
        given = [part async for part in input]
        if given and "stream_mode" in kwargs:
            async for part in graph.astream(_joined(given), config, **kwargs):
                yield part
        elif given:
            yield await graph.ainvoke(_joined(given), config, **kwargs)

    def transform(self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """Do what `atransform` does, from sync code."""
        graph: Any = self
        given = [*input]
        if given and "stream_mode" in kwargs:
            yield from graph.stream(_joined(given), config, **kwargs)
        elif given:
            yield graph.invoke(_joined(given), config, **kwargs)


def _joined(parts: Sequence[Any]) -> Any:
    """Put an input together that comes in parts, as LangChain does: added up where that can be done, or the last."""
    found, *others = parts
    for part in others:
        try:
            found = found + part
        except TypeError:
            found = part
    return found
