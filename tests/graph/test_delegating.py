"""Work that a step has another specialist do, and that no human's approval is passed by it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from goalgraph import (
    ApprovalPolicy,
    DelegationRefused,
    ExecutionPolicy,
    InvalidPlan,
    Limits,
    Outcome,
    PlanningPolicy,
    Proposal,
    Retry,
    Role,
    Roles,
    StepContext,
    StepResult,
    StepTask,
    Usage,
    answer,
    as_specialist,
    create_plan_agent,
    pending,
    specialist,
)
from goalgraph.testing import ScriptedChatModel

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def step(step_id: str, agent: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "agent": agent, "task": "The step's work.", "depends_on": list(needs), **fields}


def asking(to: str, **given_: Any) -> Any:
    """A specialist ``boss`` that delegates, and gives what came of it: the outcome's, or the refusal's reason."""

    @specialist
    async def boss(task: StepTask, context: StepContext) -> Any:
        try:
            found = await context.delegate(to, **given_)
        except DelegationRefused as refused:
            return f"refused: {refused.reason}"
        return [found.step, found.specialist, found.status, found.output]

    return boss


@specialist
async def critic(task: StepTask, context: StepContext) -> Any:
    return [task.step, task.instruction, dict(task.input), context.idempotency_key]


async def ran(specialists: list[Any], *steps: Any, **options: Any) -> dict[str, Outcome]:
    agent = create_plan_agent(None, specialists, **options)
    outcomes: dict[str, Outcome] = (await agent.ainvoke({"goal": "g", "plan": {"steps": list(steps)}}))["outcomes"]
    return outcomes


async def test_model_calls_of_delegated_work_count_for_the_runs_limits() -> None:
    model = as_specialist(ScriptedChatModel(["one", "two"]), name="critic")
    plan = step("a", "boss"), step("b", "boss", "a"), step("c", "boss", "b")
    done = await ran([asking("critic"), model], *plan, limits=Limits(max_calls=2))
    found: Any = [done[one].output for one in ("a", "b", "c")]
    assert [tuple(one[2:]) for one in found] == [("succeeded", "one"), ("succeeded", "two"), ("cancelled", None)]


async def test_the_outcome_comes_back_and_only_the_record_of_it_is_kept() -> None:
    done = await ran([asking("critic", instruction="\nJudge it.\nWell.", input={"n": 1}), critic], step("a", "boss"))
    assert set(done) == {"a"}
    found: Any = done["a"].output
    name, who, status, output = found
    assert (name, who, status) == ("a/critic#1", "critic", "succeeded")
    assert output[:3] == ["a/critic#1", "\nJudge it.\nWell.", {"n": 1}]
    (decision,) = done["a"].decisions
    assert (decision.kind, decision.subject, decision.chosen, decision.rationale, decision.by) == (
        "delegation",
        "a",
        "critic",
        "Judge it.",
        "boss",
    )


async def test_without_words_it_is_the_steps_own_work_and_keys_tell_each_apart_and_stay() -> None:
    keys: list[list[str]] = []

    @specialist
    async def boss(task: StepTask, context: StepContext) -> Any:
        found: list[Any] = [(await context.delegate("critic")).output for _ in range(2)]
        keys.append([one[3] for one in found])
        if context.attempt == 1:
            raise ConnectionError
        return found[0][:3]

    policy = ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0.0))
    done = await ran([boss, critic], step("a", "boss", input={"x": "y"}), execution=policy)
    assert done["a"].output == ["a/critic#1", "The step's work.", {"x": "y"}]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 2
    assert [one.kind for one in done["a"].decisions] == ["delegation"] * 4


async def test_a_sync_specialist_delegates_too() -> None:
    @specialist
    def boss(task: StepTask, context: StepContext) -> Any:
        return context.wait(context.delegate("critic")).step

    assert (await ran([boss, critic], step("a", "boss")))["a"].output == "a/critic#1"


async def test_failures_retries_and_timeouts_are_those_of_the_policy_and_come_back_as_outcomes() -> None:
    tries: list[int] = []

    @specialist(name="critic")
    async def broken(task: StepTask, context: StepContext) -> Any:
        tries.append(context.attempt)
        if context.attempt == 1:
            raise ConnectionError("down")
        await asyncio.sleep(5)

    policy = ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0.0))
    done = await ran([asking("critic", timeout=0.05), broken], step("a", "boss"), execution=policy)
    assert tries == [1, 2]
    assert (done["a"].status, done["a"].output) == ("succeeded", ["a/critic#1", "critic", "failed", None])


async def test_what_delegated_work_costs_is_the_steps() -> None:
    model = ScriptedChatModel([AIMessage("ok", usage_metadata=_used(3, 4))] * 2)

    @specialist(name="critic")
    async def paid(task: StepTask, context: StepContext) -> StepResult:
        return StepResult(output="ok", usage=Usage(input_tokens=100, output_tokens=10, calls=1))

    @specialist
    async def writer(task: StepTask, context: StepContext) -> str:
        return (await model.ainvoke("x")).text

    @specialist
    async def boss(task: StepTask, context: StepContext) -> Any:
        await model.ainvoke("y")
        outcomes = [await context.delegate(one) for one in ("writer", "critic")]
        return [one.usage.input_tokens for one in outcomes]

    done = await ran([boss, writer, paid], step("a", "boss"))
    assert done["a"].output == [3, 100]
    assert (done["a"].usage.input_tokens, done["a"].usage.output_tokens, done["a"].usage.calls) == (106, 18, 3)


def _used(given_: int, made: int) -> Any:
    return {"input_tokens": given_, "output_tokens": made, "total_tokens": given_ + made}


@pytest.mark.parametrize(("levels", "ending"), [(3, "s3"), (4, "refused: depth")])
async def test_work_is_delegated_over_three_levels_at_most(levels: int, ending: str) -> None:
    def level(number: int) -> Any:
        @specialist(name=f"s{number}")
        async def one(task: StepTask, context: StepContext) -> Any:
            if number == levels:
                return f"s{number}"
            try:
                return (await context.delegate(f"s{number + 1}")).output
            except DelegationRefused as refused:
                return f"refused: {refused.reason}"

        return one

    done = await ran([level(number) for number in range(levels + 1)], step("a", "s0"))
    assert done["a"].output == ending


async def test_nobody_who_is_at_work_around_it_is_delegated_to() -> None:
    @specialist
    async def second(task: StepTask, context: StepContext) -> Any:
        try:
            await context.delegate("boss")
        except DelegationRefused as refused:
            return refused.reason

    done = await ran([asking("second"), second], step("a", "boss"))
    assert done["a"].output == ["a/second#1", "second", "succeeded", "chain"]
    assert (await ran([asking("boss")], step("a", "boss")))["a"].output == "refused: chain"


async def test_nobody_of_that_name_is_an_error() -> None:
    done = await ran([asking("nobody")], step("a", "boss"))
    assert "no specialist is called 'nobody'" in str(done["a"].error)


async def test_places_of_a_specialist_are_kept_among_what_is_delegated_to_it() -> None:
    at_work: list[int] = []
    most: list[int] = []

    @specialist(name="critic", max_concurrency=2)
    async def narrow(task: StepTask, context: StepContext) -> str:
        at_work.append(1)
        most.append(len(at_work))
        await asyncio.sleep(0.01)
        at_work.pop()
        return "ok"

    done = await ran([asking("critic"), narrow], *(step(f"a{number}", "boss") for number in range(6)))
    assert {one.status for one in done.values()} == {"succeeded"}
    assert max(most) == 2


async def test_a_role_of_the_plan_is_delegated_to() -> None:
    model = ScriptedChatModel(["from the role"])
    agent = create_plan_agent(model, [asking("poet")], roles=Roles())
    role = Role(name="poet", description="Writes verse.", instructions="Rhyme.")
    plan = {"steps": [step("a", "boss")], "roles": [role.model_dump(exclude_defaults=True)]}
    done = await agent.ainvoke({"goal": "g", "plan": plan})
    assert done["outcomes"]["a"].output == ["a/poet#1", "poet", "succeeded", "from the role"]


def test_delegated_work_asks_a_human_as_its_step_does() -> None:
    @specialist(name="critic")
    async def curious(task: StepTask, context: StepContext) -> Any:
        return context.ask("Which?")

    @specialist
    async def boss(task: StepTask, context: StepContext) -> Any:
        return [context.ask("Who?"), (await context.delegate("critic")).output]

    agent = create_plan_agent(None, [boss, curious], checkpointer=InMemorySaver())
    agent.invoke({"goal": "g", "plan": {"steps": [step("a", "boss")]}}, CONFIG)
    for prompt in ("Who?", "Which?"):
        (request,) = pending(agent, CONFIG)
        assert request.prompt == prompt
        done = answer(agent, CONFIG, {request.id: prompt.lower()})
    assert done["outcomes"]["a"].output == ["who?", "which?"]  # pyright: ignore[reportPossiblyUnboundVariable]


async def test_notes_of_what_was_delegated_are_the_steps_and_only_those_of_the_last_attempt() -> None:
    @specialist(name="critic")
    async def noting(task: StepTask, context: StepContext) -> str:
        context.record_decision("inner", about="what?", alternatives=["outer"], rationale="because")
        return "ok"

    @specialist
    async def boss(task: StepTask, context: StepContext) -> Any:
        if context.attempt == 1:
            context.record_decision("dropped")
            raise ConnectionError
        await context.delegate("critic")
        context.record_decision("kept")
        raise ValueError("failed all the same")

    policy = ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0.0))
    outcome = (await ran([boss, noting], step("a", "boss"), execution=policy))["a"]
    assert outcome.status == "failed"
    kept = [(one.kind, one.subject, one.chosen, one.by) for one in outcome.decisions]
    assert kept == [
        ("delegation", "a", "critic", "boss"),
        ("note", "a", "inner", "critic"),
        ("note", "a", "kept", "boss"),
    ]
    assert outcome.decisions[1].answer == "what?"
    assert len(outcome.decisions[1].digest) == 32


async def test_what_a_failed_attempt_had_on_record_is_gone_where_the_next_one_has_nothing() -> None:
    @specialist
    async def boss(task: StepTask, context: StepContext) -> str:
        if context.attempt == 1:
            context.record_decision("dropped")
            context.signal("dropped", to="dependants")
            raise ConnectionError
        return "done"

    policy = ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0.0))
    outcome = (await ran([boss], step("a", "boss"), execution=policy))["a"]
    assert (outcome.decisions, outcome.audience, outcome.signals) == ((), {}, ())


def _bank(done: list[str]) -> Any:
    @specialist(capabilities=["pay"])
    async def bank(task: StepTask, context: StepContext) -> str:
        done.append(task.step)
        return "paid"

    return bank


@specialist(name="clerk", capabilities=["pay"])
async def _clerk(task: StepTask, context: StepContext) -> str:
    return "ok"


def _in_sub_plan(*steps: Any, **coordinator: Any) -> dict[str, Any]:
    inner: dict[str, Any] = {"steps": list(steps)}
    if coordinator:
        inner["coordinator"] = coordinator
    return {"type": "sub_plan", "id": "sub", "plan": inner}


_ASK: dict[str, Any] = {"type": "human_approval", "id": "ok", "prompt": "?"}


def _guard(name: str) -> dict[str, Any]:
    return {"guardrails": [{"type": "approval", "require_for": [name]}]}


GATES: dict[str, Callable[[], tuple[dict[str, Any], dict[str, Any]]]] = {
    "policy by specialist": lambda: ({"steps": [step("a", "boss")]}, {"approval": ApprovalPolicy(steps=("bank",))}),
    "policy by capability": lambda: ({"steps": [step("a", "boss")]}, {"approval": ApprovalPolicy(steps=("pay",))}),
    "policy by the id of its step": lambda: (
        {"steps": [step("a", "boss"), step("later", "bank", "a")]},
        {"approval": ApprovalPolicy(steps=("later",))},
    ),
    "policy by the id of a condition before its step": lambda: (
        {"steps": [step("a", "boss"), {"type": "condition", "id": "c", "test": "true", "then": [step("b", "bank")]}]},
        {"approval": ApprovalPolicy(steps=("c",))},
    ),
    "policy by a function": lambda: (
        {"steps": [step("a", "boss")]},
        {"approval": ApprovalPolicy(steps=(lambda proposal: "bank" in proposal.specialists,))},
    ),
    "policy by a function of what it can do": lambda: (
        {"steps": [step("a", "boss")]},
        {"approval": ApprovalPolicy(steps=(lambda proposal: "pay" in proposal.capabilities,))},
    ),
    "policy by a function that fails": lambda: (
        {"steps": [step("a", "boss")]},
        {"approval": ApprovalPolicy(steps=(_fails_for_bank,))},
    ),
    "review of a plan without it": lambda: ({"steps": [step("a", "boss")]}, {"approval": ApprovalPolicy(plan=True)}),
    "guardrail by specialist": lambda: (
        {"steps": [step("a", "boss"), step("b", "bank", "a")], "coordinator": _guard("bank")},
        {},
    ),
    "guardrail by a capability that another one has a step for": lambda: (
        {"steps": [step("a", "boss"), step("b", "clerk", "a")], "coordinator": _guard("pay")},
        {},
    ),
    "guardrail by step": lambda: (
        {"steps": [step("a", "boss"), step("later", "bank", "a")], "coordinator": _guard("later")},
        {},
    ),
    "guardrail in a sub-plan": lambda: (
        {"steps": [_in_sub_plan(step("a", "boss"), step("b", "clerk", "a"), **_guard("pay"))]},
        {},
    ),
    "guardrail in a sub-plan that has it": lambda: (
        {"steps": [_in_sub_plan(step("a", "boss"), step("b", "bank", "a"), **_guard("pay"))]},
        {},
    ),
    "guardrail in a map's sub-plan": lambda: (
        {
            "steps": [
                {
                    "type": "map",
                    "id": "each",
                    "over": [1],
                    "step": _in_sub_plan(step("a", "boss"), step("b", "clerk", "a"), **_guard("pay")),
                }
            ]
        },
        {},
    ),
    "planning policy": lambda: (
        {"steps": [step("a", "boss")]},
        {"planning": PlanningPolicy(require_approval=("bank",))},
    ),
    "planning policy by capability": lambda: (
        {"steps": [step("a", "boss")]},
        {"planning": PlanningPolicy(require_approval=("pay",))},
    ),
    "not available": lambda: ({"steps": [step("a", "boss")]}, {"planning": PlanningPolicy(available=("boss",))}),
    "approval in the plan": lambda: ({"steps": [step("a", "boss"), _ASK, step("b", "bank", "ok")]}, {}),
    "approval in the plan, by default yes": lambda: (
        {"steps": [step("a", "boss"), {**_ASK, "deadline": 60, "on_timeout": "approve"}, step("b", "bank", "ok")]},
        {},
    ),
    "approval in the plan, before a map": lambda: (
        {
            "steps": [
                step("a", "boss"),
                _ASK,
                {"type": "map", "id": "each", "over": [1], "depends_on": ["ok"], "step": step("each", "bank")},
            ]
        },
        {},
    ),
    "approval in the plan, as a fallback": lambda: (
        {"steps": [step("a", "boss"), _ASK, step("b", "critic", "ok", fallback=["bank"])]},
        {},
    ),
}


def _fails_for_bank(proposal: Proposal) -> bool:
    if "bank" in proposal.specialists:
        raise RuntimeError("undecided")
    return False


@pytest.mark.parametrize("way", GATES.values(), ids=GATES)
async def test_whoever_is_behind_an_approval_is_not_delegated_to(way: Any) -> None:
    plan, options = way()
    done: list[str] = []
    saver = InMemorySaver()
    agent = create_plan_agent(None, [asking("bank"), critic, _clerk, _bank(done)], checkpointer=saver, **options)
    result = await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    while requests := pending(agent, CONFIG):
        result = answer(agent, CONFIG, {one.id: one.kind == "plan" for one in requests})
    said = [one.output for one in result["outcomes"].values() if one.specialist == "boss"]
    assert done == []
    assert said
    assert set(map(str, said)) <= {"refused: approval", "refused: unavailable"}


@pytest.mark.parametrize(
    "plan",
    [
        {"steps": [step("a", "boss")]},
        {"steps": [_ASK | {"deadline": 0.001, "on_timeout": "approve"}, step("a", "boss", "ok")]},
        {"steps": [_in_sub_plan(step("a", "boss"), step("b", "bank", "a"))]},
    ],
    ids=["nothing asked", "the step itself behind an approval", "a sub-plan that has it"],
)
async def test_whoever_is_behind_none_is(plan: Any) -> None:
    done: list[str] = []
    agent = create_plan_agent(None, [asking("bank"), _bank(done)], checkpointer=InMemorySaver())
    await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    await agent.ainvoke(None, CONFIG)
    assert any("/bank#1" in one for one in done)


_NAMES = ("boss", "bank", "clerk")


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """Small plans with approvals anywhere in them, some by guardrails, some in groups and sub-plans."""
    steps: list[dict[str, Any]] = [step("a", "boss")]
    for number in range(draw(st.integers(1, 4))):
        needs = draw(st.lists(st.sampled_from([one["id"] for one in steps]), max_size=2, unique=True))
        step_id = f"n{number}"
        kind = draw(st.sampled_from(["agent", "human_approval", "sub_plan", "map", "parallel", "condition"]))
        who = draw(st.sampled_from(_NAMES[1:]))
        join = draw(st.sampled_from(["all_success", "all_success", "any_success"]))
        fields: dict[str, Any] = {"id": step_id, "depends_on": needs, "join": join if needs else "all_success"}
        if kind == "agent":
            steps.append({**step(step_id, who), **fields})
        elif kind == "human_approval":
            steps.append({"type": kind, "prompt": "?", **fields})
        elif kind == "sub_plan":
            steps.append({**_in_sub_plan(step("in", who), **(_guard(who) if draw(st.booleans()) else {})), **fields})
        elif kind == "map":
            steps.append({"type": "map", "over": [1], "step": step(step_id, who), **fields})
        elif kind == "parallel":
            steps.append({"type": "parallel", "branches": [step("x", who), step("y", "clerk")], **fields})
        else:
            steps.append({"type": "condition", "test": "true", "then": [step("yes", who)], **fields})
    plan: dict[str, Any] = {"steps": steps}
    if draw(st.booleans()):
        plan["coordinator"] = _guard(draw(st.sampled_from(["bank", "pay", "n0", "n1"])))
    return plan


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=plans(), asked=st.lists(st.sampled_from(["bank", "pay", "n0", "n1", "n2"]), max_size=2, unique=True))
def test_no_way_leads_past_an_approval_by_delegation(plan: dict[str, Any], asked: list[str]) -> None:
    """Nobody says yes: where one of its steps in the plan does not run for that, it does not work by delegation."""
    by_plan: list[str] = []
    delegated: list[str] = []

    @specialist(name="bank", capabilities=["pay"])
    async def bank(task: StepTask, context: StepContext) -> str:
        (delegated if "/" in task.step else by_plan).append(task.step)
        return "paid"

    @specialist
    async def clerk(task: StepTask, context: StepContext) -> str:
        return "ok"

    agent = create_plan_agent(
        None, [asking("bank"), clerk, bank], approval=ApprovalPolicy(steps=tuple(asked)), checkpointer=InMemorySaver()
    )
    try:
        agent.invoke({"goal": "g", "plan": plan}, CONFIG)
    except InvalidPlan:
        return
    named = {"bank", "pay"}.intersection([*asked, *plan.get("coordinator", _guard(""))["guardrails"][0]["require_for"]])
    flat = agent.get_state(CONFIG).values["plan"].steps
    own = [one.id for one in flat if one.type == "agent" and one.agent == "bank"]
    own += [f"{one.id}[0]" for one in flat if one.type == "map" and one.step.agent == "bank"]
    if named or not set(own) <= set(by_plan):
        assert delegated == []
