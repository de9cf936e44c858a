"""However deep a gate stands in a plan, nothing but an approval goes past it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from tests.faults.life import CONFIG

from goalgraph import (
    ApprovalPolicy,
    Plan,
    PlanAgent,
    Request,
    StepContext,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    specialist,
)
from goalgraph.errors import AnswerRefused
from goalgraph.planner.decomposer import PlanRequest

Document = dict[str, Any]
Nest = Literal["parallel", "row", "map", "sub_plan", "condition", "hierarchy"]
NESTS: tuple[Nest, ...] = ("parallel", "row", "map", "sub_plan", "condition", "hierarchy")
NO_APPROVALS: tuple[Any, ...] = (
    None,
    "",
    {},
    "yes",
    "Approve",
    " approve",
    1,
    0,
    [],
    [True, True],
    "true",
    {"approved": True},
)
MORE: tuple[Any, ...] = (
    {"type": "approved"},
    {"type": "respond", "message": "yes"},
    [{"type": "response", "args": "yes"}],
    ["approve"],
)


class Always:
    """Has one plan for every goal."""

    def __init__(self, *steps: Document) -> None:
        self.plan = Plan.model_validate({"steps": list(steps)})

    async def decompose(self, request: PlanRequest) -> Plan:
        return self.plan


def guarded(kind: str) -> list[Document]:
    """A step that must not run unasked: by the policy, or behind an approval of the plan's own."""
    if kind == "policy":
        return [{"id": "deed", "agent": "careful"}]
    ask: Document = {"id": "ask", "type": "human_approval", "prompt": "May it?"}
    return [ask, {"id": "deed", "agent": "bold", "depends_on": ["ask"]}]


def nested(steps: list[Document], nest: Nest, depth: int) -> list[Document]:
    """Put steps into another."""
    beside: Document = {"id": "beside", "agent": "other"}
    name = f"n{depth}"
    if nest == "sub_plan":
        return [{"id": name, "type": "sub_plan", "plan": {"steps": [*steps, beside]}}]
    if nest == "condition":
        return [{"id": name, "type": "condition", "if": "1 == 1", "then": steps}]
    if nest == "map":
        inner = {"id": "one", "type": "sub_plan", "plan": {"steps": steps}}
        return [{"id": name, "type": "map", "over": [1, 2], "step": inner}]
    if nest == "row":
        return [{"id": name, "type": "parallel", "branches": [[beside, *steps]]}]
    inner = {"id": "all", "type": "sub_plan", "plan": {"steps": steps}}
    return [{"id": name, "type": "parallel", "branches": [inner, beside]}]


def agent_of(kind: str, nests: Sequence[Nest], begun: list[str]) -> PlanAgent:
    """Make an agent whose plan has the guarded step that deep."""

    async def works(task: StepTask, context: StepContext) -> str:
        begun.append(f"{task.step} {context.idempotency_key}")
        return task.step

    @specialist
    async def careful(task: StepTask, context: StepContext) -> str:
        return await works(task, context)

    @specialist
    async def bold(task: StepTask, context: StepContext) -> str:
        return await works(task, context)

    @specialist
    async def other(task: StepTask, context: StepContext) -> str:
        return task.step

    policy = ApprovalPolicy(steps=("careful",))
    crew: list[Any] = [careful, bold, other]
    steps = guarded(kind)
    for depth, nest in enumerate(nests):
        if nest == "hierarchy":
            team = create_plan_agent(None, crew, decomposer=Always(*steps), approval=policy, name=f"team{depth}")
            crew = [careful, bold, other, team]
            steps = [{"id": f"n{depth}", "agent": f"team{depth}", "task": "do it"}]
        else:
            steps = nested(steps, nest, depth)
    return create_plan_agent(None, crew, decomposer=Always(*steps), approval=policy, checkpointer=InMemorySaver())


async def tried(agent: PlanAgent, way: str, value: Any, requests: Sequence[Request]) -> None:
    """Try to go on without an approval; refused, or of no effect."""
    first = requests[0]
    try:
        if way == "resume":
            await agent.ainvoke(Command(resume=value), CONFIG)
        elif way == "by_interrupt":
            await agent.ainvoke(Command(resume={one.interrupt.id: value for one in requests}), CONFIG)
        elif way == "by_request":
            await aanswer(agent, CONFIG, {one.id: value for one in requests})
        elif way == "beside_a_yes":
            await aanswer(agent, CONFIG, {first.id: True, "something else": True})
        elif way == "wrong_id":
            await agent.ainvoke(Command(resume={f"{'0' * 32}": True}), CONFIG)
        elif way == "stale_id":
            tag, interrupt, _, times = first.id.split("-")
            await aanswer(agent, CONFIG, {f"{tag}-{interrupt}-{'0' * 12}-{times}": True})
        else:
            await agent.ainvoke(None, CONFIG)
    except AnswerRefused:
        return
    assert way == "again", f"{way} {value!r} was taken for an answer"


WAYS = ("resume", "by_interrupt", "by_request", "beside_a_yes", "wrong_id", "stale_id", "again")


@given(
    kind=st.sampled_from(["policy", "step"]),
    nests=st.lists(st.sampled_from(NESTS), max_size=3),
    tries=st.lists(st.tuples(st.sampled_from(WAYS), st.sampled_from(NO_APPROVALS)), min_size=1, max_size=5),
)
@settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_no_approval_never_goes_past_a_gate(kind: str, nests: list[Nest], tries: list[tuple[str, Any]]) -> None:
    begun: list[str] = []

    async def all_of_it() -> None:
        agent = agent_of(kind, nests, begun)
        result = await agent.ainvoke({"goal": "the deed"}, CONFIG)
        requests = await apending(agent, CONFIG)
        assert {one.kind for one in requests} == {"gate" if kind == "policy" else "approval"}
        for way, value in tries:
            await tried(agent, way, value, requests)
            assert begun == []
            assert [one.id for one in await apending(agent, CONFIG)] == [one.id for one in requests]
        while requests:
            result = await aanswer(agent, CONFIG, {one.id: True for one in requests})
            requests = await apending(agent, CONFIG)
        assert result["status"] == "complete"
        assert len(begun) == 2 ** sum(1 for nest in nests if nest == "map"), "approved, and not done, or more than once"
        assert len(set(begun)) == len(begun)

    asyncio.run(all_of_it())


@given(
    nests=st.lists(st.sampled_from(NESTS), max_size=3), refusal=st.sampled_from([False, "reject", {"type": "reject"}])
)
@settings(max_examples=15, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_refused_is_never_done(nests: list[Nest], refusal: object) -> None:
    begun: list[str] = []

    async def all_of_it() -> None:
        agent = agent_of("policy", nests, begun)
        result = await agent.ainvoke({"goal": "the deed"}, CONFIG)
        while requests := await apending(agent, CONFIG):
            result = await aanswer(agent, CONFIG, dict.fromkeys((one.id for one in requests), refusal))
        assert begun == []
        assert result["status"] in ("failed", "degraded")

    asyncio.run(all_of_it())
