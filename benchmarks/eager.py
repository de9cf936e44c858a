"""Time from goal to answer: first steps that begin while the plan is written, beside plan-then-run, in one run.

    python benchmarks/eager.py plans.jsonl [--tokens-per-second 40] [--step-seconds 2] [--scale 0.1] [--url http://...]

Each line of the file is a JSON object with ``goal`` and ``steps`` (``id``, ``instruction``, ``depends_on``). A
stand-in for a model writes each plan in the planner's own form, at so many tokens a second (four characters each);
each step then takes so many seconds. ``--scale`` is what all times are multiplied by. With ``--url``, the plans come
from an OpenAI-compatible server instead, which sets its own pace. Figures are seconds of the unscaled clock.
"""

import argparse
import asyncio
import json
import math
import statistics
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from goalgraph import AgentStep, ExecutionPolicy, Plan, PlanAgent, create_plan_agent, specialist
from goalgraph.planner.draft import as_draft, draft_schema

_CHARACTERS = 4
"""To a token, about."""


class PacedModel(BaseChatModel):
    """Writes one text, token by token."""

    text: str
    seconds: float
    """For each token."""

    @property
    def _llm_type(self) -> str:
        return "paced"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.text))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        began = perf_counter()
        for number, at in enumerate(range(0, len(self.text), _CHARACTERS), 1):
            await asyncio.sleep(max(began + number * self.seconds - perf_counter(), 0))
            yield ChatGenerationChunk(message=AIMessageChunk(self.text[at : at + _CHARACTERS]))


def plan_of(line: dict[str, Any]) -> Plan:
    """Return a line's plan, in ids that plans may have."""
    ids = {str(step["id"]): f"s{number}" for number, step in enumerate(line["steps"], 1)}
    return Plan(
        name=line["goal"][:60],
        steps=tuple(
            AgentStep(
                id=ids[str(step["id"])],
                agent="worker",
                task=step["instruction"].replace("{", "(").replace("}", ")"),
                depends_on=tuple(ids[str(need)] for need in step["depends_on"]),
            )
            for step in line["steps"]
        ),
    )


async def timed(agent: PlanAgent, goal: str) -> float:
    """Return the seconds that a goal takes."""
    began = perf_counter()
    result = await agent.ainvoke({"goal": goal})
    if result["status"] != "complete":
        raise SystemExit(f"{goal!r} ended as {result['status']}: {result['degraded']}")
    return perf_counter() - began


async def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plans", type=Path)
    parser.add_argument("--tokens-per-second", type=float, default=40.0)
    parser.add_argument("--step-seconds", type=float, default=2.0)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--url")
    parser.add_argument("--at-once", type=int, default=4, help="goals that run at the same time")
    given = parser.parse_args()
    lines = [json.loads(line) for line in given.plans.read_text("utf-8").splitlines() if line.strip()]
    scale = 1.0 if given.url else given.scale
    places = asyncio.Semaphore(given.at_once)

    @specialist
    async def worker(_text: str) -> str:
        """Does anything."""
        await asyncio.sleep(given.step_seconds * scale)
        return "done"

    def model(line: dict[str, Any]) -> BaseChatModel:
        if given.url:
            options: dict[str, Any] = {"base_url": given.url, "api_key": "none"}
            from langchain_openai import ChatOpenAI

            return ChatOpenAI(model="gpt-5-mini", **options)
        form: dict[str, Any] = draft_schema([worker.card])
        empty: dict[str, Any] = {name: [] for name in form["properties"]}  # in the order that the form asks for
        text = json.dumps({**empty, **as_draft(plan_of(line))}, ensure_ascii=False)
        return PacedModel(text=text, seconds=scale / given.tokens_per_second)

    async def both(line: dict[str, Any]) -> tuple[float, float, int]:
        async with places:
            found: list[float] = []
            for eager in (False, True):
                agent = create_plan_agent(model(line), [worker], execution=ExecutionPolicy(eager=eager))
                found.append(await timed(agent, line["goal"]) / scale)
            return found[0], found[1], len(line["steps"])

    results = await asyncio.gather(*(both(line) for line in lines))
    ratios = [eager / plain for plain, eager, _ in results]
    plain, eager = (statistics.mean(one[at] for one in results) for at in (0, 1))
    print(f"{len(results)} goals, {statistics.mean(one[2] for one in results):.1f} steps each")
    print(f"plan, then run: mean {plain:.2f} s;  eager: mean {eager:.2f} s;  ratio of the means {eager / plain:.3f}")
    spread = statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else 0.0
    print(f"mean of the ratios {statistics.mean(ratios):.3f} +- {spread:.3f} ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    asyncio.run(main())
