"""What goes up and down between a run and those inside of its steps: budgets, usage, confidence, events, the way."""

import asyncio
import multiprocessing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import CONFIG, Result, agent_of, agent_step, answer, goal, ran, statuses

from goalgraph import (
    ApprovalPolicy,
    ExecutionPolicy,
    Plan,
    PlanAgent,
    StepContext,
    StepResult,
    StepTask,
    Usage,
    aanswer,
    apending,
    as_specialist,
    create_plan_agent,
    specialist,
)
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.testing import ScriptedChatModel


class Always:
    """A decomposer that has one plan for every goal."""

    def __init__(self, *steps: Result, **plan: Any) -> None:
        self.plan = Plan.model_validate({"steps": list(steps), **plan})

    async def decompose(self, request: PlanRequest) -> Plan:
        return self.plan


def spender(name: str = "spender") -> Any:
    """Does each step with one call of a model, which costs 0.15 USD; capable of spending."""
    usage = UsageMetadata(input_tokens=1_000_000, output_tokens=0, total_tokens=1_000_000)
    said = AIMessage("said", usage_metadata=usage, response_metadata={"model_name": "gpt-4o-mini"})
    model = ScriptedChatModel(lambda _: said)

    @specialist(name=name, capabilities=["spending"])
    async def spends(text: str) -> str:
        return (await model.ainvoke(text)).text

    return spends


def spend(step_id: str, *needs: str) -> Result:
    return agent_step(step_id, *needs, agent="spender")


def ask(step_id: str = "ok", *needs: str) -> Result:
    return {"id": step_id, "type": "human_approval", "prompt": f"{step_id}?", "depends_on": list(needs)}


def team(*steps: Result, name: str = "team", members: Sequence[Any] = (), **options: Any) -> PlanAgent:
    return create_plan_agent(None, [spender(), *members], decomposer=Always(*steps), name=name, **options)


def given_to(name: str, step_id: str, *needs: str, **fields: Any) -> Result:
    return {"id": step_id, "agent": name, "depends_on": list(needs), **fields}


def budget(usd: float) -> Mapping[str, Any]:
    return {"coordinator": {"guardrails": [{"type": "budget", "max_cost_usd": usd}]}}


CHAIN = (spend("a"), spend("b", "a"), spend("c", "b"), spend("d", "c"))


async def test_what_runs_inside_use_counts_outside_at_every_level() -> None:
    middle = team(spend("own"), given_to("low", "l"), name="middle", members=[team(*CHAIN[:2], name="low")])
    result = await ran(agent_of(middle, spender()), goal(given_to("middle", "m"), spend("x")))
    assert result["outcomes"]["m"].usage.calls == 3
    assert result["usage"] == Usage(input_tokens=4_000_000, calls=4)


@pytest.mark.parametrize("depth", [1, 2])
async def test_a_budget_stops_what_runs_inside(depth: int) -> None:
    inner = team(*CHAIN)
    if depth == 2:
        inner = team(given_to("team", "t"), name="middle", members=[inner])
    plan = goal(given_to(str(inner.name), "one"), spend("after", "one"), **budget(0.4))
    result = await ran(agent_of(inner, spender()), plan)
    one = result["outcomes"]["one"]
    assert one.usage.cost_usd == pytest.approx(0.45)
    assert statuses(result) == {"one": "succeeded", "after": "cancelled"}
    assert any("the plan's budget of 0.4 USD is used up" in reason for reason in one.degraded)
    assert any("step 'one'" in reason and "step 'd' cancelled" in reason for reason in result["degraded"])
    whole = await ran(agent_of(inner, spender()), goal(given_to(str(inner.name), "one"), **budget(9)))
    assert (whole["status"], whole["outcomes"]["one"].usage.calls) == ("complete", 4)


async def test_a_budget_that_is_used_up_stops_runs_inside_that_begin_later() -> None:
    inner = team(*CHAIN, members=[])
    steps = [given_to("team", "one"), given_to("team", "two", "one", join="all_done"), spend("x")]
    result = await ran(agent_of(inner, spender()), goal(*steps, **budget(0.1)))
    assert statuses(result)["two"] == "cancelled"
    assert result["outcomes"]["one"].usage.calls <= 2


async def test_what_a_run_inside_spent_before_a_pause_counts_after_it(sqlite: SqliteSaver) -> None:
    steps = (spend("a"), ask("ok", "a"), spend("b", "ok"), spend("c", "b"), spend("d", "c"))

    def build() -> PlanAgent:
        return agent_of(team(*steps), spender(), checkpointer=sqlite)

    paused = await ran(build(), goal(given_to("team", "one"), **budget(0.4)))
    result = await ran(build(), answer(paused, {"ok": True}))
    one = result["outcomes"]["one"]
    assert (one.usage.calls, one.usage.input_tokens) == (3, 3_000_000)
    assert one.usage.cost_usd == pytest.approx(0.45)
    assert any("step 'd' cancelled" in reason for reason in result["degraded"])


async def test_an_answer_is_as_sure_as_the_least_sure_step_inside() -> None:
    @specialist(name="guesser")
    async def guesses(task: StepTask, context: StepContext) -> StepResult:
        if task.step == "unsure":
            raise ValueError("no idea")
        return StepResult(output="x", confidence={"a": 0.9, "b": 0.4}.get(task.step))

    steps = (given_to("guesser", "a"), given_to("guesser", "b"), given_to("guesser", "c"))
    inner = team(*steps, given_to("guesser", "unsure", optional=True), members=[guesses])
    agent = agent_of(inner, spender(), execution=ExecutionPolicy(min_confidence=0.5))
    result = await ran(agent, goal(given_to("team", "one")))
    assert result["outcomes"]["one"].confidence == 0.4
    assert "step 'one' has confidence 0.4, below the 0.5 asked for" in result["degraded"]
    plain = await ran(agent_of(team(spend("a")), spender()), goal(given_to("team", "one")))
    assert plain["outcomes"]["one"].confidence is None


@pytest.mark.parametrize("status", ["failed", "halted"])
async def test_a_run_inside_that_has_nothing_to_show_fails_its_step(status: str) -> None:
    @specialist(name="broken")
    async def breaks(task: StepTask) -> str:
        raise ValueError("broken")

    if status == "failed":
        inner = team(given_to("broken", "x"), members=[breaks])
        result = await ran(agent_of(inner, spender()), goal(given_to("team", "one")))
    else:
        inner = team(spend("x"), approval=ApprovalPolicy(plan=True, max_rejections=1))
        agent = agent_of(inner, spender())
        await ran(agent, goal(given_to("team", "one")))
        (request,) = await apending(agent, CONFIG)
        assert (request.kind, request.step, request.path) == ("plan", "", "one")
        result = await aanswer(agent, CONFIG, {request.id: False})
    assert statuses(result) == {"one": "failed"}
    assert f"the run inside {status}" in result["outcomes"]["one"].error.message


async def test_events_from_inside_say_where_they_come_from() -> None:
    middle = team(given_to("low", "l"), name="middle", members=[team(spend("a"), name="low")])
    agent = agent_of(middle, spender())
    plan = goal(given_to("middle", "m"), {"id": "each", "type": "map", "over": [1], "step": given_to("middle", "x")})
    found: dict[str, set[str]] = {}
    async for _place, event in agent.astream(plan, CONFIG, stream_mode="custom", subgraphs=True):
        if event["type"] == "step_started":
            run, _, path = event["run"].partition("/")
            found.setdefault(run, set()).add("/".join(filter(None, (path, event["step"]))))
    (ways,) = found.values()
    assert ways == {"m", "m/l", "m/l/a", "each", "each[0]", "each[0]/l", "each[0]/l/a"}


async def test_what_is_asked_inside_says_the_way_to_it() -> None:
    middle = team(ask(), given_to("low", "l"), name="middle", members=[team(ask(), name="low")])
    agent = agent_of(middle, spender())
    paused = await ran(agent, goal(given_to("middle", "m"), ask(), ask("other")))
    requests = await apending(agent, CONFIG)
    assert {(one.step, one.path) for one in requests} == {
        ("ok", "m/ok"),
        ("ok", "m/l/ok"),
        ("ok", "ok"),
        ("other", "other"),
    }
    assert sorted(one.value.get("path", "-") for one in paused["__interrupt__"]) == ["-", "-", "m/l/ok", "m/ok"]
    result = await aanswer(agent, CONFIG, {one.id: True for one in requests})
    assert (result["status"], await apending(agent, CONFIG)) == ("complete", ())


def test_an_agent_among_specialists_is_known_by_what_its_own_can_do() -> None:
    @specialist(name="mailer", capabilities=["mail", "spending"], effects=True)
    async def mails(text: str) -> str:
        return text

    inner = team(spend("a"), members=[mails])
    (card,) = create_plan_agent(None, [team(spend("x"), name="upper", members=[inner])]).registry.cards
    assert card.name == "upper"
    told = "Plans a goal in several steps and does them, with: spender (spending), team (spending, mail)"
    assert card.description == told
    assert card.capabilities == ("spending", "mail")
    assert card.effects
    own = as_specialist(inner, name="t", description="Mine.", capabilities=["x"]).card
    assert (own.name, own.description, own.capabilities) == ("t", "Mine.", ("x",))
    many = [spender(f"s{number}") for number in range(30)]
    assert create_plan_agent(None, many).card.description.endswith(" and 10 more")


async def test_a_step_finds_an_agent_by_what_its_specialists_can_do() -> None:
    @specialist(name="other", capabilities=["nothing"])
    async def other(text: str) -> str:
        return text

    result = await ran(agent_of(other, team(spend("a"))), goal({"id": "one", "requires": ["spending"]}))
    assert (result["outcomes"]["one"].specialist, result["status"]) == ("team", "complete")


def in_a_process_of_its_own(path: str, way: str) -> dict[str, Any]:
    """Begin a run of three levels that asks in the innermost, or answer and go on; everything is built anew."""
    low = team(spend("a"), ask("ok", "a"), spend("b", "ok"), name="low")
    middle = team(spend("own"), given_to("low", "l", "own"), name="middle", members=[low])
    with SqliteSaver.from_conn_string(path) as saver:
        agent = agent_of(middle, spender(), checkpointer=saver)

        async def begun() -> dict[str, Any]:
            await agent.ainvoke(goal(given_to("middle", "m"), spend("end", "m")), CONFIG)
            return {one.path: one.id for one in await apending(agent, CONFIG)}

        async def answered() -> dict[str, Any]:
            (request,) = await apending(agent, CONFIG)
            result = await aanswer(agent, CONFIG, {request.id: True})
            return {"status": result["status"], "calls": result["usage"].calls, "statuses": statuses(result)}

        return asyncio.run(begun() if way == "begin" else answered())


def test_three_levels_go_on_in_another_process(tmp_path: Path) -> None:
    path = str(tmp_path / "run.sqlite")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        assert list(pool.apply(in_a_process_of_its_own, (path, "begin"))) == ["m/l/ok"]
        result = pool.apply(in_a_process_of_its_own, (path, "answer"))
    assert result == {"status": "complete", "calls": 4, "statuses": {"m": "succeeded", "end": "succeeded"}}
