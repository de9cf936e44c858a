"""What routing and breakers are worth where one specialist of three is no good: seeded random plans of 20 steps.

    python benchmarks/health.py [--plans 40] [--mean-ms 5] [--timeout-ms 150]

Three specialists have the same capability, four places each, and every step requires it. One of them fails half of its
calls, hangs until the step's timeout, or makes things up that an assessor finds out. ``named``: each step names one of
them, a third the bad one, as a plan does that knows nothing of that. Timeouts may catch good ones on a busy machine.
A step counts where it succeeded with a confidence of 0.5 or more; a plan, where all of its steps count. Time is over
that of the same plan with three good ones and least_loaded.
"""

import argparse
import asyncio
import random
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from goalgraph import (
    AgentStep,
    ExecutionPolicy,
    HealthPolicy,
    Outcome,
    Plan,
    StepContext,
    StepResult,
    StepTask,
    create_plan_agent,
    specialist,
)
from goalgraph.specialists import Assessment, FunctionSpecialist

Fault = Literal["none", "fails half", "hangs", "lies"]
STEPS, NAMES = 20, ("first", "second", "third")
GOOD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How steps are given to specialists."""

    name: str
    named: bool = False
    fallback: bool = False
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all runs share."""

    mean: float
    timeout: float


WAYS = (
    Way(name="named", named=True, options={}),
    Way(name="named, with a fallback", named=True, fallback=True, options={}),
    Way(name="least_loaded", options={"routing": "least_loaded"}),
    Way(
        name="least_loaded, health",
        options={"routing": "least_loaded", "health": HealthPolicy(min_confidence=GOOD)},
    ),
)


def plan_of(seed: int, way: Way) -> Plan:
    """Make up a plan; each step needs up to two earlier ones, whatever becomes of them."""
    chance = random.Random(seed)
    steps: list[AgentStep] = []
    for number in range(STEPS):
        needs = tuple(f"s{one}" for one in chance.sample(range(number), min(number, chance.choice([0, 1, 2]))))
        whose = chance.randrange(3)
        doer: dict[str, Any] = {"agent": NAMES[whose]} if way.named else {"requires": ("work",)}
        if way.fallback:
            doer["fallback"] = (NAMES[(whose + 1) % 3],)
        steps.append(AgentStep(id=f"s{number}", task="work", depends_on=needs, join="all_done", **doer))
    return Plan(steps=tuple(steps))


def crew_of(seed: int, fault: Fault, setting: Setting) -> list[FunctionSpecialist]:
    """Three specialists, the first of which has the fault."""
    chance = random.Random(f"{seed} faults")

    def one(name: str, fault: Fault) -> FunctionSpecialist:
        async def work(task: StepTask, context: StepContext) -> StepResult:
            await asyncio.sleep(random.Random(f"{seed} {task.step}").uniform(0.5, 1.5) * setting.mean)
            if fault == "hangs":
                await asyncio.sleep(60)
            if fault == "fails half" and chance.random() < 0.5:
                raise RuntimeError("out of order")
            return StepResult(output="made up" if fault == "lies" else "found", confidence=0.9)

        return specialist(name=name, capabilities=["work"], max_concurrency=4)(work)

    return [one(name, fault if name == NAMES[0] else "none") for name in NAMES]


def found_out(_task: StepTask, result: StepResult) -> Assessment:
    """Assess a result."""
    return Assessment(confidence=0.1 if result.output == "made up" else 0.9)


async def run(seed: int, fault: Fault, way: Way, setting: Setting) -> tuple[float, int]:
    """Run a plan; seconds, and how many steps count."""
    agent = create_plan_agent(
        None,
        crew_of(seed, fault, setting),
        assess=found_out,
        execution=ExecutionPolicy(step_timeout=setting.timeout),
        **way.options,
    )
    plan = plan_of(seed, way)
    begin = perf_counter()
    result: Any = await agent.ainvoke({"goal": "work", "plan": plan})
    took = perf_counter() - begin
    outcomes: Mapping[str, Outcome] = result["outcomes"]
    return took, sum(one.status == "succeeded" and (one.confidence or 0.0) >= GOOD for one in outcomes.values())


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plans", type=int, default=40)
    parser.add_argument("--mean-ms", type=float, default=5)
    parser.add_argument("--timeout-ms", type=float, default=150)
    args = parser.parse_args()
    setting = Setting(mean=args.mean_ms / 1000, timeout=args.timeout_ms / 1000)
    base = Way(name="three good ones", options={"routing": "least_loaded"})
    await run(-1, "none", base, setting)
    ideal = [(await run(seed, "none", base, setting))[0] for seed in range(args.plans)]
    print("| fault | way | steps that count | plans that count | time / three good ones, mean |")
    print("|---|---|---|---|---|")
    faults: tuple[Fault, ...] = ("fails half", "hangs", "lies")
    for fault in faults:
        for way in WAYS:
            done = [await run(seed, fault, way, setting) for seed in range(args.plans)]
            steps = sum(count for _, count in done) / (STEPS * args.plans)
            plans = sum(count == STEPS for _, count in done) / args.plans
            ratio = statistics.mean(took / best for (took, _), best in zip(done, ideal, strict=True))
            print(f"| {fault} | {way.name} | {steps:.1%} | {plans:.0%} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
