"""Plans without runs: made by an agent or a function, run later, and estimated with what specialists really send."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver

from goalgraph import (
    ApprovalPolicy,
    Decision,
    ExecutionPolicy,
    InMemoryLibrary,
    Limits,
    Plan,
    PlanAgent,
    Retry,
    as_specialist,
    create_plan_agent,
    generate_plan,
    specialist,
)
from goalgraph.errors import InvalidGoal, InvalidPlan, PlannerError, UnknownSpecialist
from goalgraph.planner.alternatives import BestOf
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.documents import dump_plan, parse_document, read_document
from goalgraph.planner.history import History
from goalgraph.planner.prices import Price
from goalgraph.prompts import count_tokens
from goalgraph.testing import ScriptedChatModel

ran: list[str] = []


@specialist(description="Notes things down.", capabilities=["noting"], cost_usd=0, seconds=3)
def noter(task: Any, context: Any) -> str:
    ran.append(task.step)
    return "noted"


@specialist(description="Sends mail.", capabilities=["mail"], effects=True, cost_usd=0, seconds=1)
def mailer(task: Any, context: Any) -> str:
    return "sent"


def draft(*steps: tuple[str, str, list[str]], name: str = "made") -> dict[str, Any]:
    listed = [{"id": one, "agent": who, "task": f"do {one}", "depends_on": needs} for one, who, needs in steps]
    return {"name": name, "steps": listed}


SHORT, LONG = draft(("a", "noter", [])), draft(("a", "noter", []), ("b", "noter", ["a"]))


def agent_of(replies: Any = (), **fields: Any) -> PlanAgent:
    return create_plan_agent(ScriptedChatModel(list(replies)), [noter, mailer], **fields)


async def test_an_agent_plans_and_runs_nothing_until_it_is_given_the_plan() -> None:
    ran.clear()
    agent = agent_of([SHORT])
    plan = await agent.aplan("the goal")
    assert ([step.id for step in plan.steps], ran) == (["a"], [])
    kept = parse_document(dump_plan(plan), source="kept").plan
    result = await agent.ainvoke({"goal": "the goal", "plan": kept})
    assert (result["status"], ran) == ("complete", ["a"])


async def test_an_agent_plans_from_sync_code_also_inside_a_running_loop() -> None:
    assert agent_of([SHORT]).plan("the goal").name == "made"
    assert await asyncio.to_thread(lambda: agent_of([SHORT]).plan("the goal").name) == "made"
    with pytest.raises(InvalidGoal, match="the goal is empty"):
        agent_of().plan(" ")


async def test_an_agent_plans_with_its_own_planner_limits_and_library() -> None:
    asked: list[PlanRequest] = []

    class Own:
        async def decompose(self, request: PlanRequest) -> Plan:
            asked.append(request)
            return read_document({"steps": [{"id": "s", "type": "sub_plan", "plan": "kept"}]}).plan

    library = InMemoryLibrary()
    library.save("kept", read_document(SHORT).plan)
    agent = create_plan_agent(None, [noter], decomposer=Own(), library=library, limits=Limits(max_steps=7))
    plan = await agent.aplan("the goal", inputs={"x": 1}, constraints=["in French"])
    assert plan.steps[0].type == "sub_plan"
    assert plan.steps[0].plan == "kept"
    (request,) = asked
    assert (request.policy.max_steps, request.inputs, request.constraints) == (7, {"x": 1}, ("in French",))
    assert agent.estimate(plan).seconds is not None
    with pytest.raises(InvalidPlan, match="is an alias"):
        await create_plan_agent(None, [noter], decomposer=Own()).aplan("the goal")


async def test_the_best_of_several_drafts_is_taken_and_told() -> None:
    decisions: list[Decision] = []
    replies = {"": LONG, "parallel": LONG, "few steps": SHORT}

    def reply(messages: Any) -> Any:
        text = messages[-1].text
        return next((found for word, found in replies.items() if word and word in text), LONG)

    model = ScriptedChatModel(reply)
    plan = await generate_plan(
        "the goal", model=model, specialists=[noter], alternatives=3, on_decision=decisions.append
    )
    assert (len(plan.steps), len(model.received)) == (1, 3)
    assert [(one.kind, one.chosen) for one in decisions if one.chosen == "choose"] == [("planning", "choose")]
    agent = create_plan_agent(None, [noter], decomposer=BestOf(agent_of([SHORT, SHORT]).decomposer, 2))
    assert (await agent.ainvoke({"goal": "the goal"}))["status"] == "complete"


async def test_rules_put_approvals_where_they_are_required() -> None:
    goal = "Note the sales, then send a mail"
    anywhere = await generate_plan(goal, specialists=[noter, mailer], require_human_approval=True)
    assert len(anywhere.estimate([noter.card, mailer.card]).approvals) == 1
    named = await generate_plan("Note the sales", specialists=[noter], require_human_approval=["noting"])
    assert named.estimate([noter.card]).approvals == (f"{named.steps[0].id}.approval",)
    unused = await generate_plan("Note the sales", specialists=[noter], require_human_approval=["mail"])
    assert unused.estimate([noter.card]).approvals == ()
    assert (await generate_plan(goal, specialists=[noter, mailer])).estimate([]).approvals == ()


async def test_a_model_that_leaves_out_a_required_approval_is_told_and_its_plan_refused() -> None:
    model = ScriptedChatModel(lambda _: SHORT)
    with pytest.raises(PlannerError, match="approval"):
        await generate_plan("the goal", model=model, specialists=[noter], require_human_approval=True)


async def test_only_those_who_are_available_are_in_a_plan() -> None:
    model = ScriptedChatModel([SHORT])
    await generate_plan("the goal", model=model, specialists=[noter, mailer], available=["noter"])
    assert "Sends mail." not in "".join(message.text for message in model.received[0])
    with pytest.raises(UnknownSpecialist, match="no specialist is called 'nobody'"):
        await generate_plan("the goal", specialists=[noter], available=["nobody"])
    with pytest.raises(ValueError, match="constraints are a list of texts"):
        await generate_plan("the goal", specialists=[noter], constraints="short")


async def test_an_estimate_counts_what_the_model_is_really_sent() -> None:
    writer = ScriptedChatModel(["written"], model_name="own-model")
    one = as_specialist(writer, name="writer", description="Writes well.")
    answering = ScriptedChatModel(["the answer"], model_name="own-model")
    agent = create_plan_agent(answering, [one], synthesis="model")
    plan = read_document(
        {"steps": [{"id": "a", "agent": "writer", "task": "Write it", "constraints": ["short"], "input": {"x": "y"}}]}
    ).plan
    prices = {"own-model": Price(input=1_000_000, output=0)}
    found = agent.estimate(plan, goal="the goal", prices=prices)
    await agent.ainvoke({"goal": "the goal", "plan": plan})
    kinds = (SystemMessage, HumanMessage)
    sent = [message.text for message in writer.received[0] if isinstance(message, kinds)]
    answered = [message.text for message in answering.received[0] if isinstance(message, kinds)]
    real = count_tokens("\n\n".join(sent), "own-model") + count_tokens("\n\n".join(answered), "own-model")
    assert found.cost_usd is not None
    assert found.cost_usd.low == pytest.approx(real, abs=5)
    assert found.cost_usd.low <= real + 5 <= (found.cost_usd.high or 0) + 5
    without = create_plan_agent(answering, [one]).estimate(plan, goal="the goal", prices=prices)
    assert without.cost_usd is not None
    assert without.cost_usd.low == pytest.approx(count_tokens("\n\n".join(sent), "own-model"), abs=5)


async def test_an_estimate_takes_the_agents_policies_and_what_earlier_runs_tell() -> None:
    plan = read_document({"steps": [{"id": one, "agent": "noter"} for one in "abc"]}).plan
    assert agent_of().estimate(plan).seconds == plan.estimate([noter.card]).seconds
    one_by_one = agent_of(execution=ExecutionPolicy(max_concurrency=1, retry=Retry(max_attempts=2, initial_seconds=0)))
    found = one_by_one.estimate(plan)
    assert found.seconds is not None
    assert (found.seconds.low, found.seconds.high) == (9, 18)
    quick = agent_of()
    result = await quick.ainvoke({"goal": "the goal", "plan": plan})
    history = History.of(result["outcomes"].values())
    seen = quick.estimate(plan, history=history).seconds
    assert seen is not None
    assert seen.high is not None
    assert seen.high < 3
    with pytest.raises(InvalidPlan, match="nobody"):
        quick.estimate(read_document({"steps": [{"id": "a", "agent": "nobody"}]}).plan)


def test_who_is_left_open_is_who_the_engine_would_take() -> None:
    cheap = as_specialist(noter, name="cheap", cost_usd=1)
    dear = as_specialist(noter, name="dear", capabilities=["noting", "more"], cost_usd=5)
    agent = create_plan_agent(None, [dear, cheap])
    steps: list[Any] = [
        {"id": "a", "requires": ["noting"]},
        {"id": "m", "type": "map", "over": [1, 2], "step": {"id": "x", "requires": ["more"]}},
    ]
    found = agent.estimate(read_document({"steps": steps}).plan)
    assert found.specialists == {"cheap": 1, "dear": 1}
    assert found.cost_usd is not None
    assert (found.cost_usd.low, found.cost_usd.high) == (11, 11)


async def test_a_review_tells_what_the_plan_takes() -> None:
    agent = agent_of([draft(("a", "mailer", []))], approval=ApprovalPolicy(plan=True), checkpointer=InMemorySaver())
    result = await agent.ainvoke({"goal": "the goal"}, {"configurable": {"thread_id": "1"}})
    value = result["__interrupt__"][0].value
    text = value["action_requests"][0]["description"]
    assert "- **Cost:** 0.00 USD\n- **Tokens:** 0 tokens\n- **Time:** 1 seconds" in text
    assert "- **Effects outside of the run:** `a`" in text
    assert value["estimate"]["seconds"] == {"low": 1, "high": 1}
