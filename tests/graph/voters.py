"""Specialists that vote, for tests of quorums."""

import asyncio
from typing import Any

from goalgraph import StepContext, StepResult, StepTask, specialist

__all__ = ["asking", "voter"]


def voter(
    name: str,
    output: object = "yes",
    confidence: float | None = None,
    *,
    after: float = 0.0,
    done: list[str] | None = None,
) -> Any:
    """A specialist who says always the same, after some seconds; an exception is raised."""

    @specialist(name=name)
    async def votes(task: StepTask, context: StepContext) -> StepResult:
        await asyncio.sleep(after)
        if isinstance(output, Exception):
            raise output
        if done is not None:
            done.append(name)
        return StepResult(output=output, confidence=confidence)

    return votes


def asking(name: str) -> Any:
    """A specialist who asks a human."""

    @specialist(name=name)
    async def asks(task: StepTask, context: StepContext) -> object:
        return context.ask("Well?", {"type": "string"})

    return asks
