"""Specialists that fail are left alone for a while and let in again, through whole runs."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.revisers import ScriptedReviser

from goalgraph import (
    AgentStep,
    ExecutionPolicy,
    HealthPolicy,
    Limits,
    MapStep,
    Plan,
    PlanPatch,
    PlanRequest,
    Retry,
    RevisionPolicy,
    StepContext,
    StepResult,
    StepTask,
    as_specialist,
    create_plan_agent,
    specialist,
)
from goalgraph.graph.coordination.health import HealthMonitor
from goalgraph.planner.decision import Decision
from goalgraph.testing import ScriptedChatModel, ScriptedSpecialist

CONFIG: Any = {"configurable": {"thread_id": "1"}}
LONG = HealthPolicy(failures=2, recovery_seconds=600)


class Flaky(ScriptedSpecialist):
    """Fails while it is told to; may be pinged."""

    def __init__(self, name: str, *, able: Sequence[str] = ("work",), error: BaseException | None = None) -> None:
        super().__init__(name, capabilities=able, default=self._do)
        self.error = error if error is not None else OSError("down")
        self.is_down = True
        self.pings: int = 0
        self.delay = 0.0

    async def run(self, task: StepTask, context: StepContext) -> object:
        found = await super().run(task, context)
        await asyncio.sleep(self.delay)
        return found

    def _do(self, task: StepTask, context: StepContext) -> str:
        if self.is_down:
            raise self.error
        return f"{task.step} by {self.card.name}"


class Pinged(Flaky):
    def ping(self) -> bool:
        self.pings += 1
        return not self.is_down


def chained(count: int, **fields: Any) -> Plan:
    """Steps one after the other, whatever becomes of those before."""
    steps = [
        AgentStep(id=f"s{n}", depends_on=(f"s{n - 1}",) if n else (), join="all_done", **fields) for n in range(count)
    ]
    return Plan(steps=tuple(steps))


def health(result: Any, *, of: str = "a") -> list[str]:
    return [one.chosen for one in result["decisions"] if one.kind == "health" and one.subject == of]


def codes(result: Any) -> list[str | None]:
    found = [result["outcomes"][step.id] for step in result["plan"].steps]
    return [one.error.code if one.error is not None else None for one in found]


async def test_who_fails_again_and_again_is_left_alone_and_the_step_says_so() -> None:
    down = Flaky("a")
    done = await create_plan_agent(None, [down], health=LONG).ainvoke({"goal": "g", "plan": chained(4, agent="a")})
    assert (down.steps, codes(done)) == (["s0", "s1"], ["raised", "raised", "unavailable", "unavailable"])
    last = done["outcomes"]["s3"]
    assert (last.attempts, last.specialist, last.status) == (0, "a", "failed")
    assert last.error.message.startswith("'a' has failed too often, and is left alone for another ")
    assert [(one.subject, one.chosen, one.by) for one in done["outcomes"]["s1"].decisions] == [("a", "open", "health")]
    assert "OSError: down" in done["outcomes"]["s1"].decisions[0].rationale


async def test_without_a_policy_nobody_is_left_alone() -> None:
    down = Flaky("a")
    done = await create_plan_agent(None, [down]).ainvoke({"goal": "g", "plan": chained(5, agent="a")})
    assert (len(down.steps), done["decisions"]) == (5, [])


async def test_another_candidate_or_a_fallback_is_not_kept_waiting_by_one_that_is_down() -> None:
    down, other, spare = Flaky("a"), ScriptedSpecialist("b", capabilities=["work"]), ScriptedSpecialist("spare")
    agent = create_plan_agent(None, [down, other, spare], health=LONG)
    done = await agent.ainvoke({"goal": "g", "plan": chained(4, requires=("work",))})
    assert (down.steps, other.steps) == (["s0", "s1"], ["s0", "s1", "s2", "s3"])
    assert done["degraded"] == [f"step 's{n}': a failed: OSError: down" for n in range(2)]
    (decision,) = done["outcomes"]["s3"].decisions
    assert (decision.kind, decision.chosen) == ("assignment", "b")
    assert decision.rationale.endswith("left alone, because they fail: a")
    again = await agent.ainvoke({"goal": "g", "plan": chained(1, agent="a", fallback=("spare",))})
    assert (again["outcomes"]["s0"].specialist, len(down.steps)) == ("spare", 2)
    assert "left alone" in again["degraded"][0]


async def test_retries_stop_as_soon_as_one_is_left_alone_and_the_failure_is_told() -> None:
    down = Flaky("a")
    retry = Retry(max_attempts=9, initial_seconds=0)
    done = await create_plan_agent(None, [down], health=LONG).ainvoke(
        {"goal": "g", "plan": chained(1, agent="a", retry=retry)}
    )
    outcome = done["outcomes"]["s0"]
    assert (len(down.steps), outcome.attempts, outcome.error.code) == (2, 2, "raised")


@pytest.mark.parametrize(
    ("fails", "opens"),
    [("timeout", True), ("invalid", True), ("cancelled", False), ("large", False)],
    ids=["too slow", "no valid output", "cancels itself", "too much output"],
)
async def test_what_counts_is_a_failure_by_the_specialists_fault(fails: str, opens: bool) -> None:
    async def work(task: StepTask, context: StepContext) -> object:
        if fails == "timeout":
            await asyncio.sleep(5)
        if fails == "cancelled":
            raise asyncio.CancelledError
        return {"n": "no number"} if fails == "invalid" else "x" * 6_000_000

    schema: Any = {"type": "object", "properties": {"n": {"type": "integer"}}} if fails == "invalid" else None
    one = as_specialist(work, name="a", output=schema)
    execution = ExecutionPolicy(step_timeout=0.05 if fails == "timeout" else None)
    agent = create_plan_agent(None, [one], health=LONG, execution=execution)
    done = await agent.ainvoke({"goal": "g", "plan": chained(3, agent="a")})
    assert health(done) == (["open"] if opens else [])
    assert (codes(done)[2] == "unavailable") is opens


async def test_a_trial_that_a_limit_cuts_short_is_over() -> None:
    model = ScriptedChatModel([OSError("down"), "up"])
    crew = [as_specialist(ScriptedChatModel(["said"]), name="other"), as_specialist(model, name="a")]
    limits, policy = Limits(max_calls=1), HealthPolicy(failures=1, recovery_seconds=0.01)
    agent = create_plan_agent(None, crew, health=policy, limits=limits)
    first = AgentStep(id="s0", agent="other")
    only, after = AgentStep(id="s1", agent="a"), AgentStep(id="s1", agent="a", depends_on=("s0",))
    assert codes(await agent.ainvoke({"goal": "g", "plan": Plan(steps=(only,))})) == ["raised"]
    await asyncio.sleep(0.02)
    assert codes(await agent.ainvoke({"goal": "g", "plan": Plan(steps=(first, after))})) == [None, "limit"]
    assert codes(await agent.ainvoke({"goal": "g", "plan": Plan(steps=(only,))})) == [None]


async def test_delegated_work_finds_out_about_a_specialist_too() -> None:
    down = Flaky("a")

    @specialist
    async def boss(task: StepTask, context: StepContext) -> list[str | None]:
        found = [await context.delegate("a", instruction=f"part {n}") for n in range(3)]
        return [one.error.code if one.error is not None else None for one in found]

    done = await create_plan_agent(None, [boss, down], health=LONG).ainvoke(
        {"goal": "g", "plan": chained(2, agent="boss")}
    )
    assert [done["outcomes"][one].output for one in ("s0", "s1")] == [
        ["raised", "raised", "unavailable"],
        ["unavailable"] * 3,
    ]
    assert (health(done), len(down.steps)) == (["open"], 2)


async def test_it_is_tried_again_after_a_while_by_one_step_at_a_time() -> None:
    down = Flaky("a")
    agent = create_plan_agent(None, [down], health=HealthPolicy(failures=2, recovery_seconds=0.05))
    await agent.ainvoke({"goal": "g", "plan": chained(2, agent="a")})
    await asyncio.sleep(0.06)
    failed = await agent.ainvoke({"goal": "g", "plan": chained(2, agent="a")})
    assert (health(failed), codes(failed)) == (["half_open", "open"], ["raised", "unavailable"])
    await asyncio.sleep(0.06)
    down.is_down = False
    down.delay = 0.02
    plan = Plan(steps=tuple(AgentStep(id=f"s{n}", agent="a") for n in range(3)))
    mended = await agent.ainvoke({"goal": "g", "plan": plan})
    assert (health(mended), codes(mended)) == (["half_open", "closed"], [None, "unavailable", "unavailable"])
    assert "is over" in mended["outcomes"]["s1"].error.message
    assert codes(await agent.ainvoke({"goal": "g", "plan": plan})) == [None, None, None]


async def test_a_trial_that_is_cancelled_lets_the_next_one_in() -> None:
    down = Flaky("a")
    agent = create_plan_agent(None, [down], health=HealthPolicy(failures=1, recovery_seconds=0.02))
    await agent.ainvoke({"goal": "g", "plan": chained(1, agent="a")})
    await asyncio.sleep(0.03)
    down.is_down = False
    down.delay = 5
    task = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": chained(1, agent="a")}))
    while len(down.steps) < 2:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    down.delay = 0
    assert health(await agent.ainvoke({"goal": "g", "plan": chained(1, agent="a")})) == ["closed"]


async def test_one_that_can_be_pinged_is_pinged_before_it_is_let_in_again() -> None:
    down = Pinged("a")
    agent = create_plan_agent(None, [as_specialist(down)], health=HealthPolicy(failures=1, recovery_seconds=0.02))
    await agent.ainvoke({"goal": "g", "plan": chained(1, agent="a")})
    await asyncio.sleep(0.03)
    still = await agent.ainvoke({"goal": "g", "plan": chained(1, agent="a")})
    assert (len(down.steps), down.pings, codes(still)) == (1, 1, ["unavailable"])
    assert health(still) == ["half_open", "open"]
    await asyncio.sleep(0.03)
    down.is_down = False
    assert codes(await agent.ainvoke({"goal": "g", "plan": chained(1, agent="a")})) == [None]
    assert (len(down.steps), down.pings) == (2, 2)


async def test_a_fresh_process_remembers_who_was_left_alone(tmp_path: Path) -> None:
    def crash(task: StepTask, context: StepContext) -> str:
        raise KeyboardInterrupt

    plan = Plan(
        steps=(*chained(2, agent="a").steps, AgentStep(id="stop", agent="b", depends_on=("s1",), join="all_done"))
    )
    plan = plan.model_copy(
        update={"steps": (*plan.steps, AgentStep(id="last", agent="a", depends_on=("stop",), join="all_done"))}
    )
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        first = create_plan_agent(
            None, [Flaky("a"), ScriptedSpecialist("b", default=crash)], health=LONG, checkpointer=saver
        )
        with pytest.raises(KeyboardInterrupt):
            await first.ainvoke({"goal": "g", "plan": plan}, CONFIG)
        healthy = Flaky("a")
        healthy.is_down = False
        second = create_plan_agent(None, [healthy, ScriptedSpecialist("b")], health=LONG, checkpointer=saver)
        done = await second.ainvoke(None, CONFIG)
    assert (healthy.steps, codes(done)) == ([], ["raised", "raised", None, "unavailable"])


async def test_items_of_a_map_leave_it_alone_too() -> None:
    each = MapStep(id="each", over=[0, 1, 2, 3], step=AgentStep(id="one", agent="a"), concurrency=1)
    down = Flaky("a")
    done = await create_plan_agent(None, [down], health=LONG).ainvoke({"goal": "g", "plan": Plan(steps=(each,))})
    assert len(down.steps) == 2
    assert [done["outcomes"][f"each[{n}]"].error.code for n in range(4)] == ["raised"] * 2 + ["unavailable"] * 2


async def test_a_fresh_process_remembers_what_items_of_a_map_have_found(tmp_path: Path) -> None:
    def crash(task: StepTask, context: StepContext) -> str:
        raise KeyboardInterrupt

    item = AgentStep(id="one", agent="a", fallback=("b",))
    each = MapStep(id="each", over=[0, 1, 2], step=item, concurrency=1)
    policy = HealthPolicy(failures=1, recovery_seconds=600)
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        crew = [Flaky("a"), ScriptedSpecialist("b", {"each[1]": crash})]
        with pytest.raises(KeyboardInterrupt):
            await create_plan_agent(None, crew, health=policy, checkpointer=saver).ainvoke(
                {"goal": "g", "plan": Plan(steps=(each,))}, CONFIG
            )
        fine = Flaky("a")
        fine.is_down = False
        fresh = create_plan_agent(None, [fine, ScriptedSpecialist("b")], health=policy, checkpointer=saver)
        done = await fresh.ainvoke(None, CONFIG)
    assert fine.steps == []
    assert [done["outcomes"][f"each[{n}]"].specialist for n in range(3)] == ["b", "b", "b"]


async def test_steps_that_begin_before_the_plan_is_complete_leave_it_alone_too() -> None:
    class Slow:
        async def decompose(self, request: PlanRequest) -> Plan:
            plan = Plan(steps=tuple(AgentStep(id=f"s{n}", agent="a") for n in range(4)))
            for step in plan.steps:
                assert request.on_step is not None
                request.on_step(step, 1)
                await asyncio.sleep(0.02)
            return plan

    down = Flaky("a")
    agent = create_plan_agent(None, [down], decomposer=Slow(), health=LONG, execution=ExecutionPolicy(eager=True))
    done = await agent.ainvoke({"goal": "g"})
    assert (down.steps, codes(done)) == (["s0", "s1"], ["raised"] * 2 + ["unavailable"] * 2)
    assert health(done) == ["open"]


async def test_a_revision_may_be_called_for_where_nobody_is_left() -> None:
    patch = PlanPatch(replace=(AgentStep(id="s2", agent="b", depends_on=("s1",), join="all_done"),))
    reviser = ScriptedReviser([patch])
    agent = create_plan_agent(
        None,
        [Flaky("a"), ScriptedSpecialist("b")],
        health=LONG,
        revision=RevisionPolicy(triggers=("step.error.code == 'unavailable'",)),
        reviser=reviser,
    )
    done = await agent.ainvoke({"goal": "g", "plan": chained(3, agent="a")})
    assert (done["outcomes"]["s2"].specialist, len(reviser.requests)) == ("b", 1)


async def test_a_result_that_nobody_trusts_counts_where_that_is_wanted() -> None:
    lying = ScriptedSpecialist("a", capabilities=["work"], default=StepResult(output="x", confidence=0.1))
    honest = ScriptedSpecialist("b", capabilities=["work"], default=StepResult(output="x", confidence=0.9))
    policy = HealthPolicy(failures=2, recovery_seconds=600, min_confidence=0.5)
    done = await create_plan_agent(None, [lying, honest], health=policy).ainvoke(
        {"goal": "g", "plan": chained(4, requires=("work",))}
    )
    outcomes = [done["outcomes"][f"s{n}"] for n in range(4)]
    assert [one.specialist for one in outcomes] == ["b"] * 4
    assert [one.confidence for one in outcomes] == [0.9] * 4
    assert [one.attempts for one in outcomes] == [2, 2, 1, 1]  # it is left alone after two
    assert outcomes[0].degraded == ("a is not sure enough: confidence 0.1",)


@pytest.mark.parametrize(
    ("second", "surest"), [(0.3, "b"), (0.05, "a"), (None, "a")], ids=["surer", "less sure", "down"]
)
async def test_of_results_that_nobody_trusts_the_surest_is_kept(second: float | None, surest: str) -> None:
    weak = StepResult(output="a", confidence=0.1, degraded=("in a hurry",))
    other: Any = StepResult(output="b", confidence=second) if second is not None else OSError("down")
    crew = [ScriptedSpecialist("a", default=weak), ScriptedSpecialist("b", default=other)]
    plan = chained(1, agent="a", fallback=("b",))
    health = HealthPolicy(min_confidence=0.5)
    done = (await create_plan_agent(None, crew, health=health).ainvoke({"goal": "g", "plan": plan}))["outcomes"]["s0"]
    assert (done.status, done.specialist, done.output, done.attempts) == ("succeeded", surest, surest, 2)
    assert ("in a hurry" in done.degraded) == (surest == "a")
    assert "a is not sure enough: confidence 0.1" in done.degraded


async def test_what_had_an_effect_is_not_done_again_because_it_is_not_sure() -> None:
    crew = [
        as_specialist(ScriptedSpecialist("a", default=StepResult(output="a", confidence=0.1)), effects=True),
        ScriptedSpecialist("b", default="b"),
    ]
    plan = chained(1, agent="a", fallback=("b",))
    health = HealthPolicy(min_confidence=0.5)
    done = (await create_plan_agent(None, crew, health=health).ainvoke({"goal": "g", "plan": plan}))["outcomes"]["s0"]
    assert (done.specialist, done.attempts) == ("a", 1)


def test_all_that_can_be_pinged_are_asked_how_they_are() -> None:
    class Hanging(Pinged):
        async def ping(self) -> bool:  # type: ignore[override]
            await asyncio.sleep(5)
            return True

    up = Pinged("up")
    up.is_down = False
    crew = [up, Pinged("down"), Hanging("hanging"), ScriptedSpecialist("silent")]
    agent = create_plan_agent(None, crew, health=HealthPolicy(ping_timeout=0.05))
    assert agent.check() == {"up": "healthy", "down": "unhealthy", "hanging": "unresponsive"}
    assert create_plan_agent(None, [up, crew[3]]).check() == {"up": "healthy"}


def test_what_is_known_survives_by_the_clock_on_the_wall() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [now]
    monitor = HealthMonitor(LONG, now=lambda: moments[-1])
    guard = monitor.guard()
    one = ScriptedSpecialist("a")
    for _ in range(2):
        guard.failed(one, OSError("down"))
    (decision,) = guard.decisions
    assert isinstance(decision, Decision)
    assert datetime.fromisoformat(decision.at) == now
    moments.append(now + timedelta(seconds=599))
    assert monitor.seen("a") == "open"
    moments.append(now + timedelta(seconds=601))
    assert monitor.seen("a") == "half_open"
