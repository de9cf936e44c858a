"""Time of runs whose plans are mended while they run, over that of an ideal scheduler: 300 seeded random plans.

    python benchmarks/revision.py [--runs 300] [--mean-ms 50] [--sigma 0.8] [--reviser-ms 100]

Plans have 10-60 steps, each of which needs up to three earlier ones; a step fails with a chance of 15 % when the one it
was planned for does it. The reviser takes its time, and then has somebody else do the step (mostly), lets a new step go
before that, knows nothing better, or proposes the same again. The ideal scheduler sends nothing anew: all that is ready
runs, any number of revisers think at once, and only what needs a failed step waits for its revision. It has the same
times, and its slots go to the longest way first, as here.
"""

import argparse
import asyncio
import heapq
import math
import random
import statistics
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal

from goalgraph import (
    AgentStep,
    ExecutionPolicy,
    Plan,
    PlanPatch,
    RevisionPolicy,
    RevisionRequest,
    StepContext,
    StepTask,
    create_plan_agent,
    specialist,
)
from makespan import noise, random_plan
from overhead import Graph

Mend = Literal["other", "first", "nothing", "same"]
MENDS: tuple[Mend, ...] = ("other", "first", "nothing", "same")
MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A plan, and what will happen."""

    graph: Graph
    seconds: dict[str, float]
    """By step, whoever does it; of new steps too."""
    failing: dict[str, Mend]
    """Steps that fail, and what the reviser makes of it."""
    thinking: float
    """Seconds that the reviser takes."""


@dataclass(slots=True)
class Crew:
    """What was done in a run."""

    case: Case
    begun: Counter[str] = field(default_factory=Counter[str])
    done: set[str] = field(default_factory=set[str])
    again: int = 0
    """How often a step was begun that had succeeded before."""

    async def work(self, step: str, *, fails: bool) -> None:
        """Do a step."""
        self.again += step in self.done
        self.begun[step] += 1
        await asyncio.sleep(self.case.seconds[step])
        if fails:
            raise RuntimeError("out of order")
        self.done.add(step)

    async def revise(self, request: RevisionRequest) -> PlanPatch:
        """Mend the plan."""
        failed = request.plan.step(request.trigger.step)
        assert isinstance(failed, AgentStep)
        await asyncio.sleep(self.case.thinking)
        mend = self.case.failing[failed.id]
        if mend == "nothing":
            return PlanPatch(rationale="nothing better is known")
        if mend == "same":
            return PlanPatch(replace=(failed,), rationale="once more")
        other = failed.model_copy(update={"agent": "able"})
        if mend == "other":
            return PlanPatch(replace=(other,), rationale="another one can")
        new = f"{failed.id}_first"
        added = AgentStep(id=new, task="sleep", agent="able")
        needs = (*failed.depends_on, new)
        return PlanPatch(add=(added,), replace=(other.model_copy(update={"depends_on": needs}),), rationale="in two")


@dataclass(slots=True)
class Figures:
    """What came of runs with so many slots."""

    ratios: list[float] = field(default_factory=list[float])
    revisions: int = 0
    kept: int = 0
    again: int = 0
    told: int = 0
    past: int = 0


def case_of(seed: int, mean: float, sigma: float, thinking: float) -> Case:
    """Make one up."""
    chance = random.Random(f"{seed} revisions")
    graph, seconds = random_plan(seed, mean, sigma)
    count = chance.randint(10, 60)
    while len(graph) < count:
        more, times = random_plan(chance.randrange(10**9), mean, sigma)
        offset = len(graph)
        graph |= {f"s{int(step[1:]) + offset}": [f"s{int(one[1:]) + offset}" for one in more[step]] for step in more}
        seconds |= {f"s{int(step[1:]) + offset}": times[step] for step in times}
    graph = dict(list(graph.items())[:count])
    failing: dict[str, Mend] = {
        step: chance.choices(MENDS, (70, 14, 8, 8))[0] for step in graph if chance.random() < 0.15
    }
    seconds = {step: seconds[step] for step in graph}
    seconds |= {f"{step}_first": chance.lognormvariate(math.log(mean) - sigma**2 / 2, sigma) for step in failing}
    return Case(graph=graph, seconds=seconds, failing=failing, thinking=thinking)


def ideal(case: Case, slots: int | None) -> float:
    """Seconds that a scheduler takes that sends nothing anew."""
    dependents: dict[str, list[str]] = {step: [] for step in case.graph}
    for step, needs in case.graph.items():
        for need in needs:
            dependents[need].append(step)
    depth: dict[str, int] = {}
    for step in reversed(case.graph):
        depth[step] = 1 + max((depth[one] for one in dependents[step]), default=0)
    missing = {step: len(needs) for step, needs in case.graph.items()}
    free = slots or len(case.graph) * 3
    ready = [(-depth[step], number, step) for number, step in enumerate(case.graph) if not missing[step]]
    heapq.heapify(ready)
    coming: list[tuple[float, int, str, str]] = []
    failed = set(case.failing)
    now, number = 0.0, len(ready)
    while ready or coming:
        while ready and free:
            _, _, step = heapq.heappop(ready)
            free -= 1
            number += 1
            heapq.heappush(coming, (now + case.seconds[step], number, "ends", step))
        now, _, what, step = heapq.heappop(coming)
        number += 1
        if what == "revised":
            mend = case.failing[step]
            if mend in ("other", "first"):
                new = step if mend == "other" else f"{step}_first"
                heapq.heappush(ready, (-depth[step], number, new))
            continue
        free += 1
        if step.endswith("_first"):
            heapq.heappush(ready, (-depth[step[: -len("_first")]], number, step[: -len("_first")]))
        elif step in failed:
            failed.discard(step)
            heapq.heappush(coming, (now + case.thinking, number, "revised", step))
        else:
            for after in dependents[step]:
                missing[after] -= 1
                if not missing[after]:
                    heapq.heappush(ready, (-depth[after], number, after))
    return now


async def run(case: Case, slots: int | None, figures: Figures) -> float:
    """Run it; seconds."""
    crew = Crew(case)

    @specialist
    async def planned(task: StepTask, context: StepContext) -> None:
        await crew.work(task.step, fails=task.step in case.failing)

    @specialist
    async def able(task: StepTask, context: StepContext) -> None:
        await crew.work(task.step, fails=False)

    steps = (
        AgentStep(id=step, task="sleep", agent="planned", depends_on=tuple(case.graph[step])) for step in case.graph
    )
    begin = perf_counter()
    agent = create_plan_agent(
        None,
        [planned, able],
        execution=ExecutionPolicy(max_concurrency=slots),
        revision=RevisionPolicy(max_revisions=MOST),
        reviser=crew,
    )
    result: Any = await agent.ainvoke({"goal": "sleep", "plan": Plan(steps=tuple(steps))})
    took = perf_counter() - begin
    made = [one for one in result["decisions"] if one.kind == "revision"]
    figures.revisions += len(made)
    figures.past += len(made) > MOST
    figures.kept += len(crew.done) if made else 0
    figures.again += crew.again
    lacking = [step.id for step in result["plan"].steps if result["outcomes"][step.id].status != "succeeded"]
    said = all(any(f"'{step}'" in reason for reason in result["degraded"]) for step in lacking)
    figures.told += said and result["status"] == ("degraded" if lacking else "complete")
    return took


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--mean-ms", type=float, default=50)
    parser.add_argument("--sigma", type=float, default=0.8)
    parser.add_argument("--reviser-ms", type=float, default=100)
    args = parser.parse_args()
    print(f"a 50 ms sleep takes {await noise():.3f} of that\n")
    print(
        "| slots | revisions | done twice | ended and said so | past the bound | time / ideal, mean (lowest-highest) |"
    )
    print("|---|---|---|---|---|---|")
    await run(case_of(10**6, 0.001, args.sigma, 0.001), None, Figures())
    for slots in (None, 5):
        figures = Figures()
        for seed in range(args.runs):
            case = case_of(seed, args.mean_ms / 1000, args.sigma, args.reviser_ms / 1000)
            figures.ratios.append(await run(case, slots, figures) / ideal(case, slots))
        mean = f"{statistics.mean(figures.ratios):.3f} ({min(figures.ratios):.2f}-{max(figures.ratios):.2f})"
        print(
            f"| {slots or 'unlimited'} | {figures.revisions} | {figures.again} of {figures.kept} | "
            f"{figures.told / args.runs:.0%} | {figures.past} | {mean} |",
            flush=True,
        )


if __name__ == "__main__":
    asyncio.run(main())
