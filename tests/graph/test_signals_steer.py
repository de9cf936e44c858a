"""Signals of specialists that the engine itself knows: conflicts, blockers and escalations."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, goal, ran, statuses, worker
from tests.graph.revisers import ScriptedReviser, by

from goalgraph import (
    ApprovalPolicy,
    ExecutionPolicy,
    HookFailed,
    PlanAgent,
    PlanPatch,
    RevisionPolicy,
    Ruling,
    Signal,
    SpecialistCard,
    StepContext,
    StepResult,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    on_conflict,
    on_escalation,
    specialist,
)
from goalgraph.graph import Conflict, Escalation
from goalgraph.planner.signals import BLOCKER, CONFLICT, ESCALATION, HANDOFF
from goalgraph.testing import ScriptedSpecialist


class Herald:
    """A specialist that signals something at every step."""

    def __init__(self, signal: str, *, why: str, output: object, schema: Any, fails: bool) -> None:
        self.card = SpecialistCard(name="herald", description="Signals.", output_schema=schema)
        self.signal, self.why, self.output, self.fails = signal, why, output, fails
        self.keys: list[str] = []

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        self.keys.append(context.idempotency_key)
        context.signal(self.signal)
        if self.fails:
            raise ValueError("no way on")
        return StepResult(output=self.output, confidence=0.9, confidence_reason=self.why)


def signalling(
    signal: str, *, why: str = "", output: object = "doubtful", schema: Any = None, fails: bool = False
) -> Herald:
    return Herald(signal, why=why, output=output, schema=schema, fails=fails)


def said(step: str, *needs: str) -> dict[str, Any]:
    return {"id": step, "agent": "herald", "depends_on": list(needs)}


class Taken:
    """Gives escalated steps to names in turn."""

    def __init__(self, *names: object) -> None:
        self.names = list(names)
        self.told: list[Escalation] = []

    @on_escalation
    def give(self, told: Escalation) -> object:
        self.told.append(told)
        return self.names.pop(0) if self.names else None


async def test_a_conflict_that_nobody_resolves_degrades_the_answer() -> None:
    agent = agent_of(signalling(CONFLICT, why="a and b differ"))
    result = await ran(agent, goal(said("c")))
    assert result["status"] == "degraded"
    assert result["degraded"] == ["step 'c' reports a conflict that nobody has resolved: a and b differ"]
    assert result["signals"] == [Signal(name=CONFLICT, step="c")]


async def test_a_hook_that_rules_about_a_conflict_gives_the_output() -> None:
    told: list[Conflict] = []

    @on_conflict
    def judge(one: Conflict) -> Ruling:
        told.append(one)
        return Ruling(chosen={"value": one.versions["b"].output}, why="the newer one")

    ledger = Ledger()
    schema = {"type": "object", "properties": {"value": {"type": "string"}}, "required": ["value"]}
    herald = signalling(CONFLICT, output={"value": "?"}, schema=schema)
    agent = agent_of(worker(ledger), herald, hooks=judge)
    plan = goal(
        agent_step("a"), agent_step("b"), said("c", "a", "b"), agent_step("d", "c", task="{{ steps.c.output.value }}")
    )
    result = await ran(agent, plan)
    assert (result["status"], result["outcomes"]["c"].output) == ("complete", {"value": "b"})
    assert ledger.tasks["d"].instruction == "b", "what depends on it sees what holds"
    assert [(one.step, list(one.versions), one.outcome.output) for one in told] == [("c", ["a", "b"], {"value": "?"})]
    (decision,) = result["decisions"]
    assert (decision.kind, decision.subject, decision.chosen, decision.answer, decision.rationale) == (
        "conflict",
        "c",
        "resolved",
        {"value": "?"},
        "the newer one",
    )
    assert result["signals"] == [Signal(name=CONFLICT, step="c", resolved=True)]


async def test_a_hook_that_does_not_rule_leaves_the_conflict() -> None:
    def silent(told: Conflict) -> None:
        return None

    agent = agent_of(signalling(CONFLICT), hooks={"on_conflict": silent})
    assert (await ran(agent, goal(said("c"))))["status"] == "degraded"


async def test_a_ruling_must_fit_what_the_specialist_declares() -> None:
    herald = signalling(CONFLICT, output={"n": 1}, schema={"type": "object", "required": ["n"]})
    given: list[object] = [{"m": 1}]

    def gives(told: Conflict) -> object:
        return given[0]

    agent = agent_of(herald, hooks={"on_conflict": gives})
    with pytest.raises(HookFailed, match=r"gave step 'c' what cannot be its output: .*'n'"):
        await ran(agent, goal(said("c")))
    given[0] = {"n": 2}
    result = await ran(agent, None)
    assert result["outcomes"]["c"].output == {"n": 2}
    assert len(herald.keys) == 2
    assert len(set(herald.keys)) == 1, "what was not recorded is done again with the same key"


async def test_a_conflict_in_an_item_of_a_map_is_said_too() -> None:
    agent = agent_of(signalling(CONFLICT))
    each = {"id": "each", "type": "map", "over": [1], "step": {"id": "one", "agent": "herald"}}
    result = await ran(agent, goal(each))
    assert result["degraded"] == ["step 'each[0]' reports a conflict that nobody has resolved"]


@pytest.mark.parametrize("fails", [False, True], ids=["succeeded", "failed"])
async def test_a_blocker_halts_the_run_and_what_is_at_work_goes_on(fails: bool) -> None:
    ledger = Ledger()
    herald = signalling(BLOCKER, why="" if fails else "the\nbook is closed", fails=fails)
    agent = agent_of(worker(ledger, seconds={"going": 0.05}, max_concurrency=1), herald)
    plan = goal(agent_step("going"), said("stop"), agent_step("queued"), agent_step("after", "stop"))
    result = await ran(agent, plan)
    why = "ValueError: no way on" if fails else "the book is closed"
    assert statuses(result) == {
        "going": "succeeded",
        "stop": "failed" if fails else "succeeded",
        "queued": "cancelled",
        "after": "cancelled",
    }
    assert result["status"] == "halted"
    assert f"the run was halted: it makes no sense to go on, says step 'stop': {why}" in result["degraded"]
    assert ledger.of("end") == ["going"]
    assert "going" in result["answer"], "what there is makes the answer"


async def test_a_blocker_in_an_item_halts_the_other_items() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), signalling(BLOCKER))
    each = {"id": "each", "type": "map", "over": [1, 2, 3], "concurrency": 1, "step": {"id": "one", "agent": "herald"}}
    result = await ran(agent, goal(each, agent_step("b", "each")))
    assert result["status"] == "halted"
    assert [statuses(result)[f"each[{number}]"] for number in range(3)] == ["succeeded", "cancelled", "cancelled"]
    assert (statuses(result)["b"], ledger.started) == ("cancelled", [])


async def test_a_blocker_holds_in_a_process_that_goes_on(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    herald = signalling(BLOCKER, why="closed")
    at_work = asyncio.Event()

    async def slow(task: StepTask, context: StepContext) -> str:
        at_work.set()
        await asyncio.sleep(60)
        return "never"

    async def cancelled_while(agent: PlanAgent, plan: Any) -> None:
        run = asyncio.ensure_future(agent.ainvoke(plan, CONFIG))
        await at_work.wait()
        await asyncio.sleep(0.05)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    plan = goal(said("stop"), {"id": "slow", "agent": "slow"}, agent_step("after", "slow"))
    both = [worker(ledger), herald, specialist(name="slow", description="slow")(slow)]
    await cancelled_while(agent_of(*both, checkpointer=sqlite), plan)
    assert len(herald.keys) == 1
    at_work.clear()
    result = await ran(agent_of(*both, checkpointer=sqlite), None)
    assert statuses(result) == {"stop": "succeeded", "slow": "cancelled", "after": "cancelled"}
    assert (result["status"], len(herald.keys), at_work.is_set(), ledger.started) == ("halted", 1, False, [])


@pytest.mark.parametrize("after", [["h"], []], ids=["somebody comes next", "nobody does"])
async def test_a_handoff_is_settled_by_whoever_comes_next(after: list[str]) -> None:
    agent = agent_of(worker(Ledger()), signalling(HANDOFF))
    result = await ran(agent, goal(said("h"), agent_step("next", *after)))
    assert result["signals"] == [Signal(name=HANDOFF, step="h", resolved=bool(after))]


async def test_a_blocker_that_is_a_trigger_goes_to_the_reviser() -> None:
    ledger = Ledger()
    policy = RevisionPolicy(triggers=("'confidence.blocker' in step.signals and step.confidence > 0.5",))
    reviser = ScriptedReviser([PlanPatch()])
    agent = agent_of(worker(ledger), signalling(BLOCKER), revision=policy, reviser=reviser)
    result = await ran(agent, goal(said("stop"), agent_step("after", "stop")))
    assert (len(reviser.requests), ledger.started, result["status"]) == (1, ["after"], "complete")


@pytest.mark.parametrize(
    "triggers",
    [("step.confidence > 0.5",), ("'confidence.blocker' in step.signals and step.confidence > 0.95",)],
    ids=["one that does not name it", "one that does not hold"],
)
async def test_a_blocker_halts_though_there_are_revisions(triggers: Sequence[str]) -> None:
    ledger, reviser = Ledger(), ScriptedReviser([PlanPatch()])
    agent = agent_of(
        worker(ledger), signalling(BLOCKER), revision=RevisionPolicy(triggers=tuple(triggers)), reviser=reviser
    )
    result = await ran(agent, goal(said("stop"), agent_step("after", "stop")))
    assert (reviser.requests, ledger.started, result["status"]) == ([], [], "halted")


async def test_a_blocker_ends_a_run_whose_plan_was_about_to_be_changed() -> None:
    ledger = Ledger()
    reviser = ScriptedReviser([by("worker", "bad")], seconds=0.05)

    async def late(task: StepTask, context: StepContext) -> StepResult:
        await asyncio.sleep(0.02)
        return StepResult(output="x", signals=(BLOCKER,))

    agent = agent_of(
        worker(ledger, fails=["bad"]),
        specialist(name="late", description="late")(late),
        revision=RevisionPolicy(),
        reviser=reviser,
    )
    result = await ran(agent, goal(agent_step("bad"), {"id": "late", "agent": "late"}, agent_step("after", "bad")))
    assert statuses(result) == {"bad": "failed", "late": "succeeded", "after": "cancelled"}
    assert (result["status"], ledger.started) == ("halted", ["bad"])


async def test_whoever_a_hook_names_does_an_escalated_step_again() -> None:
    ledger, taken = Ledger(), Taken("worker")
    herald = signalling(ESCALATION, output="first")
    agent = agent_of(worker(ledger, replies={"e": "second"}), herald, hooks=taken)
    result = await ran(agent, goal(said("e"), agent_step("after", "e")))
    outcome = result["outcomes"]["e"]
    assert (outcome.output, outcome.specialist, outcome.signals) == ("second", "worker", ())
    assert (result["status"], ledger.started) == ("complete", ["e", "after"])
    assert [(one.step, one.specialist, one.outcome.output) for one in taken.told] == [("e", "herald", "first")]
    (decision,) = result["decisions"]
    assert (decision.kind, decision.chosen, decision.by) == ("escalation", "worker", "Taken.give")
    assert decision.answer["output"] == "first"
    assert ledger.keys["e"] == set(herald.keys), "the same step has the same key"
    assert result["signals"] == [Signal(name=ESCALATION, step="e", resolved=True)]


async def test_a_step_is_done_again_twice_at_most_and_then_a_way_to_ask_is_missing() -> None:
    taken = Taken("herald", "herald", "herald")
    herald = signalling(ESCALATION, why="too hard")
    result = await ran(agent_of(herald, hooks=taken), goal(said("e")))
    assert (len(herald.keys), len(taken.names), len(result["decisions"])) == (3, 1, 2)
    assert result["status"] == "degraded"
    assert result["degraded"] == [
        "step 'e' asks for a human, and there was no way to ask one (hint: revision=RevisionPolicy()): too hard"
    ]


async def test_an_escalation_to_somebody_who_needs_an_approval_is_asked_about() -> None:
    ledger = Ledger()
    agent = agent_of(
        worker(ledger),
        signalling(ESCALATION),
        hooks=Taken("worker", "worker"),
        approval=ApprovalPolicy(steps=("worker",)),
    )
    await ran(agent, goal(said("e")))
    assert ledger.started == []
    (request,) = await apending(agent, CONFIG)
    assert (request.kind, request.interrupt.value["specialists"]) == ("gate", ["worker"])
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert (ledger.started, result["status"]) == (["e"], "complete")


async def test_an_escalation_leads_around_no_approval() -> None:
    ledger = Ledger()
    guarded: Any = {"coordinator": {"guardrails": [{"type": "approval", "require_for": ["worker"]}]}}
    agent = agent_of(worker(ledger), signalling(ESCALATION), hooks=Taken("worker"))
    with pytest.raises(HookFailed, match="'worker' may not work before a human has approved it"):
        await ran(agent, goal(said("e"), agent_step("w", "e"), **guarded))
    assert ledger.started == []


def escalating(sqlite: Any, reviser: Any, ledger: Ledger, **policy: Any) -> PlanAgent:
    return agent_of(
        worker(ledger),
        signalling(ESCALATION, why="too hard"),
        revision=RevisionPolicy(**policy),
        reviser=reviser,
        checkpointer=sqlite,
    )


@pytest.mark.parametrize(
    ("answer", "status", "done", "revisions"),
    [
        ("accept", "complete", ["other", "after"], 0),
        ("abort", "halted", ["other"], 0),
        ({"guidance": "let the worker do it"}, "complete", ["other", "after"], 1),
    ],
    ids=["accept", "abort", "guidance"],
)
async def test_a_human_is_asked_about_an_escalation_and_not_the_reviser(
    sqlite: SqliteSaver, answer: Any, status: str, done: list[str], revisions: int
) -> None:
    ledger, reviser = Ledger(), ScriptedReviser([PlanPatch()])
    first = escalating(sqlite, reviser, ledger)
    await ran(first, goal(said("e"), agent_step("after", "e"), agent_step("other")))
    assert (ledger.started, reviser.requests) == (["other"], []), "all else has gone on"
    (request,) = await apending(first, CONFIG)
    assert request.prompt.startswith("A human is wanted: 'e' asked for somebody to look at it.")
    assert "too hard" in request.prompt
    second = escalating(sqlite, reviser, ledger)
    result = await aanswer(second, CONFIG, {request.id: answer})
    assert (result["status"], ledger.started, len(reviser.requests)) == (status, done, revisions)
    if revisions:
        assert reviser.requests[0].guidance == "let the worker do it"
    if status == "complete":
        assert result["degraded"] == []
        assert Signal(name=ESCALATION, step="e", resolved=True) in result["signals"]


@pytest.mark.parametrize(
    ("at_limit", "status", "done"),
    [("accept", "degraded", ["after"]), ("abort", "halted", [])],
    ids=["accept", "abort"],
)
async def test_where_nobody_is_asked_an_escalation_is_put_on_record(
    sqlite: SqliteSaver, at_limit: Any, status: str, done: list[str]
) -> None:
    ledger, reviser = Ledger(), ScriptedReviser([PlanPatch()])
    agent = escalating(sqlite, reviser, ledger, at_limit=at_limit)
    result = await ran(agent, goal(said("e"), agent_step("after", "e")))
    assert (result["status"], ledger.started, reviser.requests) == (status, done, [])
    (decision,) = [one for one in result["decisions"] if one.kind == "escalation"]
    assert (decision.subject, decision.chosen) == ("e", at_limit)
    assert any("'e' asked for somebody to look at it" in reason for reason in result["degraded"])


async def test_an_escalation_that_is_a_trigger_goes_to_the_reviser() -> None:
    ledger, reviser = Ledger(), ScriptedReviser([PlanPatch()])
    agent = escalating(None, reviser, ledger, triggers=("'escalation.interrupt' in step.signals",))
    result = await ran(agent, goal(said("e"), agent_step("after", "e")))
    assert (len(reviser.requests), result["status"], ledger.started) == (1, "complete", ["after"])


async def test_an_escalation_waits_for_a_revision_that_is_under_way() -> None:
    ledger, reviser = Ledger(), ScriptedReviser([by("worker", "bad")], seconds=0.05)
    agent = agent_of(
        worker(ledger),
        ScriptedSpecialist("broken", failures={"bad": ValueError("no")}),
        signalling(ESCALATION),
        revision=RevisionPolicy(),
        reviser=reviser,
    )
    await ran(agent, goal(said("e"), {"id": "bad", "agent": "broken"}, agent_step("after", "e")))
    assert (ledger.started, len(reviser.requests)) == (["bad"], 1)
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: "accept"})
    assert (result["status"], ledger.started) == ("complete", ["bad", "after"])


async def test_an_escalation_is_asked_about_though_a_revision_came_to_nothing_and_all_is_done() -> None:
    reviser = ScriptedReviser([PlanPatch()])
    broken = ScriptedSpecialist("broken", failures={"bad": ValueError("no")})
    agent = agent_of(broken, signalling(ESCALATION), revision=RevisionPolicy(), reviser=reviser)
    await ran(agent, goal(said("e"), {"id": "bad", "agent": "broken"}))
    (request,) = await apending(agent, CONFIG)
    assert request.step == "e"
    result = await aanswer(agent, CONFIG, {request.id: "accept"})
    assert (result["status"], len(reviser.requests)) == ("degraded", 1)


async def test_what_begins_early_waits_for_what_signals_mean() -> None:
    from tests.graph.kinds import Result

    agent = create_plan_agent(None, [signalling(BLOCKER)], execution=ExecutionPolicy(eager=True))
    result: Result = await agent.ainvoke(goal(said("a"), said("b", "a")))
    assert statuses(result) == {"a": "succeeded", "b": "cancelled"}


async def test_a_hook_that_raises_in_the_middle_loses_nothing_that_is_recorded(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    seen: list[str] = []
    broken = [True]

    def complete(outcome: Any) -> None:
        if outcome.step == "s5" and broken[0]:
            raise LookupError("the hook's own fault")
        seen.append(outcome.step)

    def made() -> PlanAgent:
        return agent_of(worker(ledger), hooks={"on_step_complete": complete}, checkpointer=sqlite)

    steps = [agent_step(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(10)]
    with pytest.raises(HookFailed, match="complete raised LookupError: the hook's own fault"):
        await ran(made(), goal(*steps))
    assert ledger.started == ["s0", "s1", "s2", "s3", "s4", "s5"]
    broken[0] = False
    result = await ran(made(), None)
    assert result["status"] == "complete"
    assert set(statuses(result).values()) == {"succeeded"}
    assert ledger.started == [*(f"s{number}" for number in range(6)), *(f"s{number}" for number in range(5, 10))]
    assert all(len(keys) == 1 for keys in ledger.keys.values()), "s5 was done again with its key"
    assert seen == [f"s{number}" for number in range(10)]
