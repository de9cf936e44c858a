"""Mistakes of the first minutes: each is told before anything runs, with what to do."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
    ExecutionPolicy,
    HumanApprovalStep,
    HumanInputStep,
    InvalidPlan,
    MapStep,
    Plan,
    PlanAgent,
    apending,
    create_plan_agent,
    specialist,
)
from goalgraph.errors import InvalidSpecialist, MissingCheckpointer, MissingThread
from goalgraph.testing import ScriptedSpecialist

KEPT: Any = {"configurable": {"thread_id": "1"}}


def made(*specialists: Any, **options: Any) -> PlanAgent:
    return create_plan_agent(None, specialists or [ScriptedSpecialist("worker")], **options)


@specialist
def writer(text: str) -> str:
    """Writes."""
    return text


def plain(text: str) -> str:
    return text


NO_LISTS: list[Any] = [writer, plain, "worker", {"worker": writer}, None, FakeListChatModel(responses=["x"])]


@pytest.mark.parametrize(
    "given",
    NO_LISTS,
    ids=["a specialist", "a function", "a name", "a mapping", "nothing", "a model"],
)
def test_specialists_that_are_no_list_are_told_as_such(given: Any) -> None:
    with pytest.raises(InvalidSpecialist, match=r"specialists are a list, found a \w+; write create_plan_agent"):
        create_plan_agent(None, given)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"approval": True}, r"expected ApprovalPolicy\(...\), found True"),
        ({"revision": True}, r"expected RevisionPolicy\(...\), found True"),
        ({"limits": {"max_cost_usd": 1}}, r"expected Limits\(...\), found {'max_cost_usd': 1}"),
        ({"execution": 4}, r"expected ExecutionPolicy\(...\), found 4"),
        ({"planning": ExecutionPolicy()}, r"expected PlanningPolicy\(...\), found ExecutionPolicy\("),
    ],
    ids=["approval", "revision", "limits", "execution", "planning"],
)
def test_what_is_no_policy_is_told_as_such(options: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        made(**options)


async def test_a_plan_of_another_kind_is_told_as_such() -> None:
    with pytest.raises(InvalidPlan, match=r"expected a plan, a mapping, or the path or text .*, found a list"):
        await made().ainvoke({"goal": "g", "plan": [{"id": "a", "agent": "worker"}]})


@pytest.mark.parametrize(
    "text",
    ["steps:\n- {id: a, agent: worker}\n", ' {"steps": [{"id": "a", "agent": "worker"}]}'],
    ids=["YAML", "JSON"],
)
async def test_a_plan_may_be_the_text_of_a_document(text: str) -> None:
    assert (await made().ainvoke({"goal": "g", "plan": text}))["status"] == "complete"


def test_a_plan_is_checked_with_lines_before_it_is_run(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "steps:\n- {id: a, agent: wroker}\n- id: b\n  agent: worker\n  task: '{{ input.topic }} {{ steps.c.output }}'\n"
    )
    with pytest.raises(InvalidPlan) as caught:
        made().check_plan(path)
    assert [(one.code, one.step, one.line) for one in caught.value.problems] == [
        ("unknown_specialist", "a", 2),
        ("unknown_reference", "b", 5),
    ]
    path.write_text("steps:\n- {id: b, agent: worker, task: '{{ input.topic }}'}\n")
    with pytest.raises(InvalidPlan, match=r"line 2, column \d+: .*'topic'"):
        made().check_plan(path)
    assert [step.id for step in made().check_plan(path, inputs={"topic": "x"}).steps] == ["b"]


async def test_a_run_that_is_kept_needs_a_thread() -> None:
    agent = made(checkpointer=InMemorySaver())
    with pytest.raises(MissingThread, match="thread_id"):
        await agent.ainvoke({"goal": "do it"})
    with pytest.raises(MissingThread, match="thread_id"):
        await apending(agent, {"configurable": {}})


@pytest.mark.parametrize(
    "step",
    [
        HumanApprovalStep(id="ask", prompt="Well?"),
        HumanInputStep(id="ask", prompt="Well?"),
        MapStep(id="ask", over="{{ [1] }}", step=HumanInputStep(id="one", prompt="Well?")),
    ],
    ids=["approval", "input", "in a map"],
)
async def test_a_plan_that_asks_needs_a_checkpointer_before_any_of_it_runs(step: Any) -> None:
    worker = ScriptedSpecialist("worker")
    plan = Plan(steps=(Plan.model_validate({"steps": [{"id": "a", "agent": "worker"}]}).steps[0], step))
    with pytest.raises(MissingCheckpointer, match="'ask' would wait for an answer"):
        await made(worker).ainvoke({"goal": "g", "plan": plan})
    assert worker.steps == []
    result = await made(worker, checkpointer=InMemorySaver()).ainvoke({"goal": "g", "plan": plan}, KEPT)
    assert result["__interrupt__"]


@pytest.mark.parametrize(
    ("policy", "said"),
    [(ApprovalPolicy(plan=True), "the review of the plan"), (ApprovalPolicy(steps=("worker",)), "steps 'do'")],
    ids=["plan", "step"],
)
async def test_an_approval_needs_a_checkpointer(policy: ApprovalPolicy, said: str) -> None:
    worker = ScriptedSpecialist("worker")
    with pytest.raises(MissingCheckpointer, match=said):
        await made(worker, approval=policy).ainvoke(
            {"goal": "g", "plan": {"steps": [{"id": "do", "agent": "worker", "task": "Do it."}]}}
        )
    assert worker.steps == []


async def test_the_checkpointer_of_a_graph_around_it_is_enough() -> None:
    class State(TypedDict):
        goal: str
        answer: str

    builder: Any = StateGraph(State)
    builder.add_node("agent", made(approval=ApprovalPolicy(plan=True)))
    builder.add_edge(START, "agent")
    graph = builder.compile(checkpointer=InMemorySaver())
    assert (await graph.ainvoke({"goal": "do it"}, KEPT))["__interrupt__"]


async def test_a_gate_that_means_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    able = ScriptedSpecialist("worker", capabilities=["mail"])
    items = MapStep(id="each", over="{{ [1] }}", step=AgentStep(id="look", agent="worker"))
    policy = ApprovalPolicy(steps=("wroker", "worker", "mail", "each"))
    with caplog.at_level("WARNING", logger="goalgraph"):
        await made(able, approval=policy, checkpointer=InMemorySaver()).ainvoke(
            {"goal": "g", "plan": Plan(steps=(items,))}, KEPT
        )
    assert [one.getMessage() for one in caplog.records] == [
        "nothing is called 'wroker', before which the approval policy asks"
    ]
