"""Small running plans, and what becomes of changes to them."""

from typing import Any

import pytest

from goalgraph import InvalidPlan, Outcome, Plan, PlanProblem, SpecialistCard
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.patch import PlanPatch, digest_of
from goalgraph.planner.revision import revised
from goalgraph.planner.validation import PlanPolicy

Data = dict[str, Any]
CARDS = (
    SpecialistCard(name="writer", capabilities=("write",)),
    SpecialistCard(name="helper", capabilities=("write",)),
    SpecialistCard(name="publisher", capabilities=("publish",)),
    SpecialistCard(name="backup", capabilities=("publish", "write")),
)


def agent(step_id: str, *needs: str, by: str = "writer", **fields: Any) -> Data:
    return {"id": step_id, "agent": by, "depends_on": list(needs), **fields}


def approval(step_id: str, *needs: str, **fields: Any) -> Data:
    return {"id": step_id, "type": "human_approval", "prompt": "Yes?", "depends_on": list(needs), **fields}


def fork(step_id: str, *needs: str, then: tuple[str, ...] = (), **fields: Any) -> Data:
    return {"id": step_id, "type": "condition", "if": "true", "depends_on": list(needs), "then": list(then), **fields}


def flat(*steps: Data, **fields: Any) -> Plan:
    return compile_plan(Plan.model_validate({"steps": list(steps), **fields}), CARDS)


def outcomes(**states: str) -> dict[str, Outcome]:
    found = {step_id.replace("__", "."): state for step_id, state in states.items()}
    return {step_id: Outcome.model_validate({"step": step_id, "status": state}) for step_id, state in found.items()}


def changed(plan: Plan, patch: Data, done: dict[str, Outcome] | None = None, **given: Any) -> Plan:
    terms: Data = {"at_work": (), "policy": PlanPolicy(), "cards": CARDS, "inputs": {}, **given}
    return revised(plan, PlanPatch.model_validate(patch), outcomes=done or {}, **terms)


def problems(plan: Plan, patch: Data, done: dict[str, Outcome] | None = None, **given: Any) -> list[PlanProblem]:
    before = digest_of(plan)
    with pytest.raises(InvalidPlan, match="the revision is not valid") as caught:
        changed(plan, patch, done, **given)
    assert digest_of(plan) == before
    assert all(one.message and one.hint for one in caught.value.problems)
    return list(caught.value.problems)


def codes(plan: Plan, patch: Data, done: dict[str, Outcome] | None = None, **given: Any) -> set[tuple[str, str | None]]:
    return {(one.code, one.step) for one in problems(plan, patch, done, **given)}


PUBLISH = flat(
    agent("read"),
    agent("draft", "read"),
    approval("ok", "draft"),
    agent("post", "ok", by="publisher", task="Post it."),
    agent("tell", "post"),
)
DRAFTED = outcomes(read="succeeded", draft="succeeded")
APPROVED = DRAFTED | outcomes(ok="succeeded")
FAILED = APPROVED | outcomes(post="failed", tell="blocked")
REJECTED = DRAFTED | outcomes(ok="failed", post="blocked", tell="blocked")
ASK_AGAIN = approval("again")
