"""Keeping who tries a step: whoever has begun goes on, where a run is resumed in the middle of it."""

from collections.abc import Sequence
from typing import Any, cast

from langgraph.func import task

from goalgraph.graph.coordination.assigner import Assigner
from goalgraph.graph.work import Work

__all__ = ["kept_chain"]


async def _tries(chain: tuple[str, ...], begun: list[bool]) -> list[str]:
    begun.append(True)
    return list(chain)


_call: Any = cast("Any", task)(_tries, name="assigned")


async def kept_chain(work: Work, assigner: Assigner, step_id: str) -> bool:
    """Record who tries a step, or take what was recorded of it; return whether it was begun before.

    A graph that does a step has its state, and humans' answers to it, by the order in which those of the chain are
    called. Another order would give them to another one; so those who have begun are called again, fit or not.
    """
    begun: list[bool] = []
    found = tuple(map(str, cast("Sequence[str]", await _call(assigner.fit(step_id), begun))))
    if begun or not found:
        return False
    if found != work.chains[step_id]:
        moves = found[0] != work.chains[step_id][0]
        assigner.keep(step_id, found)
        if moves:
            await work.move(step_id, found[0])
    return True
