"""Thousands of changes to running plans, judged by trying out what the plans they lead to can come to."""

import os
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

import pytest
from tests.planner.hostile_patches import any_patch
from tests.planner.revision_oracle import MOST_CHOICES, Runs, choices, inside, runs_of
from tests.planner.running_plans import CARDS, Running, come_so_far, running_plan

from goalgraph import InvalidPlan, Outcome, Plan
from goalgraph.planner import dag
from goalgraph.planner.approvals import members, names_step
from goalgraph.planner.patch import PlanPatch, digest_of
from goalgraph.planner.plan import AgentStep, Step
from goalgraph.planner.revision import guarded_specialists, no_progress, revised
from goalgraph.planner.validation import PlanPolicy

PATCHES = int(os.environ.get("GOALGRAPH_PATCHES", "10000"))
PER_PLAN = 25
BATCHES = 10
POLICY = PlanPolicy(max_steps=20)
_BY_NAME = {card.name: card for card in CARDS}
_OVER = ("succeeded", "skipped")
_WORK = ("task", "input", "agent", "agents", "requires", "fallback", "constraints")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_accepted_patch_gets_around_anything(batch: int) -> None:
    seen: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for seed in range(batch, PATCHES // PER_PLAN, BATCHES):
        chance = random.Random(seed)
        running = running_plan(chance)
        before = digest_of(running.plan)
        guarded = _guarded(running)
        assert guarded <= guarded_specialists(running.plan, CARDS, running.asked), seed
        for number in range(PER_PLAN):
            name, patch = any_patch(running, chance)
            seen[name.strip("+")] += 1
            changed = _revised(running, patch, guarded)
            if changed is not None:
                accepted[name.strip("+")] += 1
                faults = list(_faults(running, changed, guarded))
                assert not faults, f"seed {seed}, patch {number} ({name}): {faults}; {patch!r}"
        assert digest_of(running.plan) == before
    assert accepted["helpful"] > 0.4 * seen["helpful"]
    assert sum(accepted.values()) > 0.15 * sum(seen.values())


def test_no_sequence_of_patches_gets_around_anything() -> None:
    made = 0
    for seed in range(PATCHES // 200):
        chance = random.Random(f"sequence {seed}")
        running = running_plan(chance)
        guarded, earlier = frozenset[str](), {digest_of(running.plan)}
        for _ in range(30):
            guarded |= _guarded(running)
            _, patch = any_patch(running, chance)
            changed = _revised(running, patch, guarded)
            if changed is None or no_progress(changed, earlier) or choices(changed) > MOST_CHOICES:
                continue
            faults = list(_faults(running, changed, guarded))
            assert not faults, f"seed {seed}: {faults}; {patch!r}"
            earlier.add(digest_of(changed))
            made += 1
            kept = {key: outcome for key, outcome in _kept(running, changed).items() if outcome.status != "blocked"}
            outcomes, at_work = come_so_far(changed, kept, chance)
            running = Running(plan=changed, outcomes=outcomes, at_work=at_work, asked=running.asked)
    assert made > PATCHES // 100


def _revised(running: Running, patch: PlanPatch, guarded: Collection[str]) -> Plan | None:
    try:
        return revised(
            running.plan,
            patch,
            outcomes=running.outcomes,
            at_work=running.at_work,
            policy=POLICY,
            cards=CARDS,
            inputs={},
            asked=running.asked,
            guarded=guarded,
        )
    except InvalidPlan as error:
        _check_problems(error, {step.id for step in (*running.plan.steps, *patch.add)})
        return None


def _check_problems(error: InvalidPlan, known: Collection[str]) -> None:
    """Look whether a refusal says what it is about."""
    assert str(error).startswith("the revision is not valid")
    for problem in error.problems:
        assert problem.code
        assert problem.message
        assert problem.hint
        if problem.step is None:
            assert problem.code in ("too_many_steps", "no_steps")
        else:
            assert problem.step in known or problem.step.startswith(
                tuple(f"{one}{mark}" for one in known for mark in ".[")
            )


def _faults(running: Running, changed: Plan, guarded: Collection[str]) -> Iterator[str]:
    """Say what an accepted change did that it must not."""
    old, new = _by_id(running.plan), _by_id(changed)
    yield from _shape_faults(running, changed, old, new)
    settled = _settled(running)
    for step_id in settled:
        if old[step_id] != new.get(step_id):
            yield f"{step_id} was settled, and is changed"
    kept = _kept(running, changed)
    if choices(running.plan) > MOST_CHOICES or _open(changed, kept) > MOST_CHOICES:
        return
    before, after = _fresh(running.plan), runs_of(changed, kept)
    yield from _gate_faults(old, new, before, after, settled)
    open_ = [step_id for step_id, step in new.items() if _is_real(step) and step_id not in kept | settled.keys()]
    asked = _asked(new, running.asked)
    for step_id, step in new.items():
        if step_id in kept or step_id in settled or _is_gate(step):
            continue
        was = old.get(step_id)
        is_behind = was is not None and _is_behind(old, before, step_id)
        begun_before = step_id in running.outcomes and running.outcomes[step_id].status in ("failed", "cancelled")
        if was is not None and is_behind and not begun_before and _work(was) != _work(step):
            yield f"{step_id} is gated, and does something else"
        fresh = [one for one in open_ if one not in old] if is_behind and begun_before else open_
        if step_id in asked or not _runs_without(after, step_id, fresh):
            continue
        if is_behind and begun_before:
            yield f"{step_id} is done again without a new approval"
        if (was is None or _work(was) != _work(step)) and (loose := _loose(step, running.asked) & set(guarded)):
            yield f"{step_id} lets {loose} loose"


def _shape_faults(running: Running, changed: Plan, old: Mapping[str, Step], new: Mapping[str, Step]) -> Iterator[str]:
    fields = ("name", "description", "inputs", "coordinator", "output")
    if any(getattr(running.plan, name) != getattr(changed, name) for name in fields):
        yield "the plan itself is changed"
    above = _closure(running.plan), _closure(changed)
    conditions = dag.guards(running.plan.steps), dag.guards(changed.steps)
    for step_id, step in old.items():
        now = new.get(step_id)
        if _is_gate(step):
            if now is None:
                yield f"{step_id} is a gate, and gone"
                continue
            if step.model_dump(exclude={"depends_on"}) != now.model_dump(exclude={"depends_on"}):
                yield f"{step_id} is a gate, and changed"
            if step_id in running.outcomes and running.outcomes[step_id].status == "failed" and step != now:
                yield f"{step_id} was refused, and would be asked again"
            if not above[0][step_id] & new.keys() <= above[1][step_id]:
                yield f"{step_id} is a gate, and moved"
            if set(conditions[0].get(step_id, ())) != set(conditions[1].get(step_id, ())):
                yield f"{step_id} is a gate, and in other branches"
            for guard, _ in conditions[0].get(step_id, ()):
                fork, then = old[guard], new[guard]
                if (getattr(fork, "test", 0), fork.when, fork.join) != (getattr(then, "test", 1), then.when, then.join):
                    yield f"{guard} decides on the gate {step_id}, and is changed"
        if now is not None and now.type == step.type:
            for name in ("timeout", "concurrency"):
                least, most = getattr(now, name, None), getattr(step, name, None)
                if most is not None and (least is None or least > most):
                    yield f"{step_id} has a higher {name}"
    for step in new.values():
        for agent in _agents(step):
            if not {agent.agent, *agent.agents, *agent.fallback} - {None} <= _BY_NAME.keys():
                yield f"{step.id} has an unknown specialist"


def _gate_faults(
    old: Mapping[str, Step], new: Mapping[str, Step], before: Runs, after: Runs, settled: Mapping[str, object]
) -> Iterator[str]:
    """Find steps that could not begin without a gate, and can now."""
    for step_id in old.keys() & new.keys() - settled.keys():
        for gate, step in old.items():
            is_needed = _is_gate(step) and gate in new and gate != step_id and before.needs(step_id, gate)
            if is_needed and _runs_without(after, step_id, [gate]):
                yield f"{step_id} runs without {gate}"


def _runs_without(runs: Runs, step_id: str, gates: Collection[str]) -> int:
    begun = runs.begun[step_id]
    for gate in gates:
        begun &= ~runs.succeeded[gate]
    return begun


def _is_behind(steps: Mapping[str, Step], runs: Runs, step_id: str) -> bool:
    """Whether a step never begins before somebody has approved something."""
    gates = [one for one, step in steps.items() if step.type == "human_approval" and one != step_id]
    return bool(runs.begun[step_id]) and not _runs_without(runs, step_id, gates)


def _guarded(running: Running) -> frozenset[str]:
    """Specialists that only ever work behind approvals."""
    steps, runs = _by_id(running.plan), _fresh(running.plan)
    asked = _asked(steps, running.asked)
    behind, free = set[str](), set[str]()
    for step_id, step in steps.items():
        covered = step_id in asked or _is_behind(steps, runs, step_id)
        if step.type == "map":
            plan = inside(step)
            inner, within = _by_id(plan), _fresh(plan)
            for one in plan.steps:
                (behind if covered or _is_behind(inner, within, one.id) else free).update(_doers(one))
        else:
            (behind if covered else free).update(_doers(step))
    return frozenset(behind - free)


def _loose(step: Step, asked: Collection[str]) -> set[str]:
    """Specialists that a step may set to work although nobody is asked inside of it."""
    if step.type != "map":
        return _doers(step)
    plan = inside(step)
    steps, runs = _by_id(plan), _fresh(plan)
    real = [one for one, inner in steps.items() if _is_real(inner)]
    return {
        name
        for one in plan.steps
        if _runs_without(runs, one.id, real) and not any(names_step(word, one, CARDS) for word in asked)
        for name in _doers(one)
    }


def _doers(step: Step) -> set[str]:
    found = set[str]()
    for one in _agents(step):
        found |= {*one.agents, *one.fallback, *([one.agent] if one.agent else [])}
        if one.agent is None and one.requires:
            found |= {name for name, card in _BY_NAME.items() if set(one.requires) <= set(card.capabilities)}
    return found


def _agents(step: Step) -> list[AgentStep]:
    found = inside(step).steps if step.type == "map" else (step,)
    return [one for one in found if isinstance(one, AgentStep)]


def _asked(steps: Mapping[str, Step], asked: Collection[str]) -> set[str]:
    ids = {one for name in asked if name in steps for one in members(steps, name) if one == name or _agents(steps[one])}
    return ids | {
        one for one, step in steps.items() for name in asked if step.type == "agent" and names_step(name, step, CARDS)
    }


def _work(step: Step) -> object:
    fields = {"type": step.type, "when": step.when, **{name: getattr(step, name, None) for name in _WORK}}
    return {**fields, "map": step.step} if step.type == "map" else fields


def _is_gate(step: Step) -> bool:
    return step.type in ("human_approval", "human_input") or (step.type == "wait" and step.event is not None)


def _is_real(step: Step) -> bool:
    return step.type == "human_approval" and not (step.deadline is not None and step.on_timeout == "approve")


def _settled(running: Running) -> dict[str, None]:
    steps = _by_id(running.plan)
    over = [one for one in steps if one in running.outcomes and running.outcomes[one].status in _OVER]
    groups = [inner for one in over if steps[one].type == "parallel" for inner in members(steps, one)]
    return dict.fromkeys((*over, *groups, *running.at_work))


def _kept(running: Running, changed: Plan) -> dict[str, Outcome]:
    """Outcomes that stand after a revision, as the engine keeps them."""
    old, new, graph = _by_id(running.plan), _by_id(changed), dag.graph(changed)
    kept = {one: outcome for one, outcome in running.outcomes.items() if one in new and old.get(one) == new[one]}
    for step_id in dag.order(graph):
        outcome = kept.get(step_id)
        derived = outcome is not None and (
            outcome.status in ("blocked", "cancelled")
            or (outcome.status == "failed" and new[step_id].type == "parallel")
        )
        if derived and any(need not in kept for need in graph[step_id]):
            del kept[step_id]
    return kept


def _open(plan: Plan, kept: Collection[str]) -> int:
    return choices(Plan.model_construct(steps=tuple(step for step in plan.steps if step.id not in kept)))


def _closure(plan: Plan) -> dict[str, set[str]]:
    graph, found = dag.graph(plan), dict[str, set[str]]()
    for step_id in dag.order(graph):
        found[step_id] = set(graph[step_id]).union(*(found[need] for need in graph[step_id]))
    return found


def _by_id(plan: Plan) -> dict[str, Step]:
    return {step.id: step for step in plan.steps}


_known: dict[int, tuple[Plan, Runs]] = {}


def _fresh(plan: Plan) -> Runs:
    """All runs of a plan from its beginning; found once for the plan that many patches are for."""
    if id(plan) not in _known:
        if len(_known) > 8:
            _known.clear()
        _known[id(plan)] = plan, runs_of(plan)
    return _known[id(plan)][1]
