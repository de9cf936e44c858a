"""Calling a reviser: at once where it is called for, while the run goes on; its result is taken later."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

from goalgraph.errors import GoalgraphError
from goalgraph.graph.ledger.ledger import Ledger
from goalgraph.graph.ledger.metering import count_usage
from goalgraph.graph.revision.applying import Proposed
from goalgraph.graph.steps.failures import named
from goalgraph.planner.decision import Decision
from goalgraph.planner.plan import Plan
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
        self._begun: dict[str, tuple[Plan, asyncio.Task[Proposed]]] = {}

    def __len__(self) -> int:
        """Return how many calls were begun whose results were not taken yet."""
        return len(self._begun)

    def begin(
        self, request: RevisionRequest, digest: str, ledgers: Sequence[Ledger], ended: Callable[[bool], None]
    ) -> None:
        """Call the reviser in a task of its own.

        Args:
            request: As things stand now.
            digest: What to ask for the result by.
            ledgers: What its model calls need to be granted by.
            ended: Called at its end; whether there is a change to make.
        """

        def end(task: "asyncio.Task[Proposed]") -> None:
            if not task.cancelled():
                ended(bool(task.result().patch))

        task = asyncio.get_running_loop().create_task(self.called(request, ledgers))
        task.add_done_callback(end)
        self._begun[digest] = (request.plan, task)

    def is_begun(self, digest: str) -> bool:
        """Whether there is a call whose result was not taken yet."""
        return digest in self._begun

    def is_at_work(self, digest: str) -> bool:
        """Whether there is a call that has no result yet."""
        return digest in self._begun and not self._begun[digest][1].done()

    def keep(self, digests: Collection[str]) -> None:
        """End the calls whose results nobody is to take: what they are about is no more."""
        for digest in self._begun.keys() - set(digests):
            self._begun.pop(digest)[1].cancel()

    def has_change(self, digest: str) -> bool:
        """Whether there is a result with a change to make."""
        return digest in self._begun and not self.is_at_work(digest) and bool(self._begun[digest][1].result().patch)

    async def wait(self, digests: Collection[str]) -> None:
        """Wait until any of some calls has its result."""
        tasks = [self._begun[digest][1] for digest in digests if digest in self._begun]
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    def taken(self, digest: str) -> tuple[Plan, Proposed]:
        """Return the plan that a call was made for, and its result, which there must be; once."""
        plan, task = self._begun.pop(digest)
        return plan, task.result()

    async def given_up(self) -> list[Proposed]:
        """Wait for all calls, and return their results, which are not to be used; but what they took is to be known."""
        tasks = [task for _, task in self._begun.values()]
        self._begun.clear()
        return await asyncio.gather(*tasks)

    async def called(self, request: RevisionRequest, ledgers: Sequence[Ledger]) -> Proposed:
        """Call the reviser; what it raises loses nothing of the run."""
        meter = count_usage(ledgers or ((Ledger(prices=self._prices),) if self._priced else ()))
        began, repairs = perf_counter(), list[Decision]()
        patch, problem = None, ""
        try:
            patch = await self._reviser.revise(_recorded(request, repairs))
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            problem = f"the reviser failed: {named(error)}"
        except GoalgraphError as error:
            problem = f"the reviser failed: {error}"
        except Exception as error:
            problem = f"the reviser failed: {type(error).__name__}: {' '.join(str(error).split())}"
        return Proposed(
            patch=patch,
            problem=problem,
            usage=meter.usage,
            seconds=perf_counter() - began,
            repairs=tuple(repairs),
        )

    async def end(self) -> None:
        """Leave no call behind."""
        tasks = [task for _, task in self._begun.values()]
        self._begun.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _recorded(request: RevisionRequest, repairs: list[Decision]) -> RevisionRequest:
    return replace(request, on_decision=repairs.append)
