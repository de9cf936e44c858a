"""Which outcomes call for another plan."""

import pytest

from goalgraph import AgentStep, HumanApprovalStep, Outcome, ParallelStep, Plan, RevisionPolicy, StepError
from goalgraph.errors.codes import StepErrorCode
from goalgraph.graph.revision.triggers import Due, due, fired, outcome_digest, spent
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Status

STEP = AgentStep(id="read", agent="reader", min_confidence=0.7)


def _outcome(
    status: Status = "succeeded", *, code: StepErrorCode | None = None, confidence: float | None = None
) -> Outcome:
    error = StepError(code=code, message="no") if code else None
    return Outcome(step="read", status=status, error=error, confidence=confidence, output={"rows": 2})


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(_outcome("failed", code="raised"), True, id="failed"),
        pytest.param(_outcome("failed", code="timeout"), True, id="failed in time"),
        pytest.param(_outcome("failed", code="rejected"), False, id="a human said no"),
        pytest.param(_outcome(confidence=0.69), True, id="below the step's confidence"),
        pytest.param(_outcome(confidence=0.7), False, id="at the step's confidence"),
        pytest.param(_outcome(), False, id="confidence not known"),
        pytest.param(_outcome("blocked"), False, id="never began"),
        pytest.param(_outcome("cancelled"), False, id="cancelled"),
    ],
)
def test_by_default_failures_and_weak_results_call_for_a_revision(outcome: Outcome, expected: bool) -> None:
    assert (fired(STEP, outcome, RevisionPolicy(), inputs={}, outcomes={}) is not None) is expected


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        pytest.param("step.confidence < 0.7", False, id="of what is not there"),
        pytest.param("step.output.rows < 3", True, id="field of the output"),
        pytest.param("step.output.columns < 3", False, id="field that the output does not have"),
        pytest.param("'thin' in step.signals", True, id="signal"),
        pytest.param("{{ step.attempts > 2 }}", False, id="with braces"),
        pytest.param("steps.other.status == 'failed'", True, id="another step"),
        pytest.param("input.strict and step.id == 'read'", True, id="input of the run"),
        pytest.param("nonsense(step)", False, id="what cannot be evaluated"),
    ],
)
def test_a_trigger_sees_the_step_the_others_and_the_inputs(trigger: str, expected: bool) -> None:
    plan = Plan(steps=(STEP, AgentStep(id="other", agent="reader")))
    outcomes = {
        "read": _outcome().model_copy(update={"signals": ("thin",)}),
        "other": Outcome(step="other", status="failed", error=StepError(code="raised", message="no")),
    }
    found = due(plan, outcomes, (), RevisionPolicy(triggers=(trigger,)), inputs={"strict": True})
    assert ("read" in [one.trigger.step for one in found]) is expected


def test_the_policys_confidence_holds_for_steps_without_one() -> None:
    plain, weak = AgentStep(id="read", agent="reader"), _outcome(confidence=0.5)
    assert fired(plain, weak, RevisionPolicy(), inputs={}, outcomes={}) is None
    assert fired(plain, weak, RevisionPolicy(), inputs={}, outcomes={}, min_confidence=0.6) is not None
    assert fired(STEP, weak, RevisionPolicy(), inputs={}, outcomes={}, min_confidence=0.1) is not None


def test_the_end_of_a_group_does_not_call_for_what_its_branch_has_called_for() -> None:
    group = ParallelStep(id="all", branches=("read",))
    failed = Outcome(step="all", status="failed", error=StepError(code="branch_failed", message="no"))
    assert fired(group, failed, RevisionPolicy(), inputs={}, outcomes={}) is None


def test_an_outcome_calls_for_a_revision_once() -> None:
    plan, failed = Plan(steps=(STEP,)), _outcome("failed", code="raised")
    (one,) = due(plan, {"read": failed}, (), RevisionPolicy(), inputs={})
    settled = [_revision(one, chosen="no_change")]
    assert due(plan, {"read": failed}, settled, RevisionPolicy(), inputs={}) == ()
    again = failed.model_copy(update={"attempts": 2})
    assert [found.digest for found in due(plan, {"read": again}, settled, RevisionPolicy(), inputs={})] == [
        outcome_digest(again)
    ]


def test_guidance_leaves_open_what_it_is_about_and_gives_one_more() -> None:
    plan, failed = Plan(steps=(STEP,)), _outcome("failed", code="raised")
    policy = RevisionPolicy(max_revisions=1)
    (one,) = due(plan, {"read": failed}, (), policy, inputs={})
    made = _revision(Due(trigger=one.trigger, digest="another"), chosen="revise")
    assert spent([made]).exhausted(policy)
    guide = Decision(kind="escalation", subject="read", chosen="guide", at="2026-01-01T00:00:00+00:00")
    assert due(plan, {"read": failed}, [made, guide], policy, inputs={})
    assert not spent([made, guide]).exhausted(policy)
    guided = _revision(one, chosen="revise", guided=True)
    assert spent([made, guide, guided]).exhausted(policy)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        pytest.param(RevisionPolicy(max_revisions=2), "2 of 2 revisions are made", id="count"),
        pytest.param(RevisionPolicy(max_cost_usd=0.5), "revisions have cost 0.6 of 0.5 USD", id="cost"),
        pytest.param(RevisionPolicy(max_seconds=3), "revisions have taken 4 of 3 s", id="time"),
        pytest.param(RevisionPolicy(max_revisions=3, max_cost_usd=1, max_seconds=5), "", id="none"),
    ],
)
def test_each_bound_stops_revisions(policy: RevisionPolicy, said: str) -> None:
    one = Due(
        trigger=due(Plan(steps=(STEP,)), {"read": _outcome("failed", code="raised")}, (), policy, inputs={})[0].trigger,
        digest="d",
    )
    decisions = [_revision(one, chosen="revise", cost_usd=0.3, seconds=2.0) for _ in range(2)]
    repair = Decision(kind="revision", subject="read", chosen="refuse", at="2026-01-01T00:00:00+00:00")
    assert spent([*decisions, repair]).exhausted(policy) == said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"triggers": "step.status"}, "is a list", id="text in place of a list"),
        pytest.param({"triggers": ("step.status ==",)}, "triggers", id="cannot be read"),
        pytest.param({"max_revisions": -1}, "at least 0", id="count"),
        pytest.param({"max_cost_usd": 0}, "above 0", id="cost"),
        pytest.param({"max_seconds": float("inf")}, "above 0", id="time"),
        pytest.param({"at_limit": "guess"}, "at_limit", id="limit"),
    ],
)
def test_a_policy_that_cannot_hold_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RevisionPolicy(**wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_an_approval_step_that_timed_out_calls_for_a_revision() -> None:
    late = Outcome(step="ok", status="failed", error=StepError(code="timeout", message="no answer"))
    assert fired(HumanApprovalStep(id="ok", prompt="?"), late, RevisionPolicy(), inputs={}, outcomes={}) is not None


def _revision(one: Due, *, chosen: str, guided: bool = False, **figures: float) -> Decision:
    about = {"guided": guided, **figures}
    return Decision.model_validate(
        {
            "kind": "revision",
            "subject": one.trigger.step,
            "chosen": chosen,
            "digest": one.digest,
            "answer": about,
            "at": "2026-01-01T00:00:00+00:00",
        }
    )
