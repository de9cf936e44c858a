"""Runs for tests of the report: one that is changed twice and approved, a large one, and one whose texts are hostile."""

import asyncio
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from tests.graph.revisers import ScriptedReviser

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
    Artifact,
    HumanApprovalStep,
    HumanInputStep,
    Limits,
    MapStep,
    Plan,
    PlanAgent,
    PlanPatch,
    RevisionPolicy,
    StepContext,
    StepResult,
    StepTask,
    Usage,
    aanswer,
    apending,
    create_plan_agent,
    specialist,
)
from goalgraph.planner.source import Source

__all__ = ["CONFIG", "HOSTILE", "VECTORS", "briefing", "briefing_agent", "hostile", "large"]

CONFIG: Any = {"configurable": {"thread_id": "1"}}
GOAL = "Compare the three largest battery makers, check the figures, and send a briefing to the board"
_CHART = """<svg xmlns="http://www.w3.org/2000/svg" width="640" height="260" viewBox="0 0 640 260" font-family="sans-serif">
<rect width="640" height="260" fill="#fff"/><g font-size="15" fill="#1f2328">
<text x="20" y="32" font-weight="bold">Cells shipped, GWh</text>
<text x="20" y="87">Volta</text><text x="20" y="147">Nordcell</text><text x="20" y="207">Kanto</text></g>
<g fill="#2f6fb0"><rect x="110" y="66" width="420" height="32"/><rect x="110" y="126" width="310" height="32"/>
<rect x="110" y="186" width="205" height="32"/></g>
<g font-size="14" fill="#1f2328"><text x="540" y="87">252</text><text x="430" y="147">186</text>
<text x="325" y="207">123</text></g></svg>"""
_ANSWER = """\
# Battery makers, 2025

**Volta leads with 252 GWh**, ahead of Nordcell (186 GWh) and Kanto (123 GWh). Its margin fell, because lithium carbonate
was dearer in the second half.

| maker | GWh | growth | margin |
|---|--:|--:|--:|
| Volta | 252 | +18% | 9.1% |
| Nordcell | 186 | +31% | 6.4% |
| Kanto | 123 | -2% | 11.8% |

- Nordcell grows fastest, and pays for it.
- Kanto's figures are from *filings* of the third quarter.
"""


def _usage(thousands: float) -> Usage:
    tokens = int(1_000 * thousands)
    return Usage(input_tokens=tokens, output_tokens=tokens // 5, calls=2, cost_usd=tokens * 2e-6)


def briefing_agent(folder: Path, **options: Any) -> tuple[PlanAgent, Plan]:
    """An agent whose plan does not work out twice, and that asks before it sends anything."""

    @specialist(capabilities=["research"])
    async def researcher(task: StepTask, context: StepContext) -> StepResult:
        """Finds facts."""
        await asyncio.sleep(0.25)
        return StepResult(output={"text": f"Found what was asked: {task.instruction}", "pages": 4}, usage=_usage(9))

    @specialist
    async def archive(task: StepTask, context: StepContext) -> str:
        """Reads filings."""
        await asyncio.sleep(0.1)
        raise RuntimeError("the archive is closed until Monday")

    @specialist
    async def analyst(task: StepTask, context: StepContext) -> StepResult:
        """Compares figures."""
        await asyncio.sleep(0.2)
        if "audited" in task.instruction:
            return StepResult(output="All figures are audited ones.", confidence=0.92, usage=_usage(14))
        doubt = "two of three figures are estimates"
        return StepResult(output="Volta leads.", confidence=0.41, confidence_reason=doubt, usage=_usage(12))

    @specialist
    async def designer(task: StepTask, context: StepContext) -> StepResult:
        """Draws charts."""
        path = folder / "shipped.svg"
        path.write_text(_CHART, "utf-8")
        await asyncio.sleep(0.15)
        chart = Artifact(path=str(path), media_type="image/svg+xml", title="Cells shipped in 2025")
        return StepResult(output="A bar chart.", artifacts=(chart,), signals=("handoff.ready",))

    @specialist
    async def writer(task: StepTask, context: StepContext) -> StepResult:
        """Writes."""
        await asyncio.sleep(0.3)
        return StepResult(output=_ANSWER, usage=_usage(16))

    @specialist(capabilities=["mail"])
    async def mailer(task: StepTask, context: StepContext) -> str:
        """Sends mail."""
        return "sent to 7 members of the board"

    plan = Plan(
        name="Briefing on battery makers",
        steps=(
            AgentStep(id="market", agent="researcher", task="Collect the market's figures for 2025"),
            AgentStep(id="filings", agent="archive", task="Read the annual filings of the three makers"),
            MapStep(
                id="prices",
                over=["lithium", "nickel", "cobalt"],
                step=AgentStep(id="one", agent="researcher", task="Find the price of {{ item }} over the year"),
            ),
            AgentStep(
                id="compare",
                agent="analyst",
                task="Compare the makers",
                depends_on=("market", "filings", "prices"),
                min_confidence=0.7,
            ),
            AgentStep(id="chart", agent="designer", task="Draw the cells shipped", depends_on=("compare",)),
            AgentStep(id="briefing", agent="writer", task="Write the briefing", depends_on=("compare", "chart")),
            HumanApprovalStep(
                id="approve", prompt="May this go to the board?", assignee="Finance", depends_on=("briefing",)
            ),
            AgentStep(id="send", agent="mailer", task="Send the briefing to the board", depends_on=("approve",)),
        ),
        output="{{ steps.briefing.output }}",
    )
    compare = AgentStep(
        id="compare",
        agent="analyst",
        task="Compare the makers, with audited figures only",
        depends_on=("market", "filings", "prices", "audit"),
        min_confidence=0.7,
    )
    patches = (
        PlanPatch(
            replace=(AgentStep(id="filings", agent="researcher", task="Find the makers' filings at the exchange"),),
            rationale="The archive is closed; the exchange has the same filings.",
        ),
        PlanPatch(
            add=(AgentStep(id="audit", agent="researcher", task="Find audited figures", depends_on=("filings",)),),
            replace=(compare,),
            rationale="Two figures were estimates: look for audited ones first.",
        ),
    )
    agent = create_plan_agent(
        None,
        [researcher, archive, analyst, designer, writer, mailer],
        reviser=ScriptedReviser(patches, seconds=0.1),
        revision=RevisionPolicy(),
        checkpointer=InMemorySaver(),
        approval=ApprovalPolicy(steps=("send",)),
        **options,
    )
    return agent, plan


async def briefing(folder: Path, *, answered: bool = True) -> dict[str, Any]:
    """Values of a run whose plan is changed twice, and that is approved by two people unless it is to wait."""
    agent, plan = briefing_agent(folder)
    result = await agent.ainvoke({"goal": GOAL, "plan": plan}, CONFIG)
    if not answered:
        state = await agent.aget_state(CONFIG)
        return {**state.values, "__interrupt__": state.interrupts}
    for who, said in (("Maria Lindqvist, CFO", "Figures agree with ours."), ("Tom Okafor", "")):
        await asyncio.sleep(0.4)
        answers = {one.id: {"type": "approve", "message": said} for one in await apending(agent, CONFIG)}
        result = await aanswer(agent, CONFIG, answers, by=who)
    assert result["status"] == "complete"
    return result


async def large(steps: int = 303) -> dict[str, Any]:
    """Result of a run of many steps, some of which fail."""

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        """Works."""
        await asyncio.sleep(0.01)
        if task.step.endswith("77"):
            raise ValueError(f"{task.step} cannot be done")
        return f"{task.step} is done. " * 40

    names = [f"step_{number:03}" for number in range(steps)]
    plan = Plan(
        name="A large plan",
        steps=tuple(
            AgentStep(id=name, agent="worker", task=f"Do part {place}", depends_on=names[place - 30 : place - 29])
            if place >= 30
            else AgentStep(id=name, agent="worker", task=f"Do part {place}")
            for place, name in enumerate(names)
        ),
    )
    agent = create_plan_agent(None, [worker], limits=Limits(max_steps=steps))
    return await agent.ainvoke({"goal": f"Do {steps} things", "plan": plan})


VECTORS = (
    "<script>window.pwned=(window.pwned||0)+1;document.title='pwned'</script>",
    "<img src=x onerror=\"window.pwned=1;document.title='pwned'\">",
    '<svg onload="window.pwned=1"><script>window.pwned=1</script></svg>',
    "</pre></code></p></dd></details></template></style></script><script>window.pwned=1</script>",
    "]]><script>window.pwned=1</script><!--",
    "--><script>window.pwned=1</script>",
    '" onmouseover="window.pwned=1" autofocus onfocus="window.pwned=1" x="',
    "' onmouseover='window.pwned=1' autofocus onfocus='window.pwned=1' x='",
    "` onmouseover=window.pwned=1 ",
    "{{ 7 * 7 }}{% raw %}{{ self }}",
    "[click](javascript:window.pwned=1) <javascript:window.pwned=1> [d](data:text/html,<script>window.pwned=1</script>)",
    '![x](http://127.0.0.1:9/leak.png) ![y](javascript:window.pwned=1) <http://127.0.0.1:9/"onmouseover=window.pwned=1>',
    '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe><object data=x><embed src=x><base href=http://127.0.0.1:9/>',
    "<style>@import 'http://127.0.0.1:9/x.css';*{background:url(http://127.0.0.1:9/y)}</style><link rel=stylesheet href=//x>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'><form action=//x><input autofocus onfocus=window.pwned=1>",
    "<details open ontoggle=window.pwned=1><summary>x</summary></details><video><source onerror=window.pwned=1></video>",
    "\u202eevil\u2066 \x1b[31mred\x1b[0m \x00 \u2028",
    '```" onclick="window.pwned=1\n</code></pre><script>window.pwned=1</script>\n```',
)
"""Texts that would do something in a page that does not escape them."""
HOSTILE = "\n\n".join(VECTORS)


async def hostile(folder: Path) -> dict[str, Any]:
    """Values of a run in which everything that can be text is hostile, and that waits for an answer."""
    svg = folder / "evil.svg"
    svg.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" onload="window.pwned=1">{VECTORS[0]}</svg>', "utf-8")

    @specialist
    async def evil(task: StepTask, context: StepContext) -> StepResult:
        """Says what it likes."""
        context.record_decision(HOSTILE, alternatives=(HOSTILE,), rationale=HOSTILE)
        files = (
            Artifact(path=str(svg), media_type="image/svg+xml", title=HOSTILE),
            Artifact(path=VECTORS[1], media_type=f"image/{VECTORS[1]}", title=VECTORS[0]),
        )
        return StepResult(
            output={HOSTILE: HOSTILE},
            confidence=0.1,
            confidence_reason=HOSTILE,
            artifacts=files,
            degraded=(HOSTILE,),
            signals=("handoff.ready",),
        )

    @specialist
    async def broken(task: StepTask, context: StepContext) -> str:
        """Fails."""
        raise RuntimeError(HOSTILE)

    plan = Plan(
        name=VECTORS[0],
        description=HOSTILE,
        inputs={"text": HOSTILE},
        steps=(
            AgentStep(id="evil", agent="evil", task="{{ input.text }}"),
            AgentStep(id="broken", agent="broken", task="fail"),
            HumanInputStep(id="ask", prompt="{{ input.text }}", assignee="{{ input.text }}"),
        ),
    )
    agent = create_plan_agent(
        None,
        [evil, broken],
        reviser=ScriptedReviser([PlanPatch(drop=("nothing",), rationale=HOSTILE[:2_000])]),
        revision=RevisionPolicy(max_revisions=1, at_limit="accept"),
        checkpointer=InMemorySaver(),
    )
    await agent.ainvoke({"goal": HOSTILE, "plan": plan}, CONFIG)
    state = await agent.aget_state(CONFIG)
    named = {"specialist": VECTORS[0]}
    outcomes = {name: one.model_copy(update=named) for name, one in state.values["outcomes"].items()}
    sources = [Source(step="evil", specialist=VECTORS[1], title=HOSTILE, sections=(HOSTILE,))]
    return {
        **state.values,
        "outcomes": outcomes,
        "goal": f"\ud800{HOSTILE}",
        "answer": f"\ud800{HOSTILE}",
        "status": VECTORS[6],
        "degraded": [HOSTILE],
        "sources": sources,
        "__interrupt__": state.interrupts,
    }
