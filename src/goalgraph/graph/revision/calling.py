"""Calling a reviser: at once where it is called for, while what is at work goes on; its result is taken later."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter

from goalgraph.errors import GoalgraphError
from goalgraph.graph.revision.applying import Proposed
from goalgraph.graph.steps.budget import Budget
from goalgraph.graph.steps.usage import count_usage
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Usage
from goalgraph.planner.prices import Price
from goalgraph.planner.reviser import Reviser, RevisionRequest

__all__ = ["Calls"]


class Calls:
    """The calls of one run's reviser."""

    def __init__(self, reviser: Reviser, *, priced: bool, prices: Mapping[str, Price] | None = None) -> None:
        """Call nobody yet.

        Args:
            reviser: Who is called.
            priced: Whether what the calls cost is to be known.
            prices: The caller's own, by name of model.
        """
        self._reviser = reviser
        self._priced = priced
        self._prices = prices
        self._begun: dict[str, asyncio.Task[Proposed]] = {}

    def begin(self, request: RevisionRequest, digest: str, budget: Budget | None) -> None:
        """Call the reviser in a task of its own, unless it is being called: what comes of that is to be known first.

        Args:
            request: As things stand now.
            digest: What to ask for the result by.
            budget: What the call is charged to.
        """
        if not self._begun:
            self._begun[digest] = asyncio.get_running_loop().create_task(self.called(request, budget))

    async def begun(self, digest: str) -> Proposed | None:
        """Wait for the result of a call that was begun; None where none was. It is given once."""
        task = self._begun.pop(digest, None)
        if task is None:
            return None
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def called(self, request: RevisionRequest, budget: Budget | None) -> Proposed:
        """Call the reviser; what it raises loses nothing of the run."""
        meter = count_usage(budget or (Budget(float("inf"), (), _unlimited, self._prices) if self._priced else None))
        began, repairs = perf_counter(), list[Decision]()
        patch, problem = None, ""
        try:
            patch = await self._reviser.revise(_recorded(request, repairs))
        except GoalgraphError as error:
            problem = f"the reviser failed: {error}"
        except Exception as error:
            problem = f"the reviser failed: {type(error).__name__}: {' '.join(str(error).split())}"
        return Proposed(
            patch=patch,
            problem=problem,
            usage=meter.usage if meter.calls else Usage(),
            seconds=perf_counter() - began,
            repairs=tuple(repairs),
        )

    async def end(self) -> None:
        """Leave no call behind."""
        for task in self._begun.values():
            task.cancel()
        await asyncio.gather(*self._begun.values(), return_exceptions=True)
        self._begun.clear()


def _recorded(request: RevisionRequest, repairs: list[Decision]) -> RevisionRequest:
    return replace(request, on_decision=repairs.append)


def _unlimited(_reason: str) -> None:
    raise AssertionError("a budget without a limit is never used up")
