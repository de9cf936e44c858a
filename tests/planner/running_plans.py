"""Running plans with gates, made up at random."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.planner.revision_oracle import MOST_CHOICES, choices

from goalgraph import Outcome, Plan, SpecialistCard
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.transitions import readiness
from goalgraph.graph.steps.gathering import gathered
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.validation import PlanPolicy, validate_plan

Data = dict[str, Any]

CARDS = (
    SpecialistCard(name="writer", capabilities=("write",)),
    SpecialistCard(name="helper", capabilities=("write", "read")),
    SpecialistCard(name="publisher", capabilities=("post", "publish")),
    SpecialistCard(name="payer", capabilities=("pay", "post")),
)
PLAIN = ("writer", "helper")
RISKY = ("publisher", "payer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A plan, and how far it has come."""

    plan: Plan
    outcomes: Mapping[str, Outcome]
    at_work: frozenset[str]
    asked: tuple[str, ...]


def running_plan(chance: random.Random) -> Running:
    """Make up a flat plan that has come some way."""
    while True:
        plan = compile_plan(Plan.model_validate(_document(chance)), CARDS)
        if choices(plan) <= MOST_CHOICES and not validate_plan(plan, PlanPolicy(), CARDS):
            break
    outcomes, at_work = come_so_far(plan, {}, chance)
    asked = chance.choice(((), (), (), ("payer",), ("pay",), (chance.choice(plan.steps).id,)))
    return Running(plan=plan, outcomes=outcomes, at_work=at_work, asked=asked)


def come_so_far(
    plan: Plan, outcomes: Mapping[str, Outcome], chance: random.Random
) -> tuple[dict[str, Outcome], frozenset[str]]:
    """Let a plan run some way; return the outcomes, and what is being done."""
    index, found, at_work = PlanIndex.of(plan), dict(outcomes), set[str]()
    share = chance.random() * 1.2
    for step_id in index.order:
        step = index.steps[step_id]
        if step_id in found or chance.random() > share or any(one not in found for one in index.awaited(step_id)):
            continue
        fate = readiness(
            step.join,
            index.needs[step_id],
            found,
            index.optional,
            index.guards.get(step_id, ()),
            index.members.get(step_id, ()),
        )
        if fate != "run":
            found[step_id] = Outcome(step=step_id, status="skipped" if fate == "skip" else "blocked")
        elif step.type == "parallel":
            found[step_id] = gathered(step, found, index.optional)
        elif chance.random() < 0.1:
            at_work.add(step_id)
        else:
            status = chance.choices(("succeeded", "failed", "cancelled"), (20, 10, 1))[0]
            found[step_id] = Outcome(step=step_id, status=status, output=chance.random() < 0.5)
    return found, frozenset(at_work)


def _document(chance: random.Random) -> Data:
    steps: list[Data] = []
    for number in range(chance.randint(3, 7)):
        earlier = [one["id"] for one in steps]
        needs = chance.sample(earlier, min(len(earlier), chance.choice((0, 1, 1, 1, 2))))
        step: Data = {"id": f"s{number}", "depends_on": needs, **_kind(chance, f"s{number}")}
        if needs and chance.random() < 0.15:
            step["join"] = chance.choice(("any_success", "all_done"))
        if chance.random() < 0.12:
            step["optional"] = True
        if chance.random() < 0.06:
            step["when"] = "true"
        asked = [one["id"] for one in steps if one.get("type") == "human_approval"]
        if asked and chance.random() < 0.5:
            step["depends_on"] = list(dict.fromkeys((*needs, chance.choice(asked))))
        steps.append(step)
    _put_into_branches(steps, chance)
    document: Data = {"steps": steps}
    if chance.random() < 0.15:
        document["coordinator"] = {"guardrails": [{"type": "approval", "require_for": [chance.choice(RISKY)]}]}
    return document


def _kind(chance: random.Random, step_id: str) -> Data:
    fate = chance.random()
    if fate < 0.45:
        return _agent(chance)
    if fate < 0.66:
        late = {"deadline": "1h", "on_timeout": "approve"} if chance.random() < 0.1 else {}
        return {"type": "human_approval", "prompt": f"May {step_id} be?", **late}
    if fate < 0.7:
        return {"type": "human_input", "prompt": "What?"}
    if fate < 0.74:
        return {"type": "wait", "event": "post"}
    if fate < 0.78:
        return {"type": "transform", "output": {"x": 1}}
    if fate < 0.85:
        return {"type": "condition", "if": "input.x | default(true)"}
    if fate < 0.92:
        inner = [{"id": "a", **_agent(chance)}, {"id": "b", **_agent(chance)}]
        limit = chance.choice(({}, {"concurrency": 1}, {"timeout": 60.0}))
        fails = chance.choice(("wait_all", "continue"))
        return {
            "type": "parallel",
            "branches": [inner] if chance.random() < 0.4 else inner,
            "on_failure": fails,
            **limit,
        }
    if fate < 0.96:
        return {"type": "map", "over": [1, 2], "step": repeated(chance, is_safe=chance.random() < 0.8)}
    return {"type": "sub_plan", "plan": {"steps": _asking(chance, is_safe=chance.random() < 0.8)}}


def repeated(chance: random.Random, *, is_safe: bool) -> Data:
    """Make up what a map repeats; where it is safe, an approval inside comes first."""
    if chance.random() < 0.4:
        return {"id": "one", **_agent(chance)}
    return {"id": "one", "type": "sub_plan", "plan": {"steps": _asking(chance, is_safe=is_safe)}}


def _asking(chance: random.Random, *, is_safe: bool) -> list[Data]:
    needs = ["ok"] if is_safe else []
    return [
        {"id": "ok", "type": "human_approval", "prompt": "Yes?"},
        {"id": "do", "depends_on": needs, **_agent(chance)},
    ]


def _agent(chance: random.Random) -> Data:
    who = chance.choice((*PLAIN, *PLAIN, *RISKY))
    step: Data = {"agent": who, "task": "Do it."}
    fate = chance.random()
    if fate < 0.08:
        step |= {"agent": None, "requires": [chance.choice(("write", "post", "pay"))]}
    elif fate < 0.14:
        step["fallback"] = [chance.choice((*PLAIN, *RISKY))]
    if chance.random() < 0.2:
        step |= {"timeout": 30.0, "retry": {"max_attempts": 2}}
    return step


def _put_into_branches(steps: list[Data], chance: random.Random) -> None:
    for place, step in enumerate(steps):
        if step.get("type") == "condition":
            after = [one for one in steps[place + 1 :] if step["id"] not in one["depends_on"]]
            chance.shuffle(after)
            step["then"] = [one["id"] for one in after[:1]]
            step["else"] = [one["id"] for one in after[1:2]] if chance.random() < 0.4 else []
