"""Time to the answer over the lower bound: 30 seeded random plans with log-normal step times.

    python benchmarks/makespan.py [--plans 30] [--mean-ms 50] [--sigma 0.8]

Plans have 20-60 steps, each of which needs up to three earlier ones. The bound is the longest path, and with slots at
least the total work divided by them. Building the graph counts. A sleep's own overshoot on this machine is
printed as the noise.
"""

import argparse
import asyncio
import math
import random
import statistics
from time import perf_counter
from typing import Any

from langgraph.graph import END, START, StateGraph

from goalgraph import AgentStep, ExecutionPolicy, Plan, StepContext, StepTask, create_plan_agent, specialist
from overhead import Graph, Outputs


def random_plan(seed: int, mean: float, sigma: float) -> tuple[Graph, dict[str, float]]:
    """A graph, and each step's seconds: log-normal with that mean."""
    chance = random.Random(seed)
    graph: Graph = {}
    for number in range(chance.randint(20, 60)):
        earlier = list(graph)[-12:]
        graph[f"s{number}"] = chance.sample(earlier, min(len(earlier), chance.choice([0, 1, 1, 2, 2, 3])))
    seconds = {step: chance.lognormvariate(math.log(mean) - sigma**2 / 2, sigma) for step in graph}
    return graph, seconds


def bound(graph: Graph, seconds: dict[str, float], slots: int | None) -> float:
    """No schedule can be faster."""
    end: dict[str, float] = {}
    for step, needs in graph.items():
        end[step] = seconds[step] + max((end[need] for need in needs), default=0.0)
    return max(max(end.values()), sum(seconds.values()) / slots if slots else 0.0)


async def goalgraph(graph: Graph, seconds: dict[str, float], slots: int | None) -> None:
    """This library."""

    @specialist
    async def sleeper(task: StepTask, context: StepContext) -> None:
        await asyncio.sleep(seconds[task.step])

    plan = Plan(
        steps=tuple(
            AgentStep(id=step, task="sleep", agent="sleeper", depends_on=tuple(needs)) for step, needs in graph.items()
        )
    )
    agent = create_plan_agent(None, [sleeper], execution=ExecutionPolicy(max_concurrency=slots))
    result = await agent.ainvoke({"goal": "sleep", "plan": plan})
    if result["status"] != "complete":
        raise RuntimeError("steps are missing")


async def node_per_step(graph: Graph, seconds: dict[str, float], slots: int | None) -> None:
    """LangGraph, one node per step."""
    builder: Any = StateGraph(Outputs)

    def node(step: str) -> Any:
        async def run(state: Outputs) -> dict[str, dict[str, int]]:
            await asyncio.sleep(seconds[step])
            return {"outputs": {step: 1}}

        return run

    awaited = {need for needs in graph.values() for need in needs}
    for step in graph:
        builder.add_node(step, node(step))
    for step, needs in graph.items():
        builder.add_edge(needs if len(needs) > 1 else needs[0] if needs else START, step)
        if step not in awaited:
            builder.add_edge(step, END)
    config: Any = {"recursion_limit": 1000, **({"max_concurrency": slots} if slots else {})}
    await builder.compile().ainvoke({"outputs": {}}, config)


async def noise() -> float:
    """Overshoot of a 50 ms sleep: median share."""
    shares: list[float] = []
    for _ in range(20):
        begin = perf_counter()
        await asyncio.sleep(0.05)
        shares.append((perf_counter() - begin) / 0.05)
    return statistics.median(shares)


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plans", type=int, default=30)
    parser.add_argument("--mean-ms", type=float, default=50)
    parser.add_argument("--sigma", type=float, default=0.8)
    args = parser.parse_args()
    warm_up, times = random_plan(10**6, 0.001, args.sigma)
    print(f"a 50 ms sleep takes {await noise():.3f} of that\n")
    print("| slots | goalgraph / bound, mean (lowest-highest) | one node per step / bound |\n|---|---|---|")
    for slots in (None, 5):
        ratios: dict[str, list[float]] = {"goalgraph": [], "node per step": []}
        for name, contender in (("goalgraph", goalgraph), ("node per step", node_per_step)):
            await contender(warm_up, times, slots)
            for seed in range(args.plans):
                graph, seconds = random_plan(seed, args.mean_ms / 1000, args.sigma)
                begin = perf_counter()
                await contender(graph, seconds, slots)
                ratios[name].append((perf_counter() - begin) / bound(graph, seconds, slots))
        shown = [f"{statistics.mean(one):.3f} ({min(one):.2f}-{max(one):.2f})" for one in ratios.values()]
        print(f"| {slots or 'unlimited'} | {shown[0]} | {shown[1]} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
