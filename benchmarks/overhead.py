"""Overhead per no-op step: goalgraph beside plain asyncio and LangGraph with one node per step, in one run.

    python benchmarks/overhead.py [--rounds 5] [--sizes chain:200 fan:500 layers:1000] [--settings none ...] [--scale]

Figures are microseconds per step: the median over the rounds, with the lowest and highest beside it; the contenders
take turns within a round, so that a drift of the machine's speed reaches all of them. Building the graph is
counted on both sides. "Sends alone" is LangGraph sending as many tasks that do nothing, without goalgraph. SQLite (a):
each with the saver it is best with in async code (AsyncSqliteSaver there, SqliteSaver here); (b): both with
SqliteSaver, node per step with sync nodes; (c): both with AsyncSqliteSaver.
"""

import argparse
import asyncio
import contextlib
import gc
import operator
import statistics
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

from langchain_core.runnables import Runnable
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from typing_extensions import TypedDict

from goalgraph import AgentStep, Limits, Plan, create_plan_agent, specialist

Graph = dict[str, list[str]]


def chain(count: int) -> Graph:
    """One after the other."""
    return {f"s{i}": [f"s{i - 1}"] if i else [] for i in range(count)}


def fan(count: int) -> Graph:
    """All at once after the first, then one that joins them."""
    middle = [f"s{i}" for i in range(1, count - 1)]
    return {"s0": [], **{step: ["s0"] for step in middle}, f"s{count - 1}": middle}


def layers(count: int, depth: int = 10) -> Graph:
    """Ten layers; each step needs three of the layer before."""
    width = count // depth
    return {
        f"s{i}": [] if i < width else [f"s{(i // width - 1) * width + (i + shift) % width}" for shift in (0, 1, 2)]
        for i in range(count)
    }


SHAPES: dict[str, Callable[[int], Graph]] = {"chain": chain, "fan": fan, "layers": layers}


@specialist
async def noop(task: Any, context: Any) -> int:
    """Do nothing."""
    return 1


async def plain(graph: Graph, _saver: Any) -> None:
    """Plain asyncio: a task per step."""
    tasks: dict[str, asyncio.Task[int]] = {}

    async def run(step: str) -> int:
        for need in graph[step]:
            await tasks[need]
        return 1

    async with asyncio.TaskGroup() as group:
        for step in graph:
            tasks[step] = group.create_task(run(step))


class Outputs(TypedDict):
    """State of the one-node-per-step graph."""

    outputs: Annotated[dict[str, int], operator.or_]


def nodes(graph: Graph, saver: Any, *, sync: bool) -> Any:
    """LangGraph, one node per step."""
    builder: Any = StateGraph(Outputs)

    def node(step: str) -> Any:
        async def run(state: Outputs) -> dict[str, dict[str, int]]:
            return {"outputs": {step: 1}}

        def run_sync(state: Outputs) -> dict[str, dict[str, int]]:
            return {"outputs": {step: 1}}

        return run_sync if sync else run

    awaited = {need for needs in graph.values() for need in needs}
    for step in graph:
        builder.add_node(step, node(step))
    for step, needs in graph.items():
        builder.add_edge(needs if len(needs) > 1 else needs[0] if needs else START, step)
        if step not in awaited:
            builder.add_edge(step, END)
    return builder.compile(checkpointer=saver)


async def node_per_step(graph: Graph, saver: Any) -> None:
    """LangGraph, one node per step."""
    result = await nodes(graph, saver, sync=False).ainvoke({"outputs": {}}, _config())
    if len(result["outputs"]) != len(graph):
        raise RuntimeError("steps are missing")


async def node_per_step_sync(graph: Graph, saver: Any) -> None:
    """The same with sync nodes and a sync saver, called from a thread."""
    result = await asyncio.to_thread(lambda: nodes(graph, saver, sync=True).invoke({"outputs": {}}, _config()))
    if len(result["outputs"]) != len(graph):
        raise RuntimeError("steps are missing")


class Sent(Runnable[Any, Any]):
    """What a task that is sent does: nothing."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """Refuse."""
        raise TypeError("use ainvoke")

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return 1 as the step's output."""
        return {"outputs": {input["step"]: 1}}


async def sends_alone(graph: Graph, saver: Any) -> None:
    """LangGraph with a task sent for each step, which does not even wait: the least that goalgraph could come to."""

    async def dispatch(state: Outputs) -> Any:
        return Command(goto=[Send("step", {"step": step}) for step in graph])

    builder: Any = StateGraph(Outputs)
    builder.add_node("dispatch", dispatch, destinations=("step",))
    builder.add_node("step", Sent(), input_schema=dict)
    builder.add_edge(START, "dispatch")
    result = await builder.compile(checkpointer=saver).ainvoke({"outputs": {}}, _config())
    if len(result["outputs"]) != len(graph):
        raise RuntimeError("steps are missing")


async def goalgraph(graph: Graph, saver: Any) -> None:
    """This library."""
    steps = [AgentStep(id=one, task="nothing", agent="noop", depends_on=tuple(needs)) for one, needs in graph.items()]
    plan = Plan(steps=tuple(steps))
    agent = create_plan_agent(None, [noop], checkpointer=saver, limits=Limits(max_steps=10_000), synthesis="last_wins")
    result = await agent.ainvoke({"goal": "nothing", "plan": plan}, _config())
    if len(result["outcomes"]) != len(graph) or result["status"] != "complete":
        raise RuntimeError("steps are missing")


_threads = iter(range(10**9))


def _config() -> Any:
    return {"configurable": {"thread_id": str(next(_threads))}, "recursion_limit": 100_000}


CONTENDERS = ("asyncio", "node per step", "sends alone", "goalgraph")

SETTINGS: dict[str, dict[str, tuple[Any, str | None]]] = {
    "none": {
        "asyncio": (plain, None),
        "node per step": (node_per_step, None),
        "sends alone": (sends_alone, None),
        "goalgraph": (goalgraph, None),
    },
    "SQLite (a)": {"node per step": (node_per_step, "async"), "goalgraph": (goalgraph, "sync")},
    "SQLite (b)": {"node per step": (node_per_step_sync, "sync"), "goalgraph": (goalgraph, "sync")},
    "SQLite (c)": {"node per step": (node_per_step, "async"), "goalgraph": (goalgraph, "async")},
}
"""By checkpointer, who is measured with which kind of saver."""


@contextlib.asynccontextmanager
async def opened(kind: str | None) -> AsyncGenerator[Any]:
    """A fresh saver of that kind."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "run.sqlite")
        if kind is None:
            yield None
        elif kind == "sync":
            with SqliteSaver.from_conn_string(file) as saver:
                saver.setup()
                yield saver
        else:
            async with AsyncSqliteSaver.from_conn_string(file) as saver:
                await saver.setup()
                yield saver


async def measure(graph: Graph, rounds: int, contenders: dict[str, tuple[Any, str | None]]) -> dict[str, list[float]]:
    """Seconds per round of each contender."""
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, (contender, kind) in contenders.items():
            async with opened(kind) as saver:
                seconds = await timed(contender, graph, saver)
            if number:  # the first round warms up
                took[name].append(seconds)
    return took


async def timed(contender: Any, graph: Graph, saver: Any) -> float:
    """Seconds of one run."""
    gc.collect()
    begin = perf_counter()
    await contender(graph, saver)
    return perf_counter() - begin


def shown(seconds: list[float], steps: int) -> str:
    """Microseconds per step: median (lowest-highest)."""
    each = [1e6 * one / steps for one in seconds]
    return f"{statistics.median(each):6.0f} ({min(each):.0f}-{max(each):.0f})"


def ratio(one: list[float], other: list[float]) -> str:
    """Median of the rounds' ratios (lowest-highest)."""
    ratios = [a / b for a, b in zip(one, other, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


async def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", nargs="*", default=["chain:200", "fan:500", "layers:1000"])
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--scale", action="store_true", help="500 steps against 4,000 as well")
    args = parser.parse_args()
    print("| plan | checkpointer | asyncio | node per step | sends alone | goalgraph | goalgraph / node per step |")
    print("|---|---|---|---|---|---|---|")
    for size in args.sizes:
        shape, _, count = size.partition(":")
        graph = SHAPES[shape](int(count))
        for setting in args.settings:
            took = await measure(graph, args.rounds, SETTINGS[setting])
            cells = [shown(took[name], len(graph)) if name in took else "" for name in CONTENDERS]
            against = ratio(took["goalgraph"], took["node per step"])
            print(f"| {shape} {count} | {setting} | {' | '.join(cells)} | {against} |", flush=True)
    if args.scale:
        print("\n| plan | 500 steps | 4,000 steps | ratio per step |\n|---|---|---|---|")
        for shape, make in SHAPES.items():
            few, many = [
                (await measure(make(count), args.rounds, {"goalgraph": (goalgraph, None)}))["goalgraph"]
                for count in (500, 4000)
            ]
            per_step = ratio([one / 4000 for one in many], [one / 500 for one in few])
            print(f"| {shape} | {shown(few, 500)} | {shown(many, 4000)} | {per_step} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
