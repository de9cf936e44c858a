"""What counts as an answer to the review of a plan."""

import json
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.plan_strategies import examples, plans

from goalgraph import AgentStep, Plan, dump_plan
from goalgraph.graph.humans.answers import Problem
from goalgraph.graph.humans.replies import read_reply
from goalgraph.graph.humans.requests import plan_request
from goalgraph.graph.humans.review_answers import Edited, Unchanged, UnusablePlan, read_plan_edit
from goalgraph.planner.documents import load_plan, plan_data
from goalgraph.planner.patch import PlanPatch, digest_of

Data = dict[str, Any]
PLAN = Plan(steps=(AgentStep(id="a", agent="writer"), AgentStep(id="b", agent="writer", depends_on=("a",))))
OTHER: Data = {"steps": [{"id": "c", "agent": "reader"}]}
CHANGE: Data = {"drop": ["a"], "rewire": {"b": []}}
PATCHED = Plan(steps=(AgentStep(id="b", agent="writer"),))


@dataclass(frozen=True, kw_only=True)
class Approved:
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rejected:
    reason: str | None = None


Review = Approved | Rejected | Edited


def read_review(answer: object, plan: Plan) -> Review | Problem:
    """What an answer comes to, on the way that it takes."""
    request = plan_request(run="r", description="", plan=plan_data(plan), estimate={})
    reply = read_reply(request, answer)
    if isinstance(reply, Problem):
        return reply
    if reply.chosen == "edit":
        found = read_plan_edit(cast("Data", reply.value), plan)
        return Approved() if isinstance(found, Unchanged) else found
    return Approved(comment=reply.comment) if reply.chosen == "approve" else Rejected(reason=reply.comment)


def wrapped(arguments: Data) -> list[object]:
    """The same edit in every shape that screens send."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()}
    found: list[object] = [arguments, texts]
    for one in (arguments, texts):
        found += [
            {"type": "edit", "edited_action": {"name": "plan", "args": one}},
            {"decisions": [{"type": "edit", "edited_action": {"name": "plan", "args": one}}]},
            [{"type": "edit", "args": {"action": "plan", "args": one}}],
            {"type": "edit", "args": {"action": "plan", "args": one}},
            {"type": "edit", "args": one},
        ]
    return found


@pytest.mark.parametrize(
    ("answer", "review"),
    [
        (True, Approved()),
        ("approve", Approved()),
        ({"type": "approve"}, Approved()),
        ({"type": "approve", "message": "fine"}, Approved(comment="fine")),
        ({"decisions": [{"type": "approve"}]}, Approved()),
        ([{"type": "accept", "args": None}], Approved()),
        ([{"type": "accept", "args": {"action": "plan", "args": {"plan": OTHER}}}], Approved()),
        (False, Rejected()),
        ("reject", Rejected()),
        ({"type": "reject", "message": "too dear"}, Rejected(reason="too dear")),
        ({"decisions": [{"type": "reject", "message": "too dear"}]}, Rejected(reason="too dear")),
        ([{"type": "ignore", "args": None}], Rejected()),
        ([{"type": "ignore", "args": "too dear"}], Rejected(reason="too dear")),
    ],
    ids=str,
)
def test_a_plain_yes_or_no_is_read(answer: object, review: Review) -> None:
    assert read_review(answer, PLAN) == review


@pytest.mark.parametrize("answer", [*wrapped({"plan": OTHER}), {"plan": load_plan(OTHER)}], ids=str)
def test_a_whole_plan_is_an_edit(answer: object) -> None:
    found = read_review(answer, PLAN)
    assert isinstance(found, Edited)
    assert (found.plan, found.patch) == (load_plan(OTHER), None)


@pytest.mark.parametrize("answer", [*wrapped({"patch": CHANGE}), {"patch": PlanPatch.model_validate(CHANGE)}], ids=str)
def test_a_patch_is_an_edit_of_the_shown_plan(answer: object) -> None:
    found = read_review(answer, PLAN)
    assert found == Edited(plan=PATCHED, patch=PlanPatch.model_validate(CHANGE))


def test_an_edit_in_yaml_keeps_its_text_to_locate_problems_in() -> None:
    text = "steps:\n  - id: c\n    agent: nobody\n"
    found = read_review({"plan": text}, PLAN)
    assert isinstance(found, Edited)
    assert found.document is not None
    assert (found.document.text, found.document.source) == (text, "the edited plan")


@pytest.mark.parametrize("answer", wrapped({"plan": PLAN.model_dump(mode="json"), "patch": ""}), ids=str)
def test_an_edit_to_the_very_plan_that_was_shown_is_an_approval(answer: object) -> None:
    assert read_review(answer, PLAN) == Approved()
    assert isinstance(read_review(answer, PATCHED), Edited)


def test_a_patch_that_comes_to_the_same_plan_is_an_approval() -> None:
    assert read_review({"patch": {"rewire": {"b": ["a"]}}}, PLAN) == Approved()


@examples(100)
@given(plans)
def test_a_shown_plan_that_comes_back_as_text_is_an_approval(plan: Plan) -> None:
    assert read_review({"plan": dump_plan(plan)}, plan) == Approved()
    assert read_review({"plan": plan.model_dump_json()}, plan) == Approved()
    assert read_plan_edit({"plan": plan_data(plan)}, plan) == Unchanged()
    assert read_review([{"type": "edit", "args": {"plan": json.dumps(plan_data(plan))}}], plan) == Approved()


_NOTHING: list[object] = [
    None,
    "",
    {},
    [],
    1,
    "yes",
    "yes please",
    "Approve",
    dump_plan(PLAN),
    [True],
    ["approve"],
    {"approve": True},
    {"type": "Approve"},
    {"type": "approve", "unless": "it rains"},
    {"type": "approve", "plan": OTHER},
    {"type": "approve", "args": {"plan": OTHER}},
    {"type": "later"},
    {"type": "respond", "message": "approve"},
    {"decisions": []},
    {"decisions": [{"type": "approve"}, {"type": "approve"}]},
    [{"type": "accept"}, {"type": "accept"}],
    {"type": "edit"},
    {"type": "edit", "args": {}},
    {"type": "edit", "args": {"action": "plan", "args": {}}},
    {"type": "edit", "args": "approve"},
    {"type": "edit", "edited_action": {"name": "plan", "args": {"goal": "x", "plan": OTHER}}},
    {"type": "edit", "args": {"goal": "", "plan": OTHER}},
    {"plan": OTHER, "approve": True},
    {"plan": None},
    {"plan": ""},
    {"plan": {}},
    {"plan": []},
    {"plan": [{"id": "c"}]},
    {"plan": True},
    {"plan": 3},
    {"plan": "no such file.yaml"},
    {"plan": {"x": object()}},
    {"plan": {"steps": [{"id": "x" * 5_000_001}]}},
    {"patch": {}},
    {"patch": None},
    {"patch": "{}"},
    {"patch": {"add": []}},
    {"patch": 3},
    {"patch": CHANGE, "plan": OTHER},
]


@pytest.mark.parametrize("answer", _NOTHING, ids=lambda answer: repr(answer).partition(" at 0x")[0][:60])
def test_what_is_not_plainly_an_answer_is_none_and_says_what_is(answer: object) -> None:
    found = read_review(answer, PLAN)
    assert isinstance(found, Problem)
    assert not isinstance(found, UnusablePlan) or found.problems
    assert isinstance(found, UnusablePlan) or "{'plan': all of it} or {'patch':" in found.message
    assert "\n" not in found.message


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ({"plan": {"stepps": [], "steps": [{"id": "a b"}]}}, ["invalid_id", "unknown_field"]),
        ({"plan": "steps: ["}, ["bad_syntax"]),
        ({"plan": "# nothing"}, ["empty_document"]),
        ({"patch": {"ad": [], "drop": ["a b"]}}, ["unknown_field", "invalid_id"]),
        ({"patch": "just words"}, ["not_a_patch"]),
        ({"patch": {"drop": ["x", "a"]}}, ["unknown_step", "still_needed"]),
    ],
    ids=str,
)
def test_an_edit_that_makes_no_plan_comes_back_with_all_its_problems(answer: object, codes: list[str]) -> None:
    found = read_review(answer, PLAN)
    assert isinstance(found, UnusablePlan)
    assert [problem.code for problem in found.problems] == codes
    assert all(problem.message in found.message for problem in found.problems)


def test_the_arguments_of_an_edit_can_be_read_by_themselves() -> None:
    assert read_plan_edit({"patch": CHANGE}, PLAN) == Edited(plan=PATCHED, patch=PlanPatch.model_validate(CHANGE))
    assert read_plan_edit({"plan": PLAN}, PLAN) == Unchanged()
    assert isinstance(read_plan_edit({}, PLAN), Problem)


_KEYS = st.sampled_from(
    ["type", "decisions", "message", "args", "edited_action", "action", "plan", "patch", "steps", "x"]
)
_WORDS = st.sampled_from(["approve", "accept", "edit", "reject", "ignore", "yes", "true", "response"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_NEARLY = st.fixed_dictionaries(
    {"type": _WORDS | _JSON}, optional={"args": _JSON, "message": _JSON, "x": _JSON, "plan": _JSON}
)


def _plainly_yes(answer: Any) -> bool:
    """Whether an answer is an approval, told in another way than the library's."""
    if isinstance(answer, dict) and list(cast("Data", answer)) == ["decisions"]:
        answer = cast("Any", answer["decisions"])
        if not isinstance(answer, list):
            return False
    if isinstance(answer, list):
        return _says_yes(*cast("Any", answer))
    return answer is True or answer == "approve" or (isinstance(answer, dict) and _decided(cast("Data", answer)))


def _says_yes(*decisions: object) -> bool:
    return len(decisions) == 1 and isinstance(decisions[0], dict) and _decided(cast("Data", decisions[0]))


def _decided(decision: Data) -> bool:
    words = [value for name, value in decision.items() if name != "type" and value is not None]
    if decision.get("type") == "response":
        return words == ["approve"]
    shown = decision.get("type") == "accept" and all(isinstance(word, dict) for word in words)
    said = len(words) < 2 and all(isinstance(word, str) for word in words)
    return decision.get("type") in ("approve", "accept") and (shown or said)


@examples(500)
@given(_JSON | _NEARLY | st.lists(_NEARLY, max_size=2) | st.fixed_dictionaries({"decisions": st.lists(_NEARLY)}))
def test_nothing_that_is_not_plainly_an_approval_reads_as_one(answer: object) -> None:
    found = read_review(answer, PLAN)
    assert isinstance(found, (Approved, Rejected, Edited, Problem))
    if isinstance(found, Approved):
        assert _plainly_yes(answer)
    if isinstance(found, Edited):
        assert digest_of(found.plan) != digest_of(PLAN)


@examples(100)
@given(_WORDS, plans)
def test_no_edit_to_another_plan_reads_as_an_approval(kind: str, plan: Plan) -> None:
    whole: list[object] = wrapped({"plan": json.loads(plan.model_dump_json())})
    for answer in (*whole, {"type": kind, "plan": dump_plan(plan)}):
        assert isinstance(read_review(answer, PLAN), Approved) == (digest_of(plan) == digest_of(PLAN))
