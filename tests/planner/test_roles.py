"""Roles that plans propose: in documents, in drafts, and what is wrong with them."""

import json
from dataclasses import replace
from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console
from tests.planner.drafted import draft, work

from goalgraph import InvalidPlan, Plan, PlanPolicy, Role, SpecialistCard, diff_plans, dump_plan, validate_plan
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.documents import parse_document, parse_plan
from goalgraph.planner.draft import as_draft, compile_draft, draft_schema, read_draft
from goalgraph.planner.model_decomposer import ModelDecomposer
from goalgraph.testing import ScriptedChatModel
from goalgraph.views import plan_text, plan_tree

READER = SpecialistCard(name="reader", description="Reads.", capabilities=("read",))
POLICY = PlanPolicy(max_roles=2, tools={"calculator": "Adds and multiplies.", "search": "Looks things up."})
COUNTER: dict[str, Any] = {"name": "counter", "description": "Counts.", "instructions": "Count twice.", "tools": []}
BY_NAME = """
roles:
  counter:
    description: Counts.
    instructions: Count twice.
    tools: [calculator]
  poet: {instructions: Rhyme.}
steps:
  count: {agent: counter, task: Count the pages.}
  sing: {agent: poet, fallback: [counter], task: Sing of them., depends_on: count}
"""


def plan_of(*roles: dict[str, Any], agent: str = "counter", **fields: Any) -> Plan:
    return Plan.model_validate({"roles": list(roles), "steps": [{"id": "a", "agent": agent}], **fields})


def codes(plan: Plan, policy: PlanPolicy = POLICY, *cards: SpecialistCard) -> list[tuple[str, str | None, str | None]]:
    return [(one.code, one.step, one.field) for one in validate_plan(plan, policy, cards or (READER,))]


def test_roles_by_name_and_as_a_list_are_the_same_and_come_back_from_a_document() -> None:
    plan = parse_plan(BY_NAME)
    assert [role.name for role in plan.roles] == ["counter", "poet"]
    assert plan.roles[0] == Role(
        name="counter", description="Counts.", instructions="Count twice.", tools=("calculator",)
    )
    assert parse_plan(dump_plan(plan)) == plan
    assert parse_plan(json.dumps(plan.model_dump(mode="json", by_alias=True))) == plan
    assert codes(plan) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roles:\n  a: {instruction: x}\n", "line 2, column 7: roles.a.instruction: a role has no field"),
        ("roles:\n  - name: a\n", "line 2, column 5: roles.0.instructions: this field is missing"),
        ("roles:\n  - {name: a b, instructions: x}\n", "line 2, column 6: roles.0.name: expected a name: letters"),
        ("roles:\n  a: {name: b, instructions: x}\n", "the name is 'b', but the role stands under 'a'"),
        ("roles:\n  a: {instructions: ' '}\n", "expected text that is not blank"),
        ("roles:\n  a: {instructions: x, tools: calc}\n", "roles.a.tools: expected a list, found 'calc'"),
        ("roles: counter\n", "line 1, column 1: roles: expected a list, found 'counter'"),
    ],
    ids=["unknown field", "no instructions", "no name", "two names", "blank", "tools", "no list"],
)
def test_a_role_of_another_form_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidPlan) as refused:
        parse_plan(text + "steps: [{id: s, agent: a}]\n")
    assert said in str(refused.value)


def test_problems_of_roles_are_found_in_the_document() -> None:
    text = BY_NAME.replace("[calculator]", "[calclator]")
    document = parse_document(text)
    found = document.located(validate_plan(document.plan, POLICY, [READER]))
    assert [(one.code, one.line, one.hint) for one in found] == [("unknown_tool", 6, "did you mean 'calculator'?")]
    listed = parse_document(dump_plan(document.plan))
    (problem,) = listed.located(validate_plan(listed.plan, POLICY, [READER]))
    assert (problem.line, problem.field) == (5, "roles.counter.tools")


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        (plan_of(COUNTER), []),
        (plan_of({**COUNTER, "name": "reader"}, agent="reader"), [("role_name_taken", None, "roles.reader")]),
        (plan_of({**COUNTER, "name": "Reader"}, agent="Reader"), [("role_name_taken", None, "roles.Reader")]),
        (plan_of(COUNTER, {**COUNTER, "name": "Counter"}), [("role_name_taken", None, "roles.Counter")]),
        (plan_of(COUNTER, COUNTER), [("duplicate_role", None, "roles.counter")]),
        (plan_of({**COUNTER, "tools": ["rm"]}), [("unknown_tool", None, "roles.counter.tools")]),
        (plan_of(*({**COUNTER, "name": f"{one}"} for one in "abc"), agent="a"), [("too_many_roles", None, "roles")]),
        (plan_of(COUNTER, agent="counte"), [("unknown_specialist", "a", "agent")]),
        (plan_of(COUNTER, agent="reader"), []),
    ],
    ids=["good", "taken", "other case", "alike", "twice", "tool", "too many", "unknown", "unused"],
)
def test_what_is_wrong_with_roles_is_found(plan: Plan, found: list[tuple[str, str | None, str | None]]) -> None:
    assert codes(plan) == found


def test_a_role_with_letters_of_a_specialist_written_in_another_alphabet_is_refused() -> None:
    plan = plan_of({**COUNTER, "name": "reader"}, agent="reader")
    assert codes(plan, POLICY, SpecialistCard(name="r\u0435ader")) == [("role_name_taken", None, "roles.reader")]


def test_where_none_are_allowed_that_is_all_that_is_said() -> None:
    plan = plan_of(COUNTER, {**COUNTER, "name": "reader", "tools": ["rm"]})
    (problem,) = validate_plan(plan, PlanPolicy(), [READER])
    assert str(problem) == (
        "roles: a plan may not propose roles here, found counter, reader (name specialists: reader)"
    )


def test_no_capability_leads_to_a_role() -> None:
    plan = Plan.model_validate({"roles": [COUNTER], "steps": [{"id": "a", "requires": ["counter"]}]})
    assert codes(plan) == [("missing_capability", "a", "requires")]


def test_a_role_may_be_named_where_only_some_specialists_may() -> None:
    policy = replace(POLICY, available=frozenset(("reader",)))
    assert codes(plan_of(COUNTER), policy, READER, SpecialistCard(name="writer")) == []
    assert codes(plan_of(COUNTER, agent="writer"), policy, READER, SpecialistCard(name="writer")) == [
        ("unknown_specialist", "a", "agent")
    ]


def test_an_approval_may_be_required_for_a_role_by_its_name() -> None:
    policy = replace(POLICY, require_approval=frozenset(("counter",)))
    assert [code for code, _, _ in codes(plan_of(COUNTER), policy)] == ["missing_approval"]
    guarded = plan_of(COUNTER, coordinator={"guardrails": [{"type": "approval", "require_for": ["counter"]}]})
    assert codes(guarded, policy) == []
    assert [step.type for step in compile_plan(guarded).steps] == ["human_approval", "agent"]


def nested(place: str, *roles: dict[str, Any]) -> Plan:
    """A plan with another one inside of it, which has roles of its own."""
    inner = {"roles": list(roles), "steps": [{"id": "x", "agent": roles[0]["name"]}]}
    step: dict[str, Any] = {"id": "s", "type": "sub_plan", "plan": inner}
    step = {"id": "m", "type": "map", "over": [1], "step": step} if place == "map" else step
    step = {"id": "g", "type": "parallel", "branches": [step]} if place == "group" else step
    return Plan.model_validate({"roles": [COUNTER], "steps": [{"id": "a", "agent": "counter"}, step]})


@pytest.mark.parametrize(
    ("place", "path"), [("plan", "s"), ("group", "g.s"), ("map", "m[*]")], ids=["plan", "group", "map"]
)
def test_roles_of_plans_inside_are_roles_of_the_whole(place: str, path: str) -> None:
    poet = {**COUNTER, "name": "poet"}
    plan = nested(place, poet)
    assert codes(plan) == []
    assert [role.name for role in compile_plan(plan).roles] == ["counter", "poet"]
    assert [role.name for role in compile_plan(nested(place, COUNTER)).roles] == ["counter"]
    assert codes(nested(place, COUNTER)) == []
    other = nested(place, {**COUNTER, "instructions": "Guess."})
    (found,) = codes(other)
    assert (found[0], found[2]) == ("duplicate_role", "plan.roles.counter")
    assert str(found[1]).startswith(path)
    assert [code for code, _, _ in codes(nested(place, poet, {**COUNTER, "name": "third"}))] == ["too_many_roles"]


def test_a_difference_between_plans_names_their_roles() -> None:
    assert "roles" in diff_plans(plan_of(COUNTER), plan_of({**COUNTER, "instructions": "Guess."})).text


def test_a_draft_with_roles_becomes_a_plan_and_is_shown_again() -> None:
    written = {"roles": [COUNTER], **draft([work(agent="counter")])}
    plan = compile_draft(written)
    assert isinstance(plan, Plan)
    assert plan.roles == (Role.model_validate(COUNTER),)
    assert as_draft(plan)["roles"] == [COUNTER]
    assert "others" not in as_draft(plan)


@pytest.mark.parametrize(
    ("role", "field"),
    [
        ("counter", "roles[0]"),
        ({**COUNTER, "name": "a b"}, "roles[0].name"),
        ({**COUNTER, "instructions": " "}, "roles[0].instructions"),
        ({**COUNTER, "instructions": "x" * 20_001}, "roles[0].instructions"),
        ({**COUNTER, "tools": "calculator"}, "roles[0].tools"),
        ({**COUNTER, "description": 1}, "roles[0].description"),
        ({**COUNTER, "model": "gpt"}, "model"),
    ],
    ids=["text", "name", "blank", "too long", "tools", "description", "surplus"],
)
def test_a_drafted_role_that_cannot_be_read_is_told_once(role: object, field: str) -> None:
    read = read_draft({"roles": [role], **draft([work(agent="counter")])})
    assert [problem.field for problem in read.problems] == [field]


def test_a_schema_has_roles_only_where_they_are_allowed_and_then_steps_may_name_them() -> None:
    plain = cast("dict[str, Any]", draft_schema([READER]))["properties"]
    assert "roles" not in plain
    assert plain["steps"]["items"]["properties"]["agent"]["enum"] == ["reader"]
    free = cast("dict[str, Any]", draft_schema([READER], max_roles=2, tools=POLICY.tools))["properties"]
    assert "enum" not in free["steps"]["items"]["properties"]["agent"]
    assert free["roles"]["maxItems"] == 2
    assert free["roles"]["items"]["properties"]["tools"]["items"]["enum"] == ["calculator", "search"]


def asked(model: ScriptedChatModel) -> str:
    return "\n".join(message.text for message in model.received[0])


async def test_a_planner_is_told_of_roles_and_tools_and_corrected() -> None:
    wrong = {**COUNTER, "tools": ["calc"]}
    right = {**COUNTER, "tools": ["calculator"]}
    answers = [{"roles": [one], **draft([work(agent="counter")])} for one in (wrong, right)]
    model = ScriptedChatModel(answers)
    plan = await ModelDecomposer(model).decompose(PlanRequest(goal="Count.", cards=(READER,), policy=POLICY))
    assert plan.roles[0].tools == ("calculator",)
    text = asked(model)
    assert "Roles may be proposed, at most 2, with these tools:\n- calculator: Adds and multiplies.\n" in text
    assert "Propose one only for work that no specialist on the list fits" in text
    assert "roles may not have a tool 'calc'" in model.received[1][-1].text


async def test_a_planner_that_may_propose_none_is_told_of_none() -> None:
    for request in (
        PlanRequest(goal="Count.", cards=(READER,)),
        PlanRequest(goal="Count.", cards=(READER,), policy=POLICY, simple=True),
    ):
        model = ScriptedChatModel([draft([work(agent="reader")])])
        await ModelDecomposer(model).decompose(request)
        assert "role" not in asked(model)


def test_a_drawn_plan_shows_its_roles_with_their_tools() -> None:
    shown = plan_text(parse_plan(BY_NAME)).splitlines()
    assert shown[1:4] == [
        "specialists that are made for it",
        "  counter: Counts. (tools: calculator)",
        "  poet: Rhyme. (no tools)",
    ]
    console = Console(width=100, record=True, file=StringIO())
    console.print(plan_tree(parse_plan(BY_NAME)))
    assert "counter  Counts. (tools: calculator)" in console.export_text()
    assert "made for it" not in plan_text(plan_of())
