"""Limits of money, tokens and calls through a whole run: shared by all that asks models, with an answer in any case."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from tests.graph.kinds import CONFIG, Result, agent_of, agent_step, answer, goal, ran, statuses, stopped_after
from tests.graph.spenders import Made, Spender

from goalgraph import (
    Decision,
    ExecutionPolicy,
    LimitReached,
    Limits,
    ModelGrader,
    ModelReviser,
    Plan,
    Price,
    RevisionPolicy,
    StepContext,
    StepTask,
    SynthesisRequest,
    create_plan_agent,
    specialist,
)
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.specialists.remaining import Remaining

PRICES = {"spender": Price(input=0, output=1_000)}
"""A tenth of a cent for a token of the answer."""


FORM: Any = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def asking(model: Spender, name: str = "worker") -> Any:
    """Does each step with one call."""

    @specialist(name=name)
    async def asks(text: str) -> str:
        return (await model.ainvoke(text)).text

    return asks


def limited(decisions: Sequence[Decision]) -> list[str]:
    return [one.chosen for one in decisions if one.kind == "limit"]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    usd=st.none() | st.floats(0.5, 8),
    tokens=st.none() | st.integers(600, 9_000),
    calls=st.none() | st.integers(1, 90),
    known=st.booleans(),
    at_limit=st.sampled_from(["finish", "cancel"]),
)
def test_100_steps_at_once_stay_within_the_limits_and_there_is_always_an_answer(
    seed: int, usd: float | None, tokens: int | None, calls: int | None, known: bool, at_limit: Any
) -> None:
    chance = random.Random(seed)
    most = 60  # and some calls use more than that, beyond their reservations
    made = [
        Made(
            tokens=chance.choice([None, chance.randint(1, most), chance.randint(1, 2 * most)]),
            seconds=chance.uniform(0, 0.003),
            fails=chance.random() < 0.15,
        )
        for _ in range(101)
    ]
    model = Spender(made.__getitem__, most=most)
    limits = Limits(
        max_cost_usd=usd,
        max_tokens=tokens,
        max_calls=calls,
        unpriced="ignore" if known else 0.05,
        at_limit=at_limit,
    )
    agent = create_plan_agent(
        None, [asking(model)], limits=limits, prices=PRICES if known else {}, synthesis="last_wins"
    )
    plan = {"steps": [agent_step(f"s{number}", task=f"Do part {number} of the work.") for number in range(100)]}
    result = agent.invoke({"goal": "the goal", "plan": plan})

    done = [one for one in model.made if not one.fails]
    beyond = [max((one.tokens or 0) - most, 0) for one in done]
    used = result["usage"]
    if usd is not None:
        assert used.cost_usd <= usd + sum(beyond) * 0.001 + 1e-9
    if tokens is not None:
        assert used.input_tokens + used.output_tokens <= tokens + sum(beyond)
    if calls is not None:
        assert used.calls <= calls
        assert at_limit == "cancel" or used.calls == len(done)
    states = statuses(result)
    succeeded = [step_id for step_id in states if states[step_id] == "succeeded"]
    exhausted = "cancelled" in states.values()
    if exhausted:
        (limit,) = limited(result["decisions"])
        assert [f"Limits.{limit}" in reason for reason in result["degraded"] if "used up" in reason] == [True]
        assert result["status"] == ("degraded" if succeeded else "failed")
    assert result["answer"] or not succeeded
    assert len(states) == 100


async def test_the_limit_is_named_once_with_figures_and_is_on_record() -> None:
    result = await ran(
        agent_of(asking(Spender(most=10)), limits=Limits(max_calls=2)),
        goal(agent_step("a"), agent_step("b", "a"), agent_step("c", "b"), agent_step("d", "c")),
    )
    assert statuses(result) == {"a": "succeeded", "b": "succeeded", "c": "cancelled", "d": "cancelled"}
    assert (result["outcomes"]["c"].error.code, result["outcomes"]["d"].error.code) == ("limit", "cancelled")
    said = "Limits.max_calls of 2 is used up (2 spent, a call refused that may take 1)"
    assert result["degraded"][0] == said
    assert result["status"] == "degraded"
    (decision,) = (one for one in result["decisions"] if one.kind == "limit")
    assert (decision.subject, decision.chosen, decision.rationale, decision.by) == ("", "max_calls", said, "limits")
    assert "said 2" in result["answer"]


async def test_a_run_that_comes_to_nothing_is_failed() -> None:
    result = await ran(agent_of(asking(Spender(most=10)), limits=Limits(max_tokens=5)), goal(agent_step("a")))
    assert (result["status"], statuses(result)) == ("failed", {"a": "cancelled"})


async def test_a_limit_that_is_enough_changes_nothing() -> None:
    limits = Limits(max_cost_usd=1, max_tokens=10_000, max_calls=3)
    agent = agent_of(asking(Spender(most=10)), limits=limits, prices=PRICES)
    result = await ran(agent, goal(agent_step("a"), agent_step("b", "a"), agent_step("c", "b")))
    assert (result["status"], result["degraded"], limited(result["decisions"])) == ("complete", [], [])
    assert result["usage"].cost_usd == pytest.approx(0.03)


@pytest.mark.parametrize(("at_limit", "state"), [("finish", "succeeded"), ("cancel", "cancelled")])
async def test_what_is_at_work_goes_on_or_is_cancelled(at_limit: Any, state: str) -> None:
    @specialist(name="slow")
    async def works(task: StepTask, context: StepContext) -> str:
        await asyncio.sleep(0.2)
        return "done"

    agent = agent_of(works, asking(Spender(most=10)), limits=Limits(max_calls=1, at_limit=at_limit))
    steps = (agent_step("long", agent="slow"), agent_step("after", "long", agent="slow"))
    result = await ran(agent, goal(*steps, agent_step("a"), agent_step("b", "a")))
    assert statuses(result) == {"long": state, "after": "cancelled", "a": "succeeded", "b": "cancelled"}


async def test_a_step_that_is_refused_is_neither_tried_again_nor_by_others_nor_revised() -> None:
    tried: list[str] = []
    model = Spender(most=10)

    def trying(name: str) -> Any:
        @specialist(name=name)
        async def tries(task: StepTask, context: StepContext) -> str:
            tried.append(name)
            try:
                return (await model.ainvoke("x")).text
            except LimitReached as error:
                raise ValueError("it did not work") from error

        return tries

    agent = agent_of(
        trying("worker"),
        trying("other"),
        limits=Limits(max_tokens=5),
        execution=ExecutionPolicy(on_failure="fail_fast"),
        revision=RevisionPolicy(triggers=("step.status != 'succeeded'",)),
    )
    step = agent_step("a", fallback=["other"], retry={"max_attempts": 3, "initial_seconds": 0.001})
    result = await ran(agent, goal(step))
    assert tried == ["worker"]
    assert result["outcomes"]["a"].status == "cancelled"
    assert [one.kind for one in result["decisions"]] == ["limit"]


class Asks:
    """A decomposer that asks a model first."""

    def __init__(self, model: Spender, *steps: Result) -> None:
        self.model = model
        self.plan = Plan.model_validate({"steps": list(steps)})

    async def decompose(self, request: PlanRequest) -> Plan:
        await self.model.ainvoke(request.goal)
        return self.plan


async def test_a_planner_that_is_refused_ends_the_call_before_anything_runs() -> None:
    model = Spender(most=10)
    agent = agent_of(asking(model), decomposer=Asks(model, agent_step("a")), limits=Limits(max_tokens=5))
    with pytest.raises(LimitReached) as caught:
        await agent.ainvoke({"goal": "the goal"}, CONFIG)
    assert (caught.value.limit, model.made) == ("max_tokens", [])


async def test_what_the_planner_uses_counts() -> None:
    model = Spender(most=10)
    decomposer = Asks(model, agent_step("a"), agent_step("b", "a"))
    result = await ran(agent_of(asking(model), decomposer=decomposer, limits=Limits(max_calls=2)), {"goal": "the goal"})
    assert statuses(result) == {"a": "succeeded", "b": "cancelled"}
    again = await ran(agent_of(asking(model), decomposer=decomposer, limits=Limits(max_calls=3)), {"goal": "the goal"})
    assert (again["status"], again["usage"].calls) == ("complete", 3)


async def test_a_new_goal_on_a_thread_begins_with_nothing_spent() -> None:
    model, saver = Spender(most=10), InMemorySaver()
    for _ in range(3):
        decomposer = Asks(model, agent_step("a"))
        agent = agent_of(asking(model), decomposer=decomposer, limits=Limits(max_calls=2), checkpointer=saver)
        assert (await ran(agent, {"goal": "the goal"}))["status"] == "complete"


async def test_the_answer_is_written_with_what_was_kept_back() -> None:
    model, writer = Spender(most=10), Spender(most=10, model_name="writer")
    limits = Limits(max_calls=5, keep_back=0.1)
    agent = create_plan_agent(writer, [asking(model)], synthesis="model", limits=limits)
    chain = [agent_step(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(6)]
    result = await ran(agent, goal(*chain))
    assert (len(model.made), len(writer.made)) == (4, 1)
    assert result["answer"] == "said 1"
    assert result["degraded"][0].startswith("Limits.max_calls of 5 is used up (4 spent, 1 kept back for the answer")
    assert result["usage"].calls == 5


def own_words(request: SynthesisRequest) -> str:
    return "own"


KEPT_BACK: list[tuple[dict[str, Any], int]] = [({}, 5), ({"response_format": FORM}, 5), ({"synthesis": own_words}, 4)]


@pytest.mark.parametrize(
    ("options", "called"),
    KEPT_BACK,
    ids=["concatenated", "a form without a model", "a function of the caller's"],
)
async def test_only_what_an_answer_may_need_is_kept_back(options: Any, called: int) -> None:
    model = Spender(most=10)
    agent = create_plan_agent(None, [asking(model)], limits=Limits(max_calls=5, keep_back=0.1), **options)
    chain = [agent_step(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(6)]
    await ran(agent, goal(*chain))
    assert len(model.made) == called


async def test_a_form_that_cannot_be_afforded_is_left_empty_and_the_answer_is_there() -> None:
    writer = Spender(most=10_000, model_name="writer")
    agent = create_plan_agent(
        writer, [asking(Spender(most=10))], synthesis="last_wins", response_format=FORM, limits=Limits(max_tokens=500)
    )
    result = await ran(agent, goal(agent_step("a")))
    assert (result["answer"], result["structured_response"], result["status"]) == ("said 1", None, "degraded")
    assert writer.made == []
    assert limited(result["decisions"]) == ["max_tokens"]


async def test_an_answer_that_cannot_be_afforded_is_put_together_without_a_model() -> None:
    writer = Spender(most=10_000, model_name="writer")
    agent = create_plan_agent(writer, [asking(Spender(most=10))], synthesis="model", limits=Limits(max_tokens=500))
    result = await ran(agent, goal(agent_step("a")))
    assert (writer.made, result["answer"], result["status"]) == ([], "said 1", "degraded")
    assert "the answer is put together without a model, by the limit max_tokens" in result["degraded"]
    assert limited(result["decisions"]) == ["max_tokens"]


async def test_graders_and_revisers_that_are_refused_do_no_harm() -> None:
    judge, changer = Spender(most=9_000), Spender(most=9_000)

    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> str:
        if task.step == "b":
            raise ValueError("broken")
        return "done"

    agent = agent_of(
        works,
        limits=Limits(max_tokens=2_000),
        assess=ModelGrader(judge, "It is good."),
        revision=RevisionPolicy(at_limit="accept"),
        reviser=ModelReviser(changer),
    )
    result = await ran(agent, goal(agent_step("a"), agent_step("b"), agent_step("c", "a")))
    assert (judge.made, changer.made) == ([], [])
    assert statuses(result)["a"] == "succeeded"
    assert (statuses(result)["b"], result["status"]) in {("failed", "degraded"), ("cancelled", "degraded")}
    assert limited(result["decisions"]) == ["max_tokens"]


async def test_a_reviser_s_calls_count() -> None:
    changer = Spender(most=10)

    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> str:
        raise ValueError("broken")

    agent = agent_of(
        works,
        limits=Limits(max_calls=1),
        revision=RevisionPolicy(at_limit="accept"),
        reviser=ModelReviser(changer, max_repairs=3),
    )
    result = await ran(agent, goal(agent_step("a")))
    assert (len(changer.made), result["usage"].calls) == (1, 1)
    assert limited(result["decisions"]) == ["max_calls"]


async def test_a_specialist_sees_what_is_left_at_the_moment() -> None:
    seen: list[Remaining] = []
    model = Spender(most=10)

    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> str:
        seen.append(context.budget)
        said = (await model.ainvoke("x")).text
        seen.append(context.budget)
        return said

    limits = Limits(max_cost_usd=1, max_tokens=100, max_calls=5, max_seconds=60)
    await ran(agent_of(works, limits=limits, prices=PRICES), goal(agent_step("a")))
    assert [(one.usd, one.tokens, one.calls) for one in seen] == [(1, 100, 5), (pytest.approx(0.99), 89, 4)]
    assert all(one.seconds is not None and 55 < one.seconds <= 60 for one in seen)
    seen.clear()
    await ran(agent_of(works), goal(agent_step("a")))
    assert seen == [Remaining(), Remaining()]


async def test_what_was_spent_before_a_restart_counts(tmp_path: Path) -> None:
    def build(saver: Any, seconds: float) -> Any:
        model = Spender(most=10)

        @specialist(name="worker")
        async def works(task: StepTask, context: StepContext) -> str:
            done.append(task.step)
            said = (await model.ainvoke("x")).text
            await asyncio.sleep(seconds if task.step == "b" else 0)
            return said

        decomposer = Asks(model, agent_step("a"), agent_step("b", "a"), agent_step("c", "b"), agent_step("d", "c"))
        return agent_of(works, decomposer=decomposer, limits=Limits(max_calls=4), checkpointer=saver)

    done: list[str] = []
    path = str(tmp_path / "runs.sqlite")
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        await stopped_after(build(saver, 30), {"goal": "the goal"}, lambda: "b" in done)
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        result = await ran(build(saver, 0), None)
    assert statuses(result) == dict.fromkeys("abc", "succeeded") | {"d": "cancelled"}
    assert result["usage"].calls == 4, "the planner's and a's from before; the unrecorded attempt of b is not known"
    assert limited(result["decisions"]) == ["max_calls"]


async def test_what_was_spent_before_a_pause_counts_and_a_limit_that_was_met_stays_on_record(tmp_path: Path) -> None:
    asks: Result = {"id": "ask", "type": "human_approval", "prompt": "?"}
    steps = (agent_step("a"), asks, agent_step("b", "ask"), agent_step("c", "b"))
    path = str(tmp_path / "runs.sqlite")

    def build(saver: Any) -> Any:
        return agent_of(asking(Spender(most=10)), limits=Limits(max_calls=2), checkpointer=saver)

    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        paused = await ran(build(saver), goal(*steps))
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        result = await ran(build(saver), answer(paused, {"ask": True}))
        assert statuses(result) == dict.fromkeys(("a", "ask", "b"), "succeeded") | {"c": "cancelled"}
        kept = (await build(saver).aget_state(CONFIG)).values
    assert limited(kept["decisions"]) == ["max_calls"]


async def test_a_limit_that_was_met_is_known_to_a_process_that_only_writes_the_answer(tmp_path: Path) -> None:
    begun: list[str] = []

    def build(saver: Any, seconds: float) -> Any:
        async def write(request: SynthesisRequest) -> str:
            begun.append("writing")
            await asyncio.sleep(seconds)
            return "the answer"

        limits = Limits(max_calls=1, keep_back=0)
        return agent_of(asking(Spender(most=10)), limits=limits, synthesis=write, checkpointer=saver)

    path = str(tmp_path / "runs.sqlite")
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        plan = goal(agent_step("a"), agent_step("b", "a"))
        await stopped_after(build(saver, 30), plan, lambda: bool(begun))
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        result = await ran(build(saver, 0), None)
    assert (result["answer"], len(begun), limited(result["decisions"])) == ("the answer", 2, ["max_calls"])
    assert result["degraded"][0].startswith("Limits.max_calls of 1 is used up (1 spent")


async def test_a_run_inside_needs_what_is_left_outside_and_has_limits_of_its_own() -> None:
    model = Spender(most=10)
    chain = [agent_step(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(4)]
    plan = Plan.model_validate({"steps": chain})

    class Always:
        async def decompose(self, request: PlanRequest) -> Plan:
            return plan

    def team(**more: Any) -> Any:
        return create_plan_agent(None, [asking(model)], decomposer=Always(), name="team", **more)

    steps = (agent_step("own"), agent_step("in", "own", agent="team"), agent_step("after", "in"))
    outer = await ran(agent_of(asking(model), team(), limits=Limits(max_calls=3)), goal(*steps))
    assert statuses(outer) == {"own": "succeeded", "in": "succeeded", "after": "cancelled"}
    assert outer["usage"].calls == 3
    assert "Limits.max_calls of 3 is used up" in str(outer["outcomes"]["in"].degraded)
    assert limited(outer["decisions"]) == ["max_calls"]
    inner = await ran(agent_of(asking(model), team(limits=Limits(max_calls=2))), goal(*steps))
    assert statuses(inner) == dict.fromkeys(("own", "in", "after"), "succeeded")
    assert (inner["usage"].calls, limited(inner["decisions"])) == (4, [])
    assert "Limits.max_calls of 2 is used up" in str(inner["outcomes"]["in"].degraded)


async def test_steps_that_begin_early_are_granted_too() -> None:
    model = Spender(most=10)

    class Drafts(Asks):
        async def decompose(self, request: PlanRequest) -> Plan:
            for step in self.plan.steps:
                assert request.on_step is not None
                request.on_step(step, 1)
            await asyncio.sleep(0.05)
            return self.plan

    agent = agent_of(
        asking(model),
        decomposer=Drafts(model, agent_step("a", task="A"), agent_step("b", task="B")),
        execution=ExecutionPolicy(eager=True),
        limits=Limits(max_calls=1),
    )
    result = await ran(agent, {"goal": "the goal"})
    assert len(model.made) == 1
    assert limited(result["decisions"]) == ["max_calls"]


@pytest.mark.parametrize(
    ("unpriced", "said"),
    [
        ("ignore", "the price of 1 model calls is not known; the budget does not count them"),
        (0.2, "the price of 1 model calls is not known; each counts as 0.2 USD"),
    ],
)
async def test_calls_without_a_price_are_said(unpriced: Any, said: str) -> None:
    limits = Limits(max_cost_usd=0.5, unpriced=unpriced)
    result = await ran(agent_of(asking(Spender(most=10)), limits=limits, prices={}), goal(agent_step("a")))
    assert said in result["degraded"]


async def test_calls_without_a_price_are_refused_where_that_is_wanted() -> None:
    model = Spender(most=10)
    dear = Spender(most=10, model_name="nobody-s")
    limits = Limits(max_cost_usd=0.5, unpriced="refuse")
    agent = agent_of(asking(model), asking(dear, "dear"), limits=limits, prices=PRICES)
    result = await ran(agent, goal(agent_step("b", agent="dear"), agent_step("a"), agent_step("c", "a")))
    assert statuses(result) == {"b": "cancelled", "a": "succeeded", "c": "succeeded"}
    assert "the price of the model 'nobody-s' is not known" in str(result["degraded"])
    assert dear.made == []


async def test_calls_that_do_not_say_what_they_used_are_said() -> None:
    agent = agent_of(asking(Spender(lambda _: Made(tokens=None), most=10)), limits=Limits(max_tokens=500))
    result = await ran(agent, goal(agent_step("a")))
    assert result["degraded"] == ["1 model calls did not say what they used; what was reserved counts"]
    assert result["outcomes"]["a"].usage.output_tokens == 10


@pytest.mark.parametrize(
    "bad",
    [
        {"max_cost_usd": 0},
        {"max_cost_usd": float("inf")},
        {"max_tokens": 0},
        {"max_calls": -1},
        {"unpriced": -0.1},
        {"unpriced": "free"},
        {"keep_back": 1},
        {"keep_back": -0.1},
        {"at_limit": "stop"},
    ],
    ids=str,
)
def test_limits_are_checked(bad: Any) -> None:
    with pytest.raises(ValueError, match=f"Limits.{next(iter(bad))} must be"):
        Limits(**bad)
