"""Steps that a policy asks about: with the arguments that they are about to run with."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, goal, ran, statuses, worker

from goalgraph import ApprovalPolicy, InvalidAnswer, PlanAgent, Proposal, Request, aanswer, apending


def asking(ledger: Ledger, *steps: Any, saver: Any = None, seconds: float = 0.0, **policy: Any) -> PlanAgent:
    doer = worker(ledger, capabilities=["deploys"], seconds=seconds)
    return agent_of(
        doer, worker(ledger, "other"), checkpointer=saver, approval=ApprovalPolicy(steps=tuple(steps), **policy)
    )


async def requests(agent: PlanAgent) -> dict[str, Request]:
    return {request.step: request for request in await apending(agent, CONFIG)}


async def test_the_request_shows_what_the_step_comes_down_to(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = asking(ledger, "b", saver=sqlite, assignee="anna")
    plan = goal(
        agent_step("a", input={"of": {"n": 3}}),
        agent_step("b", task="pay {{ steps.a.output.n }}", input={"sum": "{{ steps.a.output.n * 2 }}"}),
        agent_step("c", "b"),
    )
    await ran(agent, plan)
    assert ledger.started == ["a"]
    (request,) = await apending(agent, CONFIG)
    assert (request.kind, request.step, request.assignee) == ("gate", "b", "anna")
    assert request.arguments == {"instruction": "pay 3", "input": {"sum": 6}}
    assert "pay 3" in request.interrupt.value["action_requests"][0]["description"]
    result = await aanswer(agent, CONFIG, {request.id: True}, by="anna")
    assert ledger.started == ["a", "b", "c"]
    assert [(one.kind, one.chosen, one.by) for one in result["outcomes"]["b"].decisions] == [
        ("gate", "approve", "anna")
    ]


async def test_a_step_that_was_rejected_does_not_run_and_what_needs_it_neither() -> None:
    ledger = Ledger()
    agent = asking(ledger, "a")
    await ran(agent, goal(agent_step("a"), agent_step("b", "a"), agent_step("c")))
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: {"type": "reject", "message": "too dear"}})
    assert statuses(result) == {"a": "failed", "b": "blocked", "c": "succeeded"}
    assert (result["outcomes"]["a"].error.code, result["outcomes"]["a"].error.message) == (
        "rejected",
        "a human said no: too dear",
    )
    assert ledger.started == ["c"]


@pytest.mark.parametrize(
    "edit",
    [
        {"type": "edit", "args": {"input": {"sum": 5}}},
        {"type": "edit", "args": {"action": "a", "args": {"input": '{"sum": 5}', "instruction": "pay"}}},
        {"decisions": [{"type": "edit", "edited_action": {"name": "a", "args": {"input": {"sum": 5}}}}]},
    ],
    ids=["args", "inbox", "langchain"],
)
async def test_an_edit_is_what_the_step_runs_with(edit: Any) -> None:
    ledger = Ledger()
    agent = asking(ledger, "a")
    await ran(agent, goal(agent_step("a", task="pay", input={"sum": 50})))
    result = await ran(agent, Command(resume=edit))
    assert (ledger.tasks["a"].instruction, ledger.tasks["a"].input) == ("pay", {"sum": 5})
    assert result["decisions"][0].answer == {"instruction": "pay", "input": {"sum": 5}}


@pytest.mark.parametrize(
    "edit",
    [{}, {"sum": 5}, {"input": 5}, {"input": "no json"}, {"instruction": " "}, {"instruction": 3}, {"input": None}],
    ids=repr,
)
async def test_an_edit_that_does_not_fit_is_refused(edit: Any) -> None:
    ledger = Ledger()
    agent = asking(ledger, "a")
    await ran(agent, goal(agent_step("a", task="pay", input={"sum": 50})))
    with pytest.raises(InvalidAnswer, match="step 'a'"):
        await ran(agent, Command(resume={"type": "edit", "args": edit}))
    assert ledger.started == []


NESTED = goal(
    agent_step("plain"),
    {"id": "group", "type": "parallel", "branches": [agent_step("one"), [agent_step("two"), agent_step("three")]]},
    {"id": "each", "type": "map", "over": [1, 2], "step": agent_step("look", input={"x": "{{ item }}"})},
    {"id": "sub", "type": "sub_plan", "plan": {"steps": [agent_step("inner")]}},
    {"id": "sum", "type": "transform", "output": 1},
    {"id": "theirs", "agent": "other"},
)


@pytest.mark.parametrize(
    ("name", "gated"),
    [
        ("plain", {"plain"}),
        ("group", {"group.one", "group.two"}),
        ("group.three", {"group.three"}),
        ("each", {"each"}),
        ("sub", {"sub.inner"}),
        ("sum", {"sum"}),
        ("other", {"theirs"}),
        ("deploys", {"plain", "group.one", "group.two", "each[0]", "each[1]", "sub.inner"}),
        ("worker", {"plain", "group.one", "group.two", "each[0]", "each[1]", "sub.inner"}),
        ("nobody", set[str]()),
    ],
)
async def test_steps_are_meant_by_id_by_specialist_and_by_capability(name: str, gated: set[str]) -> None:
    ledger = Ledger()
    agent = asking(ledger, name)
    result = await ran(agent, NESTED)
    assert set(await requests(agent)) == gated
    assert not {step for step in ledger.started if step in gated or step.partition("[")[0] in gated}
    while "__interrupt__" in result:
        result = await aanswer(agent, CONFIG, {one.id: True for one in await apending(agent, CONFIG)})
    assert set(statuses(result).values()) == {"succeeded"}
    assert len(ledger.started) == len(set(ledger.started)) == 8


async def test_a_function_decides_by_what_the_step_would_be_given() -> None:
    ledger = Ledger()
    seen: list[Proposal] = []

    def is_dear(proposal: Proposal) -> bool:
        seen.append(proposal)
        return bool(proposal.input["sum"] > 100)  # type: ignore[operator]

    agent = asking(ledger, is_dear)
    step = agent_step("pay", input={"sum": "{{ item }}"})
    await ran(agent, goal({"id": "each", "type": "map", "over": [50, 500], "step": step}))
    assert set(await requests(agent)) == {"each[1]"}
    assert ledger.started == ["each[0]"]
    assert seen[0].specialists == ("worker",)
    assert seen[0].capabilities == {"deploys"}


async def test_where_the_function_fails_the_step_does_not_run() -> None:
    ledger = Ledger()

    def fails(proposal: Proposal) -> bool:
        return bool(proposal.input["missing"])

    agent = asking(ledger, fails)
    result = await ran(agent, goal(agent_step("a"), agent_step("b", "a")))
    assert result["outcomes"]["a"].error.code == "policy"
    assert "KeyError: 'missing'" in result["outcomes"]["a"].error.message
    assert ledger.started == []


async def test_other_branches_go_on_and_places_are_given_back_while_it_waits() -> None:
    ledger = Ledger()
    agent = asking(ledger, "a")
    config: Any = {**CONFIG, "max_concurrency": 1}
    paused = await agent.ainvoke(goal(agent_step("a"), agent_step("b"), agent_step("c", "b")), config)
    assert ledger.started == ["b", "c"]
    assert len(paused["__interrupt__"]) == 1


async def test_what_a_map_goes_over_can_be_edited_before_it_begins() -> None:
    ledger = Ledger()
    agent = asking(ledger, "each")
    await ran(agent, goal({"id": "each", "type": "map", "over": [1, 2, 3], "step": agent_step("look")}))
    (request,) = await apending(agent, CONFIG)
    assert request.arguments == {"input": {"over": [1, 2, 3]}}
    await aanswer(agent, CONFIG, {request.id: {"type": "edit", "args": {"input": {"over": [1]}}}})
    assert ledger.started == ["each[0]"]


@pytest.mark.parametrize(
    ("on_timeout", "status"), [("reject", "failed"), ("approve", "succeeded"), ("escalate", None)], ids=str
)
async def test_a_deadline_that_passes_means_what_the_policy_says(
    on_timeout: Any, status: str | None, sqlite: SqliteSaver
) -> None:
    ledger = Ledger()
    agent = asking(ledger, "a", saver=sqlite, deadline="200ms", on_timeout=on_timeout)
    await ran(agent, goal(agent_step("a")))
    (request,) = await apending(agent, CONFIG)
    await asyncio.sleep(0.25)
    result = await ran(agent, None)
    if status is None:
        (again,) = await apending(agent, CONFIG)
        assert (again.escalated, again.deadline) == (True, None)
        assert again.id != request.id
        result = await aanswer(agent, CONFIG, {again.id: True})
        status = "succeeded"
    assert result["outcomes"]["a"].status == status
    assert ledger.started == (["a"] if status == "succeeded" else [])
    assert bool(result["outcomes"]["a"].degraded) == (on_timeout == "approve")


async def test_an_answer_that_was_given_in_time_counts_though_the_run_takes_it_in_later(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = asking(ledger, "a", saver=sqlite, deadline="400ms", seconds=0.6)
    await ran(agent, goal(agent_step("a")))
    (request,) = await apending(agent, CONFIG)
    running = asyncio.create_task(aanswer(agent, CONFIG, {request.id: True}))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ledger.started == ["a"]
    await asyncio.sleep(0.3)
    result = await ran(agent, None)
    assert (result["status"], ledger.started) == ("complete", ["a", "a"])


async def test_now_is_the_same_whenever_the_turn_of_a_step_is_taken(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = asking(ledger, "b", saver=sqlite)
    await ran(agent, goal(agent_step("a"), agent_step("b", "a", input={"at": "{{ now() }}"})))
    (request,) = await apending(agent, CONFIG)
    await asyncio.sleep(0.05)
    await ran(asking(ledger, "b", saver=sqlite), None)
    (again,) = await apending(agent, CONFIG)
    assert (again.id, again.arguments) == (request.id, request.arguments)
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert result["status"] == "complete"
    assert ledger.tasks["b"].input == request.arguments["input"]


async def test_an_approval_does_not_hold_for_other_arguments(sqlite: SqliteSaver) -> None:
    """The answer is on its way when the program that takes it in asks for something else."""
    ledger = Ledger()
    price = ["10"]

    def costs(proposal: Proposal) -> bool:
        return True

    def of(sum_: str) -> PlanAgent:
        return agent_of(
            worker(ledger, replies={"a": sum_}),
            checkpointer=sqlite,
            approval=ApprovalPolicy(steps=(costs,), assignee=sum_),
        )

    await ran(of(price[0]), goal(agent_step("a", task="pay")))
    (request,) = await apending(of("10"), CONFIG)
    result = await aanswer(of("20"), CONFIG, {request.id: True})
    assert "__interrupt__" in result, "the request is for somebody else now"
    assert ledger.started == []
    (again,) = await apending(of("20"), CONFIG)
    assert again.problem is not None
    assert (await aanswer(of("20"), CONFIG, {again.id: True}))["status"] == "complete"


@pytest.mark.parametrize(
    "policy",
    [{"steps": "deploy"}, {"steps": ("",)}, {"deadline": "soon"}, {"max_rejections": 0}],
    ids=repr,
)
def test_a_policy_that_cannot_be_meant_is_refused(policy: Any) -> None:
    with pytest.raises(ValueError, match=r"ApprovalPolicy|expected"):
        ApprovalPolicy(**policy)
