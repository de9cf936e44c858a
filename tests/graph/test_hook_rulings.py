"""What hooks decide while a run goes on: who does a step, what they are told of it, and the last word."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, goal, ran, statuses, worker

from goalgraph import (
    ApprovalPolicy,
    ExecutionPolicy,
    HookFailed,
    Outcome,
    PlanAgent,
    PlanningPolicy,
    Proposal,
    Ruling,
    aanswer,
    apending,
    create_plan_agent,
    on_all_complete,
    on_assignment,
    on_step_complete,
)
from goalgraph.graph import Assignment, Completion
from goalgraph.testing import ScriptedSpecialist


def to(name: object, *steps: str) -> Callable[[Assignment], object]:
    """A hook that gives steps, or all of them, to somebody."""

    @on_assignment
    def gives(told: Assignment) -> object:
        return name if not steps or told.step in steps else None

    return gives


def crew(hooks: object, **options: Any) -> tuple[PlanAgent, Ledger, Ledger]:
    mine, other = Ledger(), Ledger()
    sends = worker(other, "mailer", capabilities=["mailing"], max_concurrency=1)
    return agent_of(worker(mine), sends, hooks=hooks, **options), mine, other


async def test_a_hook_gives_a_step_to_somebody_else_and_it_is_on_record() -> None:
    told: list[Assignment] = []

    @on_assignment
    async def chooses(one: Assignment) -> Ruling | None:
        told.append(one)
        return Ruling(chosen="mailer", why="it is at hand") if one.step == "b" else None

    agent, mine, other = crew(chooses)
    plan = goal(agent_step("a"), agent_step("b", "a", task="send {{ steps.a.output }}", input={"n": "{{ input.n }}"}))
    events: list[Any] = []
    result: Any = None
    async for mode, part in agent.astream({**plan, "inputs": {"n": 3}}, CONFIG, stream_mode=["custom", "values"]):
        events += [part] if mode == "custom" else []
        result = part if mode == "values" else result
    assert (mine.started, other.started) == (["a"], ["b"])
    assert [(one.step, one.instruction, one.input, one.specialists) for one in told][1] == (
        "b",
        "send a",
        {"n": 3},
        ("worker",),
    )
    (decision,) = result["decisions"]
    assert (decision.kind, decision.subject, decision.chosen) == ("assignment", "b", "mailer")
    assert (decision.alternatives, decision.rationale) == (("worker",), "it is at hand")
    assert decision.by.endswith("chooses")
    assert result["outcomes"]["b"].specialist == "mailer"
    (event,) = [one for one in events if one["type"] == "decision_made"]
    assert (event["step"], event["kind"], event["chosen"]) == ("b", "assignment", "mailer")


async def test_those_of_the_plan_take_over_where_the_named_one_fails() -> None:
    mine = Ledger()
    broken = worker(Ledger(), "broken", fails=lambda step: True)
    agent = agent_of(worker(mine), broken, hooks=to("broken"))
    result = await ran(agent, goal(agent_step("a")))
    assert (result["outcomes"]["a"].specialist, mine.started) == ("worker", ["a"])
    assert result["decisions"][0].chosen == "broken"


async def test_whoever_is_named_takes_a_place_of_its_own() -> None:
    other = Ledger()
    slow = worker(other, "mailer", seconds=0.01, max_concurrency=1)
    agent = agent_of(worker(Ledger()), slow, hooks=to("mailer"))
    result = await ran(agent, goal(*(agent_step(f"s{number}") for number in range(5))))
    assert result["status"] == "complete"
    assert (len(other.started), other.most()) == (5, 1)


async def test_items_of_maps_are_assigned_too() -> None:
    agent, mine, other = crew(to("mailer", "each[1]"))
    each = {"id": "each", "type": "map", "over": [1, 2], "step": {"id": "one", "agent": "worker"}}
    result = await ran(agent, goal(each))
    assert (mine.started, other.started) == (["each[0]"], ["each[1]"])
    assert [one.subject for one in result["decisions"]] == ["each[1]"]


async def test_nothing_begins_early_where_a_hook_says_who_does_it() -> None:
    from goalgraph.graph.decomposing import Decompose

    def early(hooks: object) -> object:
        agent = create_plan_agent(None, [worker(Ledger())], execution=ExecutionPolicy(eager=True), hooks=hooks)
        node: Any = agent.nodes["decompose"].bound
        decompose = getattr(node, "afunc", None) or node.func
        found = decompose if isinstance(decompose, Decompose) else decompose.__self__
        return found.early

    assert early(None) is not None
    assert early(to("worker")) is None


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("nobody", "there is no specialist 'nobody'; there are: worker, mailer"),
        (3, "expected the name of a specialist, found 3"),
        ("mailer", "PlanningPolicy.available does not allow 'mailer'"),
    ],
    ids=["unknown", "no name", "not available"],
)
async def test_somebody_who_cannot_be_named_ends_the_run(chosen: object, said: str) -> None:
    agent, mine, other = crew(to(chosen), planning=PlanningPolicy(available=("worker",)))
    with pytest.raises(HookFailed) as caught:
        await ran(agent, goal(agent_step("a")))
    assert f"the assignment of step 'a' by the hook {caught.value.hook} cannot be used: {said}" in str(caught.value)
    assert (mine.started, other.started) == ([], [])


APPROVE = {"id": "yes", "type": "human_approval", "prompt": "ok?"}
BY_GUARDRAIL: Any = {"coordinator": {"guardrails": [{"type": "approval", "require_for": ["mailing"]}]}}


@pytest.mark.parametrize(
    ("plan", "options"),
    [
        (goal(agent_step("a"), {**agent_step("b", "a"), "agent": "mailer"}, **BY_GUARDRAIL), {}),
        (goal(agent_step("a")), {"planning": PlanningPolicy(require_approval=("mailer",))}),
        (goal(agent_step("a")), {"planning": PlanningPolicy(require_approval=("mailing",))}),
        (goal(agent_step("a"), APPROVE, {**agent_step("b", "yes"), "agent": "mailer"}), {}),
    ],
    ids=["guardrail of the plan", "policy", "policy by capability", "only behind an approval so far"],
)
async def test_no_hook_leads_around_an_approval(plan: Any, options: Any) -> None:
    agent, _, other = crew(to("mailer", "a"), **options)
    with pytest.raises(HookFailed, match="'mailer' may not work before a human has approved it"):
        await ran(agent, plan)
    assert other.started == []


@pytest.mark.parametrize("inside", [False, True], ids=["step", "item of a map"])
async def test_behind_an_approval_the_same_specialist_may_be_named(inside: bool) -> None:
    step: Any = agent_step("a", "yes")
    if inside:
        step = {"id": "a", "type": "map", "over": [1], "depends_on": ["yes"], "step": {"id": "x", "agent": "worker"}}
    agent, _, other = crew(to("mailer"), planning=PlanningPolicy(require_approval=("mailer",)))
    await ran(agent, goal(APPROVE, step))
    assert other.started == []
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert result["status"] == "complete"
    assert other.started == ["a[0]" if inside else "a"]


def by_mailer(proposal: Proposal) -> bool:
    return proposal.specialists[0] == "mailer"


def nothing(told: object) -> None:
    return None


@pytest.mark.parametrize(
    "names",
    [("mailer",), ("mailing",), (by_mailer,)],
    ids=["specialist", "capability", "predicate"],
)
async def test_the_approval_policy_looks_at_whoever_was_named(names: Any) -> None:
    agent, mine, other = crew(to("mailer", "b"), approval=ApprovalPolicy(steps=names))
    await ran(agent, goal(agent_step("a"), agent_step("b", "a")))
    assert (mine.started, other.started) == (["a"], [])
    (request,) = await apending(agent, CONFIG)
    assert request.interrupt.value["specialists"] == ["mailer", "worker"]
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert other.started == ["b"]
    assert [(one.kind, one.chosen) for one in result["outcomes"]["b"].decisions] == [
        ("assignment", "mailer"),
        ("gate", "approve"),
    ]


@pytest.mark.parametrize("chosen", [None, "other"], ids=["nobody named", "somebody named"])
async def test_what_is_asked_about_without_hooks_is_asked_about_with_them(chosen: str | None) -> None:
    mine, other = Ledger(), Ledger()
    able = [worker(mine, name, capabilities=["mailing", *more]) for name, more in (("a1", []), ("a2", ["more"]))]
    agent = agent_of(*able, worker(other, "other"), hooks=to(chosen), approval=ApprovalPolicy(steps=("a2",)))
    await ran(agent, goal({"id": "a", "task": "send it", "requires": ["mailing"]}))
    assert (mine.started, other.started) == ([], [])
    (request,) = await apending(agent, CONFIG)
    assert request.kind == "gate"
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert result["outcomes"]["a"].specialist == (chosen or "a1")


async def test_another_ruling_after_a_restart_is_approved_anew(sqlite: SqliteSaver) -> None:
    def agent(name: str | None) -> tuple[PlanAgent, Ledger, Ledger]:
        return crew(to(name), approval=ApprovalPolicy(steps=("a",)), checkpointer=sqlite)

    first, *_ = agent("mailer")
    await ran(first, goal(agent_step("a")))
    (request,) = await apending(first, CONFIG)
    second, mine, other = agent("worker")
    await aanswer(second, CONFIG, {request.id: True})
    assert (mine.started, other.started) == ([], []), "what was approved is not what is about to be done"
    (again,) = await apending(second, CONFIG)
    assert again.interrupt.value["specialists"] == ["worker"]
    assert "not what is asked now" in str(again.interrupt.value["problem"])
    third, mine, other = agent("worker")
    result = await aanswer(third, CONFIG, {again.id: True})
    assert (mine.started, other.started, result["status"]) == (["a"], [], "complete")


async def test_every_outcome_is_told_whatever_it_is() -> None:
    told: dict[str, str] = {}

    @on_step_complete
    def completes(outcome: Outcome) -> str:
        assert outcome.step not in told
        told[outcome.step] = outcome.status
        return "what it returns does not matter"

    agent = agent_of(worker(Ledger(), fails=["bad"]), hooks=completes)
    plan = goal(
        agent_step("bad"),
        agent_step("after", "bad"),
        {"id": "each", "type": "map", "over": [1, 2], "step": {"id": "one", "agent": "worker"}},
        {"id": "test", "type": "condition", "test": "false", "then": ["never"]},
        agent_step("never"),
        {"id": "both", "type": "parallel", "branches": [agent_step("x"), agent_step("y")]},
        APPROVE,
    )
    await ran(agent, plan)
    assert "yes" not in told
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert told == statuses(result)
    assert {told["bad"], told["after"], told["never"], told["yes"]} == {"failed", "blocked", "skipped", "succeeded"}
    assert {"each", "each[0]", "each[1]", "both", "both.x", "test"} <= told.keys()


async def test_steps_that_are_cancelled_are_told_too() -> None:
    told: list[tuple[str, str]] = []

    @on_step_complete
    def completes(outcome: Outcome) -> None:
        told.append((outcome.step, outcome.status))

    agent = agent_of(
        worker(Ledger(), fails=["bad"], seconds={"slow": 5, "bad": 0.01}),
        hooks=completes,
        execution=ExecutionPolicy(on_failure="fail_fast"),
    )
    result = await ran(agent, goal(agent_step("bad"), agent_step("slow"), agent_step("later", "slow")))
    assert dict(told) == statuses(result) == {"bad": "failed", "slow": "cancelled", "later": "cancelled"}


@pytest.mark.parametrize(
    ("given", "answer"),
    [("short", "short"), ({"text": "of an object"}, "of an object"), ([1, 2], "[1, 2]")],
    ids=["text", "object with a text", "any JSON"],
)
async def test_a_hook_has_the_last_word(given: object, answer: str) -> None:
    seen: list[Completion] = []

    @on_all_complete
    def ends(told: Completion) -> Ruling:
        seen.append(told)
        return Ruling(chosen=given, why="shorter")

    agent = agent_of(worker(Ledger()), hooks=ends)
    result = await ran(agent, goal(agent_step("a")))
    assert (result["answer"], result["messages"][-1].content) == (answer, answer)
    (told,) = seen
    assert (told.goal, told.status, set(told.outcomes), told.degraded) == ("the goal", "complete", {"a"}, ())
    (decision,) = result["decisions"]
    assert (decision.kind, decision.chosen, decision.rationale) == ("completion", "replaced", "shorter")
    assert decision.answer == told.answer != answer


async def test_without_a_last_word_the_answer_stays() -> None:
    agent = agent_of(worker(Ledger()), hooks={"on_all_complete": nothing})
    result = await ran(agent, goal(agent_step("a")))
    assert "a" in result["answer"]
    assert result["decisions"] == []


async def test_what_cannot_be_an_answer_ends_the_run_which_can_be_resumed() -> None:
    given: list[object] = [object()]
    ledger = Ledger()

    def gives(told: Completion) -> object:
        return given[0]

    agent = agent_of(worker(ledger), hooks={"on_all_complete": gives})
    with pytest.raises(HookFailed, match="gave what cannot be the answer"):
        await ran(agent, goal(agent_step("a")))
    given[0] = "mended"
    result: Mapping[str, Any] = await ran(agent, None)
    assert (result["answer"], ledger.started) == ("mended", ["a"])


async def test_a_hook_may_ask_a_human_itself() -> None:
    from langgraph.types import Command, interrupt

    @on_assignment
    def asks(told: Assignment) -> object:
        return interrupt("who?")

    agent, mine, other = crew(asks)
    result = await ran(agent, goal(agent_step("a")))
    assert [one.value for one in result["__interrupt__"]] == ["who?"]
    result = await ran(agent, Command(resume="mailer"))
    assert (mine.started, other.started, result["status"]) == ([], ["a"], "complete")


async def test_a_run_without_hooks_has_none() -> None:
    assert create_plan_agent(None, [ScriptedSpecialist("one")]).hooks is None
    assert create_plan_agent(None, [ScriptedSpecialist("one")], hooks=[]).hooks is None
    with pytest.raises(TypeError, match="has no hooks"):
        create_plan_agent(None, [ScriptedSpecialist("one")], hooks=object())
