"""Revision by rules: what each does, and where it keeps away."""

import asyncio
from typing import Any

import pytest
from tests.planner.revising import done, failed, plan_of, request_of

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import StepErrorCode
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, StepError
from goalgraph.planner.patch import PlanPatch, apply_patch
from goalgraph.planner.plan import AgentStep
from goalgraph.planner.reviser import RevisionRequest
from goalgraph.planner.rule_reviser import RuleReviser
from goalgraph.planner.validation import PlanPolicy

ANN = SpecialistCard(name="ann", capabilities=("search", "read"))
BOB = SpecialistCard(name="bob", capabilities=("search",))
CARL = SpecialistCard(name="carl", capabilities=("search", "read", "draw"))
DORA = SpecialistCard(name="dora", capabilities=("write",))
EVE = SpecialistCard(name="eve", capabilities=("write", "search"))
CREW = (ANN, BOB, CARL, DORA, EVE)


def agent(step_id: str, name: str | None = "ann", *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "agent": name, "task": f"Do {step_id}.", "depends_on": list(needs), **fields}


def revised(request: RevisionRequest) -> PlanPatch:
    return asyncio.run(RuleReviser().revise(request))


def replacement(patch: PlanPatch) -> AgentStep:
    (step,) = patch.replace
    assert isinstance(step, AgentStep)
    assert (patch.add, patch.drop, patch.rewire) == ((), (), {})
    return step


def earlier(patch: PlanPatch, step: str, **fields: Any) -> Decision:
    return Decision(
        kind="revision", subject=step, chosen="revise", rationale=patch.rationale, at="2026-01-01T00:00:00Z", **fields
    )


def test_another_specialist_who_shares_most_capabilities_does_a_failed_step() -> None:
    plan = plan_of(agent("look", timeout=9.0, input={"x": 1}), agent("tell", "dora", "look"))
    patch = revised(request_of(plan, CREW, failed("look", specialist="ann")))
    old = plan.step("look")
    assert replacement(patch) == old.model_copy(update={"agent": "carl"})
    assert patch.rationale == "'ann' failed at step 'look'; 'carl', who is able to do it as well, does it instead"


def test_among_equals_the_one_with_the_fewest_other_capabilities_is_taken() -> None:
    plan = plan_of(agent("look", "bob"))
    assert replacement(revised(request_of(plan, (CARL, EVE, BOB), failed("look", specialist="bob")))).agent == "eve"


def test_of_what_a_step_requires_the_other_specialist_has_all() -> None:
    plan = plan_of(agent("look", None, requires=["search", "read"]))
    assert replacement(revised(request_of(plan, CREW, failed("look", specialist="ann")))).agent == "carl"
    assert not revised(request_of(plan, (ANN, BOB, DORA), failed("look", specialist="ann")))


def test_fallbacks_that_have_failed_are_not_asked_again() -> None:
    plan = plan_of(agent("look", fallback=["carl"]))
    found = replacement(revised(request_of(plan, CREW, failed("look", specialist="carl"))))
    assert (found.agent, found.fallback) == ("bob", ())


def test_who_failed_before_an_earlier_revision_is_not_asked_again() -> None:
    plan = plan_of(agent("look"))
    first = request_of(plan, (ANN, BOB, CARL), failed("look", specialist="ann"))
    one = revised(first)
    assert replacement(one).agent == "carl"
    now = apply_patch(plan, one)
    history: tuple[Decision, ...] = (earlier(one, "look"),)
    two = revised(request_of(now, (ANN, BOB, CARL), failed("look", specialist="carl"), history=history))
    assert replacement(two).agent == "bob"
    now = apply_patch(now, two)
    history = (*history, earlier(two, "look"))
    assert not revised(request_of(now, (ANN, BOB, CARL), failed("look", specialist="bob"), history=history))


def test_a_specialist_in_the_evidence_of_an_earlier_revision_counts_as_tried() -> None:
    evidence = Decision(
        kind="revision", subject="look", chosen="revise", answer={"failed": [{"by": "carl"}]}, at="2026-01-01T00:00:00Z"
    )
    plan = plan_of(agent("look"))
    found = revised(request_of(plan, CREW, failed("look", specialist="ann"), history=(evidence,)))
    assert replacement(found).agent == "bob"
    other = evidence.model_copy(update={"subject": "tell"})
    found = revised(request_of(plan, CREW, failed("look", specialist="ann"), history=(other,)))
    assert replacement(found).agent == "carl"


def test_a_member_of_a_group_that_does_the_same_work_is_not_asked() -> None:
    plan = plan_of(
        agent("one", task="Look."), agent("two", "carl", task="Look."), agent("three", "bob", "two", task="Look.")
    )
    found = revised(request_of(plan, (ANN, BOB, CARL), failed("one", specialist="ann")))
    assert replacement(found).agent == "bob"


def test_specialists_that_are_not_available_are_not_asked() -> None:
    plan, policy = plan_of(agent("look")), PlanPolicy(available=frozenset(("ann", "bob")))
    found = revised(request_of(plan, CREW, failed("look", specialist="ann"), policy=policy))
    assert replacement(found).agent == "bob"


def test_the_first_change_that_may_be_made_is_made() -> None:
    def no_carl(patch: PlanPatch) -> tuple[PlanProblem, ...]:
        names = {getattr(step, "agent", None) for step in patch.replace}
        return (PlanProblem(code="invalid_value", message="not him"),) if "carl" in names else ()

    found = revised(request_of(plan_of(agent("look")), CREW, failed("look", specialist="ann"), check=no_carl))
    assert replacement(found).agent == "bob"


def test_nothing_is_changed_where_every_change_is_refused() -> None:
    def never(_patch: PlanPatch) -> tuple[PlanProblem, ...]:
        return (PlanProblem(code="invalid_value", message="no"),)

    request = request_of(plan_of(agent("look", optional=True)), CREW, failed("look", specialist="ann"), check=never)
    found = revised(request)
    assert not found
    assert found.rationale == "no rule knows a better way than that of step 'look'"


@pytest.mark.parametrize("code", ["invalid_input", "dependency", "cancelled", "rejected"])
def test_another_specialist_does_not_help_where_the_specialist_was_not_at_fault(code: StepErrorCode) -> None:
    plan = plan_of(agent("look"), agent("tell", "dora", "look"))
    outcome = failed("look", StepError(code=code, message="m"), specialist="ann")
    assert not revised(request_of(plan, CREW, outcome))


def test_work_with_effects_is_given_to_nobody_else() -> None:
    mailer = SpecialistCard(name="mailer", capabilities=("search",), effects=True)
    assert not revised(request_of(plan_of(agent("send", "mailer")), (mailer, BOB), failed("send", specialist="mailer")))
    assert not revised(request_of(plan_of(agent("look", "bob")), (mailer, BOB), failed("look", specialist="bob")))


def test_an_optional_step_that_failed_is_dropped_and_the_order_of_the_others_stays() -> None:
    plan = plan_of(
        agent("ask", "dora"),
        agent("look", "ann", "ask", optional=True),
        agent("tell", "dora", "look", "ask"),
        agent("end", "dora", "look"),
    )
    patch = revised(request_of(plan, (ANN, DORA), done("ask"), failed("look", specialist="ann")))
    assert patch == PlanPatch(
        drop=("look",),
        rewire={"tell": ("ask",), "end": ("ask",)},
        rationale="step 'look', which is optional, failed and is left out",
    )


@pytest.mark.parametrize(
    ("dependant", "needs"),
    [
        (agent("tell", "dora", "look", join="all_done"), ("ask",)),
        (agent("tell", "dora", "look", "other", join="any_success"), ("other",)),
    ],
    ids=["all_done", "any_success with another"],
)
def test_a_step_that_its_dependants_can_do_without_is_dropped(
    dependant: dict[str, Any], needs: tuple[str, ...]
) -> None:
    plan = plan_of(agent("ask", "dora"), agent("look", "ann", "ask"), agent("other", "dora"), dependant)
    patch = revised(request_of(plan, (ANN, DORA), done("ask"), failed("look", specialist="ann")))
    assert (patch.drop, patch.rewire) == (("look",), {"tell": needs})


@pytest.mark.parametrize(
    "steps",
    [
        [agent("look"), agent("tell", "dora", "look")],
        [agent("look"), agent("tell", "dora", "look", join="any_success")],
        [agent("look"), agent("tell", "dora", "look", join="all_done"), agent("end", "dora", "look")],
        [agent("look")],
        [agent("look", optional=True), agent("tell", "dora", task="Tell {{ steps.look.output }}")],
        [
            agent("look", optional=True),
            {"id": "both", "type": "parallel", "branches": ["look", "other"]},
            agent("other", "dora"),
        ],
    ],
    ids=["needed", "the only one of any", "needed by one of two", "an end", "named in a task", "a branch"],
)
def test_a_step_that_something_needs_is_not_dropped(steps: list[dict[str, Any]]) -> None:
    assert not revised(request_of(plan_of(*steps), (ANN, DORA), failed("look", specialist="ann")))


def test_a_step_is_not_dropped_under_dependants_at_work() -> None:
    plan = plan_of(agent("look", optional=True), agent("tell", "dora", "look"))
    assert not revised(request_of(plan, (ANN, DORA), failed("look", specialist="ann"), at_work=("tell",)))


def test_a_no_of_a_human_is_not_dropped() -> None:
    plan = plan_of(
        {"id": "ok", "type": "human_approval", "prompt": "Go?", "optional": True}, agent("send", "ann", "ok")
    )
    outcome = failed("ok", StepError(code="rejected", message="no"))
    assert not revised(request_of(plan, CREW, outcome, check=lambda _patch: ()))


def test_a_step_of_several_capabilities_is_split_between_those_who_have_one() -> None:
    searcher, writer = (
        SpecialistCard(name="s", capabilities=("search",)),
        SpecialistCard(name="w", capabilities=("write",)),
    )
    reader = SpecialistCard(name="r", capabilities=("read",))
    whole = SpecialistCard(name="all", capabilities=("search", "read", "write"))
    plan = plan_of(
        agent("ask", "w"),
        agent("do", None, "ask", requires=["search", "read", "write"], input={"x": "{{ steps.ask.output }}"}),
        agent("tell", "w", task="Tell {{ steps.do.output }}"),
        agent("do_part1", "w"),
    )
    patch = revised(request_of(plan, (whole, writer, searcher, reader), done("ask"), failed("do", specialist="all")))
    one, two = patch.add
    (last,) = patch.replace
    assert [(step.id, getattr(step, "agent", None), step.depends_on) for step in (one, two, last)] == [
        ("do_part1_2", "s", ("ask",)),
        ("do_part2", "r", ("ask", "do_part1_2")),
        ("do", "w", ("ask", "do_part1_2", "do_part2")),
    ]
    assert isinstance(one, AgentStep)
    assert isinstance(last, AgentStep)
    assert (one.task, one.input, one.requires) == ("Do do.", {"x": "{{ steps.ask.output }}"}, ("search",))
    assert one.constraints == ("Do only the part of the task that takes this: search. The rest is done after you.",)
    assert last.constraints == (
        "The results of do_part1_2, do_part2 are parts of the task. Do the rest, and give the whole.",
    )
    assert (patch.drop, patch.rewire) == ((), {})
    assert patch.rationale == (
        "'all' failed at step 'do'; it is split: 's' what takes search, 'r' what takes read, 'w' what takes write"
    )


@pytest.mark.parametrize(
    ("step", "cards"),
    [
        (agent("do", None, requires=["search", "write"]), (EVE, BOB)),
        (agent("do", None, requires=["write"]), (EVE, BOB)),
        (agent("do", "eve"), (EVE,)),
        (agent("do", None, "a", "b", requires=["search", "write"], join="any_success"), (EVE, BOB, DORA)),
    ],
    ids=["a capability without a taker", "one capability", "nothing required", "not all dependencies are waited for"],
)
def test_a_step_that_cannot_be_split_is_not(step: dict[str, Any], cards: tuple[SpecialistCard, ...]) -> None:
    plan = plan_of(step, *(agent(need, "bob") for need in step["depends_on"]))
    assert not revised(request_of(plan, cards, failed("do", specialist="eve")))


def test_a_part_of_a_step_in_a_branch_waits_for_the_condition() -> None:
    plan = plan_of(
        {"id": "fork", "type": "condition", "if": "input.x", "then": ["do"]},
        agent("do", None, requires=["search", "write"]),
        inputs={"x": True},
    )
    patch = revised(request_of(plan, (EVE, BOB, DORA), done("fork", output=True), failed("do", specialist="eve")))
    assert patch.add[0].depends_on == ("fork",)


def low(step: str = "look", **fields: Any) -> Outcome:
    return done(step, confidence=0.3, specialist="ann", **fields)


def test_a_second_opinion_goes_to_those_that_have_not_begun() -> None:
    plan = plan_of(
        agent("ask", "dora"),
        agent("look", "ann", "ask", min_confidence=0.8, fallback=["bob"]),
        agent("tell", "dora", "look"),
        agent("draw", "dora", "look"),
        agent("sum", "dora", task="Sum {{ steps.look.output }}"),
        {"id": "ok", "type": "human_approval", "prompt": "Fine?", "depends_on": ["look"]},
    )
    patch = revised(request_of(plan, (ANN, BOB, DORA), done("ask"), low(), at_work=("draw",), reason="weak"))
    (second,) = patch.add
    assert second == plan.step("look").model_copy(
        update={"id": "look_second", "agent": "bob", "fallback": (), "optional": True}
    )
    both = ("look", "look_second")
    assert patch.rewire == {"tell": both, "sum": both, "ok": both}
    assert (patch.replace, patch.drop) == ((), ())
    assert patch.rationale == "the confidence in the result of step 'look' is low; 'bob' gives a second opinion"


def test_where_nothing_may_come_before_a_gate_the_others_are_given_the_second_opinion() -> None:
    def no_gate(patch: PlanPatch) -> tuple[PlanProblem, ...]:
        return (PlanProblem(code="invalid_value", message="no"),) if "ok" in patch.rewire else ()

    gate = {"id": "ok", "type": "human_input", "prompt": "Which?", "depends_on": ["look"]}
    plan = plan_of(agent("look"), agent("tell", "dora", "look"), gate)
    patch = revised(request_of(plan, (ANN, BOB, DORA), low(), reason="step.confidence < 0.9", check=no_gate))
    assert patch.rewire == {"tell": ("look", "look_second")}


def test_what_waits_for_a_group_waits_for_a_second_opinion_on_its_branch() -> None:
    plan = plan_of(
        agent("look"),
        agent("other", "dora"),
        {"id": "both", "type": "parallel", "branches": ["look", "other"]},
        agent("tell", "dora", "both"),
    )
    patch = revised(request_of(plan, (ANN, BOB, DORA), low(), reason="step.confidence < 0.9"))
    assert patch.rewire == {"tell": ("both", "look_second")}


@pytest.mark.parametrize(
    ("plan", "outcome", "reason"),
    [
        (plan_of(agent("look")), done("look", specialist="ann"), "step.confidence < 0.9"),
        (plan_of(agent("look", min_confidence=0.2)), low(), "step.seconds > 60"),
        (plan_of(agent("look", "ann"), agent("two", "bob", task="Do look.")), low(), "step.confidence < 0.9"),
        (plan_of(agent("look", "dora")), done("look", confidence=0.1, specialist="dora"), "step.confidence < 0.9"),
    ],
    ids=["no confidence given", "another trigger", "there are two opinions", "nobody else is able"],
)
def test_no_other_opinion_is_asked_for(plan: Any, outcome: Outcome, reason: str) -> None:
    assert not revised(request_of(plan, (ANN, BOB, CARL, DORA), outcome, reason=reason))


def test_a_second_opinion_is_asked_for_once() -> None:
    plan = plan_of({"id": "look", "agent": "ann"}, agent("tell", "dora", "look"))
    patch = revised(request_of(plan, CREW, low(), reason="step.confidence < 0.9"))
    now = apply_patch(plan, patch)
    again = done("look_second", confidence=0.2, specialist="carl")
    assert not revised(request_of(now, CREW, low(), again, reason="step.confidence < 0.9"))


def test_a_step_that_the_plan_does_not_have_or_that_has_not_begun_is_left_alone() -> None:
    plan = plan_of(agent("look"))
    assert not revised(request_of(plan, CREW, failed("each[2]")))
    assert not revised(request_of(plan, CREW, step="look"))


def test_no_change_is_proposed_twice() -> None:
    plan = plan_of(agent("look", optional=True), agent("tell", "ann"))
    request = request_of(plan, (ANN,), failed("look", specialist="ann"))
    first = revised(request)
    assert first.drop == ("look",)
    refused = earlier(first, "look").model_copy(update={"chosen": "refuse"})
    assert not revised(request_of(plan, (ANN,), failed("look", specialist="ann"), history=(refused,)))
