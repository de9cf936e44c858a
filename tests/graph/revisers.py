"""Revisers for tests: a scripted one, and specialists that fail, wait, or doubt."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from goalgraph import AgentStep, PlanPatch, RevisionRequest

Answer = PlanPatch | Exception | Callable[[RevisionRequest], PlanPatch]


@dataclass
class ScriptedReviser:
    """Gives patches in order, the last one again and again, and remembers what it was told."""

    answers: Sequence[Answer]
    seconds: float = 0.0
    requests: list[RevisionRequest] = field(default_factory=list[RevisionRequest])

    async def revise(self, request: RevisionRequest) -> PlanPatch:
        """Return the next patch."""
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(request)
        await asyncio.sleep(self.seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, PlanPatch) else answer(request)


def by(agent: str, step: str, *needs: str) -> PlanPatch:
    """Have a step done by somebody else."""
    return PlanPatch(replace=(AgentStep(id=step, agent=agent, task=step, depends_on=needs),), rationale=f"{agent} can")
