"""Aliases of sub-plans become the plans themselves; what cannot is told all at once, with its place."""

import time

import pytest

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner import steps
from goalgraph.planner.expansion import expand_plans
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.library import InMemoryLibrary, PlanLibrary
from goalgraph.planner.plan import Plan, Step, SubPlanStep


def plan(*given: Step) -> Plan:
    return Plan(steps=given)


def sub(step_id: str, alias: str | Plan) -> SubPlanStep:
    return steps.sub_plan(step_id, alias)


def library(**plans: Plan) -> InMemoryLibrary:
    made = InMemoryLibrary()
    for alias, one in plans.items():
        made.save(alias, one)
    return made


def problems(given: Plan, where: PlanLibrary | None, max_depth: int = 8) -> tuple[PlanProblem, ...]:
    with pytest.raises(InvalidPlan) as caught:
        expand_plans(given, where, max_depth=max_depth)
    return caught.value.problems


LEAF = plan(steps.agent("read", agent="reader"))


def test_a_plan_without_aliases_is_the_same_object() -> None:
    given = plan(
        steps.agent("a"),
        sub("b", plan(sub("c", LEAF))),
        steps.map("m", "input.x", sub("inner", LEAF)),
        steps.parallel("p", [sub("one", LEAF), ["a", sub("two", LEAF)]]),
        steps.condition("q", "input.x", then=sub("three", LEAF), otherwise="a"),
    )
    assert expand_plans(given, None) is given
    assert expand_plans(given, library(leaf=LEAF)) is given


def test_aliases_are_replaced_wherever_they_stand() -> None:
    def whole(leaf: str | Plan, middle: str | Plan) -> Plan:
        return plan(
            sub("a", leaf),
            steps.agent("same"),
            steps.map("m", "input.x", steps.parallel("x", [sub("y", leaf)])),
            steps.parallel("p", [sub("one", leaf), ["same", sub("two", leaf)]]),
            steps.condition("c", "input.x", then=[sub("yes", leaf), "same"], otherwise=sub("no", leaf)),
            sub("deep", plan(sub("deeper", middle))),
        )

    where = library(leaf=LEAF, middle=plan(sub("z", "leaf@1")))
    given = whole("leaf", "middle")
    found = expand_plans(given, where)
    assert found == whole(LEAF, plan(sub("z", LEAF)))
    assert found.steps[1] is given.steps[1]
    assert given == whole("leaf", "middle")


def test_a_version_is_taken_where_one_is_named() -> None:
    where = library(leaf=LEAF)
    where.save("leaf", plan(steps.agent("other")))
    found = expand_plans(plan(sub("old", "leaf@1"), sub("new", "leaf")), where)
    assert found == plan(sub("old", LEAF), sub("new", plan(steps.agent("other"))))


def test_all_problems_are_told_at_once_with_qualified_ids() -> None:
    where = library(leaf=LEAF, loop=plan(sub("again", "loop")))
    given = plan(
        sub("a", "laef"),
        steps.map("m", "input.x", steps.parallel("ignored", [sub("y", "leaf@7")])),
        steps.condition("c", "input.x", then=sub("yes", "../leaf")),
        sub("d", plan(sub("e", "loop"))),
    )
    found = problems(given, where)
    assert [(one.code, one.step, one.field) for one in found] == [
        ("unknown_plan", "a", "plan"),
        ("unknown_plan", "m[*].y", "plan"),
        ("invalid_alias", "c.yes", "plan"),
        ("recursive_plan", "d.e.again", "plan"),
    ]
    assert (found[0].message, found[0].hint) == ("no plan is saved as 'laef'", "did you mean 'leaf'?")
    assert found[1].message == "the plan 'leaf' has no version 7"
    assert found[3].message == "the plan contains itself: loop -> loop"


def test_a_longer_way_round_is_printed() -> None:
    where = library(a=plan(sub("x", "b")), b=plan(steps.map("m", "input.x", sub("y", "c"))), c=plan(sub("z", "a")))
    (found,) = problems(plan(sub("s", "a")), where)
    assert (found.code, found.step) == ("recursive_plan", "s.x.m[*].z")
    assert found.message.endswith("a -> b -> c -> a")


def test_an_older_version_of_a_plan_within_a_newer_one_is_no_recursion() -> None:
    where = library(a=LEAF)
    where.save("a", plan(sub("old", "a@1")))
    assert expand_plans(plan(sub("s", "a")), where) == plan(sub("s", plan(sub("old", LEAF))))


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_plans_lie_only_so_deep_in_each_other(depth: int) -> None:
    where = library(p1=LEAF)
    for number in range(2, depth + 2):
        where.save(f"p{number}", plan(sub("in", f"p{number - 1}")))
    expand_plans(plan(sub("s", f"p{depth}")), where, max_depth=depth)
    (found,) = problems(plan(sub("s", f"p{depth + 1}")), where, depth)
    assert (found.code, found.step) == ("too_deep", ".".join(["s", *["in"] * depth]))


def test_inline_plans_count_as_deep_too() -> None:
    (found,) = problems(plan(sub("a", plan(sub("b", plan(sub("c", LEAF)))))), None, 2)
    assert (found.code, found.step) == ("too_deep", "a.b.c")


def test_an_alias_without_a_library_is_told() -> None:
    found = problems(plan(sub("a", "leaf"), sub("b", plan(sub("c", "leaf")))), None)
    assert [(one.code, one.step) for one in found] == [("no_library", "a"), ("no_library", "b.c")]


def test_a_plan_that_cannot_be_read_is_told_at_its_step(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("plans")
    where = FolderLibrary(root)
    where.save("leaf", LEAF)
    (root / "leaf" / "v1.yaml").write_text("steps: [", "utf-8")
    (found,) = problems(plan(sub("a", "leaf")), where)
    assert (found.code, found.step) == ("unreadable_plan", "a")
    assert "v1.yaml" in found.message


def test_plans_that_multiply_are_refused_at_once() -> None:
    where = library(p0=LEAF)
    for number in range(1, 8):
        where.save(f"p{number}", plan(*(sub(f"s{n}", f"p{number - 1}") for n in range(10))))
    began = time.monotonic()
    (found,) = problems(plan(sub("s", "p7")), where)
    assert found.code == "too_many_steps"
    assert time.monotonic() - began < 5


def test_each_alias_is_read_once() -> None:
    class Counting(InMemoryLibrary):
        reads = 0

        def load(self, alias: str, version: int | None = None) -> Plan:
            self.reads += 1
            return super().load(alias, version)

    where = Counting()
    where.save("leaf", LEAF)
    expand_plans(plan(*(sub(f"s{number}", "leaf") for number in range(5))), where)
    assert where.reads == 1
