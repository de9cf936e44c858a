"""What is written into a run's state from outside is checked before any of it is stored."""

import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START
from langgraph.types import Command, Overwrite, StateUpdate
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, answer, asked, goal, ran, worker

from goalgraph import ApprovalPolicy, Decision, InvalidPlan, Outcome, PlanAgent, aanswer, apending
from goalgraph.errors import InvalidState

PLAN: Any = {"steps": [agent_step("a"), {"id": "ok", "type": "human_approval", "prompt": "?", "depends_on": ["a"]}]}
UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "a name": ({"input": {}}, "nothing of the name 'input', but goal"),
    "inputs": ({"inputs": [1]}, "inputs: "),
    "an input": ({"inputs": {"x": object()}}, "inputs: x: "),
    "an outcome": ({"outcomes": {"a": {"output": 1}}}, "outcomes.a: step: Field required"),
    "a step": ({"outcomes": {"z": None}}, "the plan has no step 'z'"),
    "outcomes": ({"outcomes": [1]}, "expected them by step, found list"),
    "an outcome's step": ({"outcomes": {"a": Outcome(step="b", status="succeeded")}}, "it is the outcome of 'b'"),
    "all outcomes": ({"outcomes": Overwrite({})}, "expected them by step, found Overwrite"),
    "decisions": ({"decisions": ["yes"]}, "decisions: 0: "),
    "a status": ({"status": "done"}, "status: "),
    "messages": ({"messages": [5]}, "messages: "),
    "an approval": (
        {"carried": [Decision(kind="approval", subject="ok", chosen="approve", at="2026-01-01T00:00:00+00:00")]},
        "carried: it is not for updates to change",
    ),
}


@pytest.fixture
async def paused(sqlite: SqliteSaver) -> tuple[PlanAgent, Ledger]:
    """An agent whose run waits for a human."""
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    await ran(agent, {"goal": "g", "plan": PLAN})
    return agent, ledger


async def _goes_on(agent: PlanAgent, ledger: Ledger) -> None:
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert (result["status"], ledger.started) == ("complete", ["a"])


@pytest.mark.parametrize(("values", "said"), UNFIT.values(), ids=UNFIT)
async def test_what_does_not_fit_is_refused_and_the_run_is_as_it_was(
    values: dict[str, Any], said: str, paused: tuple[PlanAgent, Ledger]
) -> None:
    agent, ledger = paused
    with pytest.raises(InvalidState) as refused:
        await agent.aupdate_state(CONFIG, values)
    assert said in str(refused.value)
    with pytest.raises(InvalidState):
        await agent.ainvoke(Command(update=values), CONFIG)
    with pytest.raises(InvalidState):
        await agent.abulk_update_state(
            CONFIG, [[StateUpdate({"inputs": {}}, "gather")], [StateUpdate(values, "gather")]]
        )
    await _goes_on(agent, ledger)


async def test_all_that_does_not_fit_is_told_at_once(paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    with pytest.raises(InvalidState) as refused:
        await agent.aupdate_state(CONFIG, {"inputs": 1, "outcomes": {"z": None, "a": 1}, "bogus": 2})
    for said in ("inputs: ", "no step 'z'", "outcomes.a: ", "'bogus'"):
        assert said in str(refused.value)
    await _goes_on(agent, ledger)


@pytest.mark.parametrize("update", [{"plan": PLAN}, [("plan", PLAN)]], ids=["a mapping", "pairs"])
async def test_a_command_does_not_change_the_plan(update: Any, paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    with pytest.raises(InvalidState, match="use update_state"):
        await agent.ainvoke(Command(update=update), CONFIG)
    await _goes_on(agent, ledger)


async def test_a_command_changes_what_fits(paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    await agent.ainvoke(Command(update={"inputs": {"x": 1}}), CONFIG)
    assert (await agent.aget_state(CONFIG)).values["inputs"] == {"x": 1}
    await _goes_on(agent, ledger)


async def test_an_outcome_is_written_as_data_or_taken_back(paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    await agent.aupdate_state(CONFIG, {"outcomes": {"a": {"step": "a", "status": "succeeded", "output": "mine"}}})
    assert (await agent.aget_state(CONFIG)).values["outcomes"]["a"].output == "mine"
    await agent.aupdate_state(CONFIG, {"outcomes": {"a": None}})
    await ran(agent, None)
    assert ledger.started == ["a", "a"]


async def test_a_plan_that_is_taken_away_is_made_anew(paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    await agent.aupdate_state(CONFIG, {"goal": "write a poem", "plan": None})
    result = await ran(agent, None)
    assert [step.id for step in result["plan"].steps] != ["a", "ok"]
    assert result["status"] == "complete"
    assert len(ledger.started) == 1 + len(result["outcomes"])


async def test_every_plan_of_several_updates_is_checked_and_reviewed(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite, approval=ApprovalPolicy(plan=True))
    await ran(agent, goal(agent_step("a")))
    wrong: Any = {"plan": {"steps": [{"id": "x", "agent": "nobody"}]}}
    first = StateUpdate({"inputs": {"x": 1}}, "decompose")
    commands: list[Any] = [Command(update=wrong), Command(update=list(wrong.items()))]
    for update in (StateUpdate(wrong), *(StateUpdate(one, "decompose") for one in commands)):
        with pytest.raises(InvalidPlan, match="nobody"):
            await agent.abulk_update_state(CONFIG, [[first], [update]])
    copied: Any = [(wrong, "decompose")]
    with pytest.raises(InvalidPlan, match="nobody"):
        await agent.abulk_update_state(CONFIG, [[StateUpdate(copied, "__copy__")]])
    await agent.abulk_update_state(CONFIG, [[first], [StateUpdate({"plan": {"steps": [agent_step("b")]}})]])
    for node in ("gather", "dispatch", "review", None):
        again = await ran(agent, None)
        assert again["__interrupt__"][0].value["kind"] == "plan"
        assert [step.id for step in (await agent.aget_state(CONFIG)).values["plan"].steps] == ["b"]
        await agent.aupdate_state(CONFIG, {"plan": {"steps": [agent_step("b")]}}, as_node=node)


async def test_input_is_written_where_no_run_is_under_way(paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    given: Any = {"goal": "another", "plan": {"steps": [agent_step("b")]}}
    with pytest.raises(InvalidState, match="the run is not over"):
        await agent.aupdate_state(CONFIG, given, as_node="__input__")
    await _goes_on(agent, ledger)
    await agent.aupdate_state(CONFIG, given, as_node="__input__")
    result = await ran(agent, None)
    assert (result["status"], list(result["outcomes"]), ledger.started) == ("complete", ["b"], ["a", "b"])


async def test_an_update_as_a_command_keeps_what_is_recorded(paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    await agent.aupdate_state(CONFIG, Command(update={"inputs": {"x": 1}}))
    stopped = await ran(agent, None)
    result = await ran(agent, answer(stopped, {"ok": True}))
    assert asked(result) == {}
    assert (result["status"], ledger.started) == ("complete", ["a"])


@dataclass
class _Values:
    """An update that is no dict, as LangGraph takes it."""

    plan: Any


@pytest.mark.parametrize(
    "update",
    [_Values(PLAN), [Command(update={"plan": PLAN})], Command(update=_Values(PLAN)), "x", Command(goto="gather")],
    ids=["an object", "commands", "an object in a command", "a text", "a command that leads"],
)
async def test_what_cannot_be_checked_is_refused(update: Any, paused: tuple[PlanAgent, Ledger]) -> None:
    agent, ledger = paused
    for node in ("decompose", None, "__copy__"):
        with pytest.raises(InvalidState):
            await agent.aupdate_state(CONFIG, update, as_node=node)
    await _goes_on(agent, ledger)


@pytest.mark.parametrize("node", [None, "__copy__", "decompose", "dispatch", "worker", "human_approval", "gather"])
@pytest.mark.parametrize(
    "values", [None, {"inputs": {"x": 1}}, Command(resume=True)], ids=["nothing", "inputs", "resume"]
)
async def test_a_run_goes_on_where_it_is_whichever_step_an_update_is_made_as(
    values: Any, node: str | None, paused: tuple[PlanAgent, Ledger]
) -> None:
    agent, ledger = paused
    if node == "__copy__" and values is not None:
        values = [(values, "worker")]
    await agent.aupdate_state(CONFIG, values, as_node=node)
    await agent.abulk_update_state(CONFIG, [[StateUpdate({}, node)], [StateUpdate({"inputs": {"x": 2}})]])
    await ran(agent, None)
    assert (await agent.aget_state(CONFIG)).values["inputs"] == {"x": 2}
    await _goes_on(agent, ledger)


@pytest.mark.parametrize("node", [None, "__copy__", "decompose", "review", "dispatch", "worker", "gather"])
async def test_no_update_goes_past_the_review(node: str | None, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ApprovalPolicy(plan=True))
    await ran(agent, goal(agent_step("a")))
    several = [StateUpdate({}, node or "gather"), StateUpdate({"inputs": {"x": 1}}, "worker")]
    await agent.abulk_update_state(
        CONFIG, [[StateUpdate({}, node)], several if node != "__copy__" else [StateUpdate({})]]
    )
    with pytest.raises(InvalidState, match="leave goto out"):
        await agent.ainvoke(Command(goto="dispatch"), CONFIG)
    with pytest.raises(InvalidState, match="review: it is not for updates"):
        await agent.aupdate_state(CONFIG, {"review": None}, as_node="gather")
    with pytest.raises(InvalidState, match="review: it is not for updates"):
        await agent.ainvoke(Command(update={"review": None}), CONFIG)
    await agent.aupdate_state(CONFIG, (await agent.aget_state(CONFIG)).values)
    stopped = await ran(agent, None)
    assert (stopped["__interrupt__"][0].value["kind"], ledger.started) == ("plan", [])
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: {"type": "reject", "message": "no"}})
    assert (result["status"], ledger.started) == ("halted", [])
    await agent.aupdate_state(CONFIG, {}, as_node=node)
    assert (await agent.aget_state(CONFIG)).next == ()


@pytest.mark.parametrize("write", [1, 2, 3], ids=["before the goal is taken in", "before the plan", "after it"])
@pytest.mark.parametrize("plan", [{"steps": [agent_step("b")]}, None], ids=["a plan", "inputs"])
async def test_no_update_of_a_run_that_was_cut_off_early_goes_past_the_review(
    plan: Any, write: int, sqlite: SqliteSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, writes = Ledger(), iter(range(1, 100))
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ApprovalPolicy(plan=True))
    kept = SqliteSaver.put_writes

    def refused(*args: Any) -> None:
        if next(writes) == write:
            raise sqlite3.OperationalError("disk I/O error")
        kept(*args)

    with monkeypatch.context() as patched:
        patched.setattr(SqliteSaver, "put_writes", refused)
        with pytest.raises(sqlite3.OperationalError):
            await agent.ainvoke(goal(agent_step("a")), CONFIG)
    values = {"inputs": {"x": 1}} if plan is None else {"plan": plan}
    if write == 1:
        with pytest.raises(InvalidState, match="go on with it first"):
            await agent.aupdate_state(CONFIG, values)
    else:
        await agent.aupdate_state(CONFIG, values)
    stopped = await ran(agent, None)
    assert (stopped["__interrupt__"][0].value["kind"], ledger.started) == ("plan", [])
    shown = (await agent.aget_state(CONFIG)).values["plan"]
    assert [step.id for step in shown.steps] == (["a"] if plan is None or write == 1 else ["b"])


@pytest.mark.parametrize("first", [StateUpdate({}, START), StateUpdate({"goal": "g", "plan": PLAN}, "__input__")])
async def test_no_update_begins_a_plan_again_that_was_rejected(first: StateUpdate, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ApprovalPolicy(plan=True))
    await ran(agent, goal(agent_step("a")))
    (request,) = await apending(agent, CONFIG)
    await aanswer(agent, CONFIG, {request.id: False})
    await agent.abulk_update_state(CONFIG, [[first], [StateUpdate({}, "worker")]])
    stopped = await ran(agent, None)
    assert (stopped["__interrupt__"][0].value["kind"], ledger.started) == ("plan", [])


async def test_no_update_begins_a_plan_that_was_never_made(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ApprovalPolicy(plan=True))
    given = goal(agent_step("a"))
    await agent.ainvoke(given, CONFIG, interrupt_before=["decompose"])
    await agent.aupdate_state(CONFIG, None, as_node=END)
    await agent.aupdate_state(CONFIG, {}, as_node="worker")
    assert ((await agent.aget_state(CONFIG)).next, ledger.started) == ((), [])
