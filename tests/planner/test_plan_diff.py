"""What is different between two plans: nothing missed, nothing made up, short to read."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.planner import steps
from goalgraph.planner.diff import FieldChange, PlanDiff, StepChange, diff_plans
from goalgraph.planner.plan import AgentStep, Coordinator, Plan, Step, SubPlanStep, TransformStep
from goalgraph.planner.steps import agent, approval, ask, condition, parallel, sub_plan, transform, wait


def plan(*given: Step, name: str = "") -> Plan:
    return Plan(name=name, steps=given)


ALL = plan(
    agent("a", "read it", agent="reader"),
    approval("b", "right?", assignee="eve"),
    ask("c", "how much?"),
    condition("d", "input.x", then=[agent("yes", agent="reader")], otherwise="a"),
    parallel("e", [agent("web", agent="searcher"), [agent("one", agent="reader"), agent("two", agent="reader")]]),
    steps.map("f", "input.files", agent("page", agent="reader")),
    wait("g", "3s"),
    sub_plan("h", plan(sub_plan("deep", plan(transform("core", 1))), name="inner")),
    transform("i", {"x": 1}),
)


def test_a_plan_does_not_differ_from_itself_nor_from_a_copy() -> None:
    assert diff_plans(ALL, ALL) == PlanDiff()
    found = diff_plans(ALL, ALL.model_copy(deep=True))
    assert not found
    assert found.text == str(found) == ""


def test_steps_that_are_new_gone_and_changed_are_told_apart() -> None:
    old = plan(agent("a", "read", agent="reader"), agent("y", agent="reader"), agent("z", "a", agent="reader"))
    new = plan(agent("a", "read", agent="reader"), agent("z", "b", agent="reader"), agent("x", "write", agent="writer"))
    found = diff_plans(old, new)
    assert found.removed == ("y",)
    assert found.added == (("x", new.steps[2]),)
    assert found.changed == (StepChange(step="z", fields=(FieldChange(field="task", old="a", new="b"),)),)
    assert not found.reordered
    assert found.text == "- step y\n+ step x [agent writer]: write\n~ step z: task: 'a' -> 'b'"


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (agent("s", agents=["a", "b"]), "[agent a, b]"),
        (agent("s", "find", requires=["search", "law"]), "[agent for search, law]: find"),
        (agent("s"), "[agent]"),
        (agent("s", "x" * 100, agent="a"), f"[agent a]: {'x' * 80}..."),
        (agent("s", "one\n two", agent="a\x1b[1m"), "[agent a [1m]: one two"),
        (approval("s", "right?", assignee="eve"), "[human_approval eve]: right?"),
        (ask("s", "how much?"), "[human_input]: how much?"),
        (condition("s", "input.x"), "[condition]: input.x"),
        (parallel("s", ["a", ["b", "c"]]), "[parallel]: 2 branches"),
        (steps.map("s", [1, 2, 3], agent("each")), "[map]: 3 items"),
        (wait("s", event="paid"), "[wait]: paid"),
        (wait("s", 0), "[wait]: 0.0"),
        (sub_plan("s", "intake@2"), "[sub_plan]: intake@2"),
        (transform("s", {"n": 1}), "[transform]: {'n': 1}"),
    ],
)
def test_a_new_step_is_told_in_a_line(step: Step, line: str) -> None:
    assert diff_plans(Plan(), plan(step)).text.splitlines()[0] == f"+ step s {line}"


@pytest.mark.parametrize(
    ("old", "new"), [p for p in product([1, 1.0, True, "1", None, [1]], repeat=2) if p[0] is not p[1]]
)
def test_values_that_python_holds_equal_differ(old: object, new: object) -> None:
    one, two = (plan(TransformStep.model_validate({"id": "s", "output": value})) for value in (old, new))
    assert diff_plans(one, two)


def test_the_order_of_keys_is_no_difference() -> None:
    assert not diff_plans(plan(transform("s", {"a": 1, "b": 2})), plan(transform("s", {"b": 2, "a": 1})))


def test_another_order_of_steps_is_told_and_is_no_change_of_a_step() -> None:
    a, b, c = agent("a"), agent("b"), agent("c")
    found = diff_plans(plan(a, b, c), plan(c, a, b))
    assert found == PlanDiff(reordered=True)
    assert found.text == "~ plan: the order of the steps"
    assert not diff_plans(plan(a, b), plan(a, c, b)).reordered


def test_fields_of_the_plan_itself_are_told() -> None:
    old = Plan(name="a", inputs={"x": 1})
    new = Plan(name="b", inputs={"x": 2}, coordinator=Coordinator(strategy="sequential"), output="{{ input.x }}")
    found = diff_plans(old, new)
    assert [change.field for change in found.plan] == ["name", "inputs", "coordinator", "output"]
    assert found.text.splitlines()[0] == "~ plan: name: 'a' -> 'b'"
    assert found.text.splitlines()[3] == "~ plan: output: none -> '{{ input.x }}'"


def test_a_change_within_another_step_is_told_where_it_is() -> None:
    def whole(task: str) -> Plan:
        inner = agent("core", task, agent="reader")
        return plan(
            parallel("e", [inner, [agent("one", agent="reader"), inner.model_copy(update={"id": "two"})]]),
            condition("d", "input.x", then=inner, otherwise=inner.model_copy(update={"id": "no"})),
            steps.map("f", "input.files", parallel("ignored", [inner])),
            sub_plan("h", plan(sub_plan("deep", plan(inner)))),
        )

    changed = FieldChange(field="task", old="a", new="b")
    assert diff_plans(whole("a"), whole("b")) == PlanDiff(
        changed=tuple(
            StepChange(step=step, fields=(changed,))
            for step in ("e.core", "e.two", "d.core", "d.no", "f[*].core", "h.deep.core")
        )
    )


def test_a_step_that_moves_from_one_branch_to_the_other_is_a_change_of_its_condition() -> None:
    step = agent("a", agent="reader")
    found = diff_plans(plan(condition("d", "input.x", then=step)), plan(condition("d", "input.x", otherwise=step)))
    (change,) = found.changed
    assert change == StepChange(
        step="d",
        fields=(FieldChange(field="then", old=["d.a"], new=[]), FieldChange(field="else", old=[], new=["d.a"])),
    )


def test_an_alias_that_becomes_a_plan_is_a_change_and_its_steps_are_new() -> None:
    found = diff_plans(plan(sub_plan("h", "intake")), plan(sub_plan("h", plan(agent("x", agent="a"), name="intake"))))
    assert [path for path, _ in found.added] == ["h.x"]
    assert [(change.step, change.fields[0].old) for change in found.changed] == [("h", "intake")]


def test_a_step_that_becomes_another_type_shows_it() -> None:
    found = diff_plans(plan(agent("s", agent="a")), plan(wait("s", "3s")))
    assert FieldChange(field="type", old="agent", new="wait") in found.changed[0].fields
    assert FieldChange(field="duration", old=None, new="3s") in found.changed[0].fields


def test_steps_of_one_id_are_compared_in_their_order() -> None:
    a, b = agent("s", "a"), agent("s", "b")
    assert not diff_plans(plan(a, b), plan(a, b))
    assert diff_plans(plan(a, b), plan(a)).removed == ("s (2)",)


def test_long_values_are_shown_where_they_begin_to_differ() -> None:
    text = "x" * 500
    line = diff_plans(plan(agent("s", f"{text}one")), plan(agent("s", f"{text}two"))).text
    assert line == f"~ step s: task: ...{'x' * 24}one' -> ...{'x' * 24}two'"
    assert len(diff_plans(plan(agent("s", text)), plan(agent("s", "y" * 500))).text) < 250


STEPS = st.sampled_from(
    [agent("a", "x"), agent("a", "y"), agent("b"), wait("b", "1s"), transform("c", 1), sub_plan("d", "x")]
) | st.sampled_from([sub_plan("d", plan(agent("a", "x"))), sub_plan("d", plan(agent("a", "y")))])


@given(
    st.lists(STEPS, max_size=4, unique_by=lambda step: step.id), st.lists(STEPS, max_size=4, unique_by=lambda s: s.id)
)
def test_there_is_a_difference_just_where_plans_are_not_equal(one: list[Step], two: list[Step]) -> None:
    old, new = plan(*one), plan(*two)
    found, back = diff_plans(old, new), diff_plans(new, old)
    assert bool(found) == (old != new) == bool(found.text)
    assert set(found.removed) == {path for path, _ in back.added}
    assert [change.step for change in found.changed] == sorted(
        (change.step for change in back.changed), key=[change.step for change in found.changed].index
    )


def test_the_steps_told_as_new_are_the_plan_s_own() -> None:
    added = dict(diff_plans(Plan(), ALL).added)
    assert {"e", "e.web", "e.one", "e.two", "d.yes", "f[*]", "h.deep.core"} < added.keys()
    assert isinstance(added["h.deep"], SubPlanStep)
    assert isinstance(added["f[*]"], AgentStep)
