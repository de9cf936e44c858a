"""Random plans of nested steps, with failures, refusals, cancelled runs and resumes, against an independent reckoning.

The reckoning looks at each step of the flat plan by itself: what it came to must follow from what those came to that it
waits for. Steps may be cancelled only inside of a group that fails fast and in which something has failed.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from tests.graph.kinds import CONFIG, Ledger, Result, agent_of, answer, asked, worker

from goalgraph import ExecutionPolicy, Outcome, PlanAgent
from goalgraph.errors import InvalidPlan
from goalgraph.graph.storage.recorded import recorded_outcomes
from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan, items_of
from goalgraph.planner.plan import MapStep, ParallelStep, Plan, Step

BAD = ("failed", "blocked", "cancelled")


class Maker:
    """Draws steps whose ids differ, each of which may need those drawn before it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0

    def step(self, names: list[str], depth: int) -> Result:
        kinds = ["agent", "agent", "agent", "transform", "human_approval"]
        kinds += ["parallel", "parallel", "condition", "map", "sub_plan"] if depth else []
        kind = self.draw(st.sampled_from(kinds))
        self.count += 1
        found: Result = {"id": f"s{self.count}", "type": kind}
        needs = self.draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
        if needs:
            found["depends_on"] = needs
        if (join := self.draw(st.sampled_from(["all_success"] * 4 + ["all_done", "any_success"]))) != "all_success":
            found["join"] = join
        if self.draw(st.integers(0, 7)) == 0:
            found["optional"] = True
        if self.draw(st.integers(0, 7)) == 0:
            found["when"] = self.draw(st.sampled_from(["true", "false"]))
        getattr(self, f"_{kind}")(found, names, depth)
        return found

    def steps(self, names: list[str], depth: int, most: int) -> list[Result]:
        made: list[Result] = []
        for _ in range(self.draw(st.integers(1, most))):
            made.append(self.step([*names, *(one["id"] for one in made)], depth))
        return made

    def _limits(self, found: Result) -> None:
        found["on_failure"] = self.draw(st.sampled_from(["wait_all", "continue", "fail_fast"]))
        if (limit := self.draw(st.integers(0, 3))) > 0:
            found["concurrency"] = limit

    def _agent(self, found: Result, _names: list[str], _depth: int) -> None:
        found["agent"] = "worker"

    def _transform(self, found: Result, _names: list[str], _depth: int) -> None:
        found["output"] = "{{ 1 }}"

    def _human_approval(self, found: Result, _names: list[str], _depth: int) -> None:
        found["prompt"] = "Go on?"

    def _condition(self, found: Result, names: list[str], depth: int) -> None:
        found["if"] = self.draw(st.sampled_from(["true", "false", "1 / now()"]))
        found["then"] = self.steps(names, depth - 1, 2)
        found["else"] = self.steps(names, depth - 1, 2) if self.draw(st.booleans()) else []

    def _parallel(self, found: Result, names: list[str], depth: int) -> None:
        self._limits(found)
        branches: list[Any] = []
        seen = list(names)
        for _ in range(self.draw(st.integers(1, 4))):
            if self.draw(st.integers(0, 2)):
                branches.append(self.step(seen, depth - 1))
                seen.append(branches[-1]["id"])
            else:
                branches.append(self.steps(seen, depth - 1, 3))
                seen += [one["id"] for one in branches[-1]]
        found["branches"] = branches

    def _map(self, found: Result, names: list[str], depth: int) -> None:
        self._limits(found)
        found["over"] = list(range(self.draw(st.integers(0, 3))))
        found["step"] = self.step(names, depth - 1)

    def _sub_plan(self, found: Result, _names: list[str], depth: int) -> None:
        found["plan"] = {"steps": self.steps([], depth - 1, 3)}
        found["input"] = {"x": 1}


@st.composite
def sound_plans(draw: st.DrawFn) -> Plan:
    return Plan.model_validate({"steps": Maker(draw).steps([], 3, 4)})


def chance(step_id: str, seed: int) -> float:
    return random.Random(f"{seed} {step_id}").random()


class Truth:
    """What each step must have come to."""

    def __init__(self, plan: Plan, outcomes: Mapping[str, Outcome], seed: int) -> None:
        self.outcomes = outcomes
        self.seed = seed
        self.steps: dict[str, Step] = {}
        self.needs: dict[str, tuple[str, ...]] = {}
        self.guards: dict[str, list[tuple[str, bool]]] = {}
        self.groups: list[tuple[ParallelStep | MapStep, str]] = []
        """Those that fail fast, and what the ids of their steps begin with."""
        self._add(compile_plan(plan).steps)

    def _add(self, steps: Sequence[Step]) -> None:
        ids = {step.id for step in steps}
        ends: set[str] = set()
        for step in steps:
            self.steps[step.id] = step
            if step.type == "condition":
                for names, value in ((step.then, True), (step.otherwise, False)):
                    for name in names:
                        self.guards.setdefault(str(name), []).append((step.id, value))
            if step.type == "parallel":
                ends |= set(dag.branch_names(step))
                if step.on_failure == "fail_fast":
                    self.groups.append((step, f"{step.id}."))
        for step in steps:
            needed = dag.needs(step)
            if step.join == "any_success":  # what makes a sub-plan's input is no dependency that anybody wrote
                needed = frozenset(
                    need for need in needed if not (need.endswith(".input") and need not in ends and len(needed) > 1)
                )
            self.needs[step.id] = tuple(needed)
            if step.type == "map":
                self._add_items(step, self._count(step))
        assert ids <= self.outcomes.keys(), f"without an outcome: {ids - self.outcomes.keys()}"

    def _count(self, step: MapStep) -> int:
        return sum(1 for number in range(3) if f"{step.id}[{number}]" in self.outcomes)

    def _add_items(self, step: MapStep, count: int) -> None:
        if step.on_failure == "fail_fast":
            self.groups.append((step, f"{step.id}["))
        for number in range(count):
            self._add(items_of(step, number))

    def faults(self) -> Iterator[str]:
        for step_id in self.steps:
            found, wanted = self.outcomes[step_id].status, self.expected(step_id)
            if found != wanted and not (found == "cancelled" and self._may_be_cancelled(step_id)):
                yield f"{step_id} {found}, not {wanted}"
        if surplus := self.outcomes.keys() - self.steps.keys():
            yield f"outcomes of nobody: {surplus}"

    def expected(self, step_id: str) -> str:
        step = self.steps[step_id]
        guards = self.guards.get(step_id, [])
        deciders = [self.outcomes[guard] for guard, _ in guards]
        if any(
            one.status == "succeeded" and one.output != value for one, (_, value) in zip(deciders, guards, strict=True)
        ):
            return "skipped"
        if any(one.status in BAD for one in deciders):
            return "blocked"
        if any(one.status == "skipped" for one in deciders):
            return "skipped"
        if step.type == "parallel":
            return self._whole(step)
        states = {need: self.outcomes[need].status for need in self.needs[step_id]}
        fate = self._fate(step, states)
        if fate != "run":
            return fate
        return "skipped" if step.when == "false" else self._work(step)

    def _fate(self, step: Step, states: Mapping[str, str]) -> str:
        if step.join == "all_done" or not states:
            return "run"
        if step.join == "any_success":
            if "succeeded" in states.values():
                return "run"
            return "blocked" if any(state in BAD for state in states.values()) else "skipped"
        hard = [
            state
            for need, state in states.items()
            if state != "succeeded" and not (self.steps[need].optional and state != "cancelled")
        ]
        if not hard:
            return "run"
        return "blocked" if any(state in BAD for state in hard) else "skipped"

    def _work(self, step: Step) -> str:
        if step.type == "agent":
            return "failed" if chance(step.id, self.seed) < 0.25 else "succeeded"
        if step.type == "human_approval":
            return "failed" if chance(step.id, self.seed) < 0.4 else "succeeded"
        if step.type == "condition":
            return "failed" if step.test == "1 / now()" else "succeeded"
        if step.type == "map":
            return self._whole(step) if self._count(step) else "succeeded"
        return "succeeded"

    def _heads(self, whole: ParallelStep | MapStep) -> list[str]:
        """What a group's end is about."""
        if whole.type == "map":
            return [items_of(whole, number)[-1].id for number in range(self._count(whole))]
        return [str(branch[-1] if isinstance(branch, tuple) else branch) for branch in whole.branches]

    def _whole(self, step: ParallelStep | MapStep) -> str:
        heads = self._heads(step)
        states = [self.outcomes[head].status for head in heads]
        bad = [
            self.outcomes[head].status
            for head in heads
            if self.outcomes[head].status in BAD and not self.steps[head].optional
        ]
        if not bad:
            return "skipped" if "skipped" in states and "succeeded" not in states else "succeeded"
        if step.on_failure == "continue" and "succeeded" in states:
            return "succeeded"
        if "succeeded" not in states and set(bad) == {"blocked"}:
            return "blocked"
        return "cancelled" if set(bad) == {"cancelled"} else "failed"

    def _may_be_cancelled(self, step_id: str) -> bool:
        return any(
            self.outcomes[head].status in ("failed", "blocked") and not self.steps[head].optional
            for whole, prefix in self.groups
            if step_id.startswith(prefix)
            for head in self._heads(whole)
        )


async def go(agent: PlanAgent, given: Any, ledger: Ledger, stop_after: int | None) -> Result | None:
    """Run; None where the run was cancelled after so many further steps have begun."""
    enough = len(ledger.started) + (stop_after or 0)
    task = asyncio.ensure_future(agent.ainvoke(given, CONFIG))
    async with asyncio.timeout(10):
        while stop_after is not None and not task.done() and len(ledger.started) < enough:
            await asyncio.sleep(0)
        if stop_after is not None and not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if task.cancelled():
                return None
        result: Result = await task
    return result


async def recorded(agent: PlanAgent) -> set[str]:
    """Steps whose outcomes are stored, items of maps under way included."""
    found = set(recorded_outcomes(await agent.aget_state(CONFIG)))
    saver: Any = vars(agent)["checkpointer"]
    kept = await saver.aget_tuple(CONFIG)
    for _, channel, value in (kept.pending_writes or ()) if kept is not None else ():
        if channel == "__return__":
            found |= {outcome.step for outcome in value}
    return found


def branch_at_work(whole: ParallelStep | MapStep, step_id: str) -> str | None:
    """Which branch or item of a group a step is in."""
    if whole.type == "map":
        inside = step_id.startswith(f"{whole.id}[")
        return step_id[len(whole.id) :].partition("]")[0] if inside else None
    for number, branch in enumerate(whole.branches):
        for name in map(str, branch if isinstance(branch, tuple) else (branch,)):
            if step_id == name or step_id.startswith((f"{name}.", f"{name}[")):
                return str(number)
    return None


def limits_hold(truth: Truth, ledger: Ledger) -> bool:
    """Whether no more branches and items were at work than allowed."""
    humans = [step_id for step_id, step in truth.steps.items() if step.type == "human_approval"]
    for step in truth.steps.values():
        if (step.type != "parallel" and step.type != "map") or step.concurrency is None:
            continue
        if any(step_id.startswith((f"{step.id}.", f"{step.id}[")) for step_id in humans):
            continue  # branches that have waited for a human take no place any more
        if ledger.most(partial(branch_at_work, step)) > step.concurrency:
            return False
    return True


async def played(plan: Plan, seed: int, stops: Sequence[int], at_once: bool, most: int | None) -> tuple[Result, Ledger]:
    """Run a plan to its end, with the runs cancelled and the questions answered as told."""
    ledger = Ledger()
    order = random.Random(seed)
    agent = agent_of(
        worker(
            ledger,
            seconds=lambda step: max(chance(step, seed + 1) - 0.5, 0.0) / 100,
            fails=lambda step: chance(step, seed) < 0.25,
        ),
        checkpointer=InMemorySaver(),
        execution=ExecutionPolicy(max_concurrency=most),
    )
    left = list(stops)
    given: Any = {"goal": "the goal", "plan": plan}
    for _ in range(200):
        begun = len(ledger.started)
        before = await recorded(agent) if given is None or not isinstance(given, dict) else set[str]()
        result = await go(agent, given, ledger, left.pop(0) if left else None)
        again = set(ledger.started[begun:]) & before
        assert not again, f"recorded, and done again: {again}"
        if result is None:
            given = None if (await agent.aget_state(CONFIG)).values.get("plan") else {"goal": "the goal", "plan": plan}
            continue
        if not result.get("__interrupt__"):
            assert result.get("status"), "ended without an answer and without a question"
            return result, ledger
        questions = sorted(asked(result))
        chosen = questions if at_once else [order.choice(questions)]
        given = answer(result, {step: chance(step, seed) >= 0.4 for step in chosen})
    raise AssertionError("it does not end")


def checked(plan: Plan, seed: int, stops: Sequence[int], at_once: bool, most: int | None) -> None:
    try:
        result, ledger = asyncio.run(played(plan, seed, stops, at_once, most))
    except InvalidPlan:
        reject()
    truth = Truth(plan, result["outcomes"], seed)
    faults = list(truth.faults())
    assert not faults, faults
    assert limits_hold(truth, ledger), ledger.lines
    assert most is None or ledger.most() <= most
    if not stops:
        assert len(ledger.started) == len(set(ledger.started))


COMMON = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@settings(COMMON, max_examples=40)
@given(sound_plans(), st.integers(0, 10**6), st.booleans(), st.sampled_from([None, None, 1, 2]))
def test_every_step_comes_to_what_follows_from_those_it_waits_for(
    plan: Plan, seed: int, at_once: bool, most: int | None
) -> None:
    checked(plan, seed, (), at_once, most)


@settings(COMMON, max_examples=25)
@given(
    sound_plans(),
    st.integers(0, 10**6),
    st.lists(st.integers(0, 6), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([None, None, 1, 2]),
)
def test_cancelled_runs_go_on_to_the_same_end(
    plan: Plan, seed: int, stops: list[int], at_once: bool, most: int | None
) -> None:
    checked(plan, seed, stops, at_once, most)
