"""The review of a plan: shown before anything runs, approved, edited under the policy, or rejected with a reason."""

from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, goal, ran, worker

from goalgraph import ApprovalPolicy, InvalidAnswer, Limits, PlanAgent, Request, aanswer, apending, create_plan_agent
from goalgraph.testing import ScriptedChatModel

ALWAYS = ApprovalPolicy(plan=True, assignee="anna")


def draft(*names: str) -> dict[str, Any]:
    steps: list[Any] = [{"id": name, "agent": "worker", "task": f"do {name}", "depends_on": []} for name in names]
    return {"name": "-".join(names), "steps": steps}


async def the_request(agent: PlanAgent) -> Request:
    (request,) = await apending(agent, CONFIG)
    assert request.kind == "plan"
    return request


def planning(ledger: Ledger, model: ScriptedChatModel, saver: Any, approval: ApprovalPolicy = ALWAYS) -> PlanAgent:
    return create_plan_agent(model, [worker(ledger)], checkpointer=saver, approval=approval)


def shown(request: Request) -> list[str]:
    plan: Any = request.arguments["plan"]
    return [step["id"] for step in plan["steps"]]


async def test_nothing_runs_before_the_plan_is_approved(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ALWAYS)
    plan = goal(agent_step("a"), {"id": "ok", "type": "human_approval", "prompt": "?", "depends_on": ["a"]})
    await ran(agent, plan)
    assert ledger.started == []
    request = await the_request(agent)
    assert request.assignee == "anna"
    assert shown(request) == ["a", "ok"]
    value = request.interrupt.value
    assert value["estimate"]["approvals"] == ["ok"]
    assert value["estimate"]["cost_usd"] is None
    assert "`a` (worker)" in value["action_requests"][0]["description"]
    assert value["review_configs"][0]["allowed_decisions"] == ["approve", "edit", "reject"]
    result = await aanswer(agent, CONFIG, {request.id: "approve"}, by="anna")
    assert ledger.started == ["a"]
    (left,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {left.id: True})
    assert result["status"] == "complete"
    assert [(one.kind, one.chosen, one.by) for one in result["decisions"]] == [
        ("plan", "approve", "anna"),
        ("approval", "approve", None),
    ]


async def test_a_rejected_plan_is_planned_anew_with_the_reason(sqlite: SqliteSaver) -> None:
    ledger, model = Ledger(), ScriptedChatModel([draft("a"), draft("b"), draft("c")])
    agent = planning(ledger, model, sqlite)
    await ran(agent, {"goal": "the goal"})
    await aanswer(agent, CONFIG, {(await the_request(agent)).id: {"type": "reject", "message": "a is not needed"}})
    again = planning(ledger, model, sqlite)
    request = await the_request(again)
    assert shown(request) == ["b"]
    asked = str(model.received[-1][-1].content)
    assert "rejected" in asked
    assert "a is not needed" in asked
    assert '"do a"' in asked
    result = await aanswer(again, CONFIG, {request.id: True})
    assert ledger.started == ["b"]
    assert [one.chosen for one in result["decisions"]] == ["reject", "approve"]
    assert result["usage"].calls == 2


async def test_rejections_are_bounded(sqlite: SqliteSaver) -> None:
    ledger, model = Ledger(), ScriptedChatModel([draft("a"), draft("b")])
    agent = planning(ledger, model, sqlite, approval=ApprovalPolicy(plan=True, max_rejections=2))
    result = await ran(agent, {"goal": "the goal"})
    for _ in range(2):
        result = await aanswer(agent, CONFIG, {(await the_request(agent)).id: {"type": "reject", "message": "no"}})
    assert (result["status"], result["degraded"]) == ("halted", ["the plan was rejected: no"])
    assert result["answer"] == "Nothing was done: the plan was rejected: no."
    assert result["messages"][-1].content == result["answer"]
    assert ledger.started == []


async def test_the_same_plan_again_is_not_shown_again(sqlite: SqliteSaver) -> None:
    model = ScriptedChatModel([draft("a"), draft("a")])
    agent = planning(Ledger(), model, sqlite)
    await ran(agent, {"goal": "the goal"})
    result = await aanswer(agent, CONFIG, {(await the_request(agent)).id: False})
    assert (result["status"], result["degraded"]) == ("halted", ["the planner made a plan again that was rejected"])


async def test_a_plan_of_the_callers_that_is_rejected_ends_the_run_and_the_thread_is_free() -> None:
    agent = agent_of(worker(Ledger()), approval=ALWAYS)
    await ran(agent, goal(agent_step("a")))
    result = await aanswer(agent, CONFIG, {(await the_request(agent)).id: False})
    assert result["status"] == "halted"
    await ran(agent, goal(agent_step("b")))
    result = await aanswer(agent, CONFIG, {(await the_request(agent)).id: True})
    assert (result["status"], list(result["outcomes"])) == ("complete", ["b"])
    assert [one.chosen for one in result["decisions"]] == ["approve"], "the old goal's decisions are gone"


WHOLE = {"steps": [agent_step("x"), agent_step("y", "x")]}


@pytest.mark.parametrize(
    "edit",
    [
        {"plan": WHOLE},
        {"type": "edit", "args": {"plan": WHOLE}},
        {
            "type": "edit",
            "args": {
                "action": "plan",
                "args": {"plan": "steps:\n- {id: x, agent: worker}\n- {id: y, agent: worker, depends_on: [x]}\n"},
            },
        },
        {"decisions": [{"type": "edit", "edited_action": {"name": "plan", "args": {"plan": WHOLE}}}]},
        {"patch": {"add": WHOLE["steps"], "drop": ["a"]}},
    ],
    ids=["plain", "args", "inbox_yaml", "langchain", "patch"],
)
async def test_an_edited_plan_runs_as_it_is_edited(edit: Any, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ALWAYS)
    await ran(agent, goal(agent_step("a")))
    result = await ran(agent, Command(resume=edit))
    assert ledger.started == ["x", "y"]
    assert (result["status"], result["decisions"][0].chosen) == ("complete", "edit")


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ({"plan": {"steps": [{"id": "x", "agent": "nobody"}]}}, "no specialist is called 'nobody'"),
        ({"plan": {"steps": [agent_step("x", "y"), agent_step("y", "x")]}}, "wait for each other"),
        ({"plan": {"steps": [agent_step(f"s{number}") for number in range(6)]}}, "at most 5 steps"),
        ({"plan": "steps:\n- {id: x, agent: worker}\n- {id: y, agent: nobody}\n"}, "line 3"),
        ({"patch": {"drop": ["nothing"]}}, "no step of this id"),
        ({"patch": {"drop": ["a"]}}, "step"),
    ],
    ids=["specialist", "cycle", "limits", "line", "patch", "empty"],
)
async def test_an_edit_that_is_no_valid_plan_is_asked_again_with_its_problems(
    edit: Any, problem: str, sqlite: SqliteSaver
) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ALWAYS, limits=Limits(max_steps=5))
    await ran(agent, goal(agent_step("a")))
    first = await the_request(agent)
    await aanswer(agent, CONFIG, {first.id: edit})
    again = await the_request(agent)
    assert again.id != first.id
    assert problem in (again.problem or "nothing")
    assert again.arguments == first.arguments
    assert ledger.started == []
    assert (await aanswer(agent, CONFIG, {again.id: True}))["status"] == "complete"


@pytest.mark.parametrize("said", [None, "", {}, [], "yes please", {"plan": 3, "x": 1}, [True, True]], ids=repr)
async def test_what_is_no_answer_to_a_review_is_refused(said: Any) -> None:
    agent = agent_of(worker(Ledger()), approval=ALWAYS)
    await ran(agent, goal(agent_step("a")))
    request = await the_request(agent)
    with pytest.raises(InvalidAnswer):
        await ran(agent, Command(resume=said))
    assert (await the_request(agent)).id == request.id


async def test_a_function_of_plan_and_estimate_says_which_plans_are_shown() -> None:
    ledger = Ledger()
    policy = ApprovalPolicy(plan=lambda plan, estimate: estimate.steps > 1)
    agent = agent_of(worker(ledger), approval=policy)
    assert (await ran(agent, goal(agent_step("a"))))["status"] == "complete"
    await ran(agent, goal(agent_step("b"), agent_step("c")))
    assert (await the_request(agent)).step == ""
    assert ledger.started == ["a"]


async def test_steps_that_the_policy_asks_about_later_are_told_beforehand() -> None:
    agent = agent_of(worker(Ledger()), approval=ApprovalPolicy(plan=True, steps=("b", "worker")))
    await ran(agent, goal(agent_step("a"), agent_step("b")))
    said = (await the_request(agent)).interrupt.value["action_requests"][0]["description"]
    assert "`a`" in said.split("Asked about again before they run")[1]


def test_the_review_is_drawn_only_where_there_is_one() -> None:
    assert "review" in agent_of(worker(Ledger()), approval=ALWAYS).get_graph().nodes
    assert "review" not in agent_of(worker(Ledger())).get_graph().nodes
