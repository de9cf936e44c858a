"""Plans of well-known shapes: valid, and what flows between their steps is what the pattern says."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from goalgraph.errors import InvalidPlan
from goalgraph.planner import dag, steps
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.expressions import ExpressionError, evaluate, resolve
from goalgraph.planner.patterns import consensus, hierarchy, map_reduce, pipeline, route
from goalgraph.planner.plan import AgentStep, MapStep, ParallelStep, Plan, SubPlanStep, TransformStep
from goalgraph.planner.validation import PlanPolicy, validate_plan

CARDS = [SpecialistCard(name=name) for name in ("own", "reader", "writer", "judge", "fact-checker", "Éva Müller", "!?")]
OWN = AgentStep(id="own", agent="reader", input={"previous": "mine"}, timeout=3.0)

PLANS = {
    "pipeline": pipeline("reader", ("writer", "Write"), "writer", "fact-checker", "!?", OWN, "own", input={"x": 1}),
    "one step": pipeline("reader"),
    "map_reduce": map_reduce("input.files", "reader", "writer", task="Read", reduce_task="Sum up", concurrency=2),
    "map_reduce of steps": map_reduce([1, 2], OWN, AgentStep(id="map", agent="writer"), on_failure="continue"),
    "consensus": consensus("Safe?", ["reader", "reader", "fact-checker", OWN], "judge", input={"x": "{{ input.x }}"}),
    "consensus in the way": consensus("Safe?", [OWN], AgentStep(id="votes", agent="judge"), concurrency=1),
    "route": route("reader", {"Bill ing": "writer", "it's": ("judge", "Do"), "own": OWN}, task="Do it"),
    "route with others": route("reader", {"answer": "writer", "route": "judge"}, otherwise="reader", task="Do it"),
    "hierarchy": hierarchy(
        {"find": pipeline("reader"), "write": map_reduce("input.x", "reader", "writer")},
        closing="judge",
        closing_task="Close",
        inputs={"x": [1]},
    ),
    "hierarchy in parallel": hierarchy(
        {
            "closing": consensus("Safe?", ["reader", "writer"], "judge"),
            "route it": route("reader", {"a": "writer", "b": "judge"}, otherwise="reader", task="Do it"),
        },
        in_parallel=True,
        closing="judge",
    ),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_pattern_s_plan_is_valid(plan: Plan) -> None:
    assert validate_plan(plan, PlanPolicy(), CARDS) == ()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_pattern_s_plan_is_one_graph_with_one_end(plan: Plan) -> None:
    flat = compile_plan(plan)
    graph = dag.graph(flat)
    assert len(graph) == len(flat.steps)
    assert dag.find_cycle(graph) == ()
    assert {need for needs in graph.values() for need in needs} <= graph.keys()
    ends = graph.keys() - {need for needs in graph.values() for need in needs}
    assert ends == {plan.steps[-1].id}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_pattern_s_plan_holds_nothing_that_a_file_would_not(plan: Plan) -> None:
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def inputs_of(plan: Plan, step_id: str) -> dict[str, JsonValue]:
    step = plan.step(step_id)
    assert isinstance(step, (AgentStep, SubPlanStep))
    return step.input


def test_in_a_pipeline_each_gets_the_output_of_the_one_before() -> None:
    plan = pipeline("reader", ("fact-checker", "Check"), OWN, "reader", input={"file": "{{ input.file }}"}, name="n")
    assert (plan.name, [step.id for step in plan.steps]) == ("n", ["reader", "fact_checker", "own", "reader_2"])
    assert [step.depends_on for step in plan.steps] == [(), ("reader",), ("fact_checker",), ("own",)]
    assert [inputs_of(plan, step.id) for step in plan.steps] == [
        {"file": "{{ input.file }}"},
        {"previous": "{{ steps.reader.output }}"},
        {"previous": "mine"},
        {"previous": "{{ steps.own.output }}"},
    ]
    assert plan.step("own").model_dump(include={"timeout", "agent"}) == {"timeout": 3.0, "agent": "reader"}


def test_ids_made_of_names_leave_a_step_s_own_id_alone() -> None:
    assert [step.id for step in pipeline("own", OWN, "own").steps] == ["own_2", "own", "own_3"]


def test_map_reduce_is_a_map_and_a_step_that_gets_all_results() -> None:
    plan = map_reduce("{{ input.files }}", "reader", "writer", task="Read", reduce_task="Sum up", on_failure="continue")
    assert plan.steps == (
        MapStep(
            id="map",
            over="{{ input.files }}",
            step=AgentStep(id="item", agent="reader", task="Read", input={"item": "{{ item }}"}),
            on_failure="continue",
        ),
        AgentStep(id="reduce", agent="writer", task="Sum up", input={"results": "{{ steps.map.output }}"}),
    )


def test_in_a_consensus_the_judge_gets_every_answer_with_its_confidence() -> None:
    plan = consensus("Safe?", ["reader", "fact-checker", "reader"], "judge", input={"patch": "{{ input.patch }}"})
    votes, judge = plan.steps
    assert isinstance(votes, ParallelStep)
    assert isinstance(judge, AgentStep)
    assert votes.on_failure == "continue"
    assert [voter for voter in votes.branches if isinstance(voter, AgentStep)] == [
        AgentStep(id=step_id, agent=agent, task="Safe?", input={"patch": "{{ input.patch }}"})
        for step_id, agent in (("reader", "reader"), ("fact_checker", "fact-checker"), ("reader_2", "reader"))
    ]
    assert judge.input == {"patch": "{{ input.patch }}", "answers": "{{ steps.votes.output }}"}
    assert "Safe?" in (judge.task or "")
    found = resolve(
        votes.output,
        {
            "steps": {
                "votes.reader": {"output": "yes", "confidence": 0.9, "status": "succeeded"},
                "votes.fact_checker": {"output": None, "confidence": None, "status": "failed"},
                "votes.reader_2": {"output": {"no": 1}, "confidence": 0.2, "status": "succeeded"},
            }
        },
    )
    assert found == [
        {"voter": "reader", "answer": "yes", "confidence": 0.9, "status": "succeeded"},
        {"voter": "fact_checker", "answer": None, "confidence": None, "status": "failed"},
        {"voter": "reader_2", "answer": {"no": 1}, "confidence": 0.2, "status": "succeeded"},
    ]


def test_a_judge_needs_the_votes_alone_so_that_a_failed_voter_stops_nothing() -> None:
    flat = compile_plan(PLANS["consensus"])
    assert dag.graph(flat)["judge"] == {"votes"}


def routed(plan: Plan, said: JsonValue) -> list[str]:
    """Ids of the specialists whose turn it is after what the classifier said."""
    classifier, choice = plan.steps[:2]
    assert isinstance(choice, TransformStep)
    scope: dict[str, object] = {"steps": {classifier.id: {"output": said}}}
    chosen = resolve(choice.output, scope)
    scope = {"steps": {choice.id: {"output": chosen}}}
    return [step.id for step in plan.steps[2:-1] if step.when is not None and evaluate(step.when, scope) is True]


@pytest.mark.parametrize("said", ["billing", " Billing\n", {"route": "BILLING", "why": "money"}])
def test_the_classifier_s_word_or_its_object_s_route_chooses_one(said: JsonValue) -> None:
    for otherwise in (None, "reader"):
        plan = route("reader", {"Billing": "writer", "tech": "judge"}, task="Do it", otherwise=otherwise)
        assert routed(plan, said) == ["Billing"]


@pytest.mark.parametrize("said", ["", "bill", None, 3, ["billing"], {"route": None}])
def test_a_word_that_is_no_route_goes_to_the_others_or_fails(said: JsonValue) -> None:
    routes = {"billing": "writer", "tech": "judge"}
    assert routed(route("reader", routes, task="Do it", otherwise="reader"), said) == ["otherwise"]
    with pytest.raises(ExpressionError):
        routed(route("reader", routes, task="Do it"), said)


def test_an_object_that_names_no_route_fails() -> None:
    with pytest.raises(ExpressionError):
        routed(route("reader", {"a": "writer"}, task="Do it", otherwise="reader"), {"choice": "a"})


NAMES = st.text("abcABC '\"\\{}é-", min_size=1, max_size=6) | st.text(min_size=1, max_size=4)


@given(st.lists(NAMES, min_size=1, max_size=5, unique_by=lambda name: name.strip().lower()))
def test_whatever_routes_are_called_each_chooses_its_own(names: list[str]) -> None:
    for otherwise in (None, "reader"):
        plan = route("reader", dict.fromkeys(names, "writer"), task="Do it", otherwise=otherwise)
        for at, name in enumerate(names):
            assert routed(plan, name.strip().lower()) == [plan.steps[2 + at].id]


def ended(plan: Plan, outcomes: Mapping[str, Mapping[str, JsonValue]]) -> JsonValue:
    end = plan.steps[-1]
    assert isinstance(end, TransformStep)
    return resolve(end.output, {"steps": dict(outcomes)})


def test_the_last_step_of_a_route_has_the_output_of_the_one_who_was_chosen() -> None:
    plan = route("reader", {"a": "writer", "b-c": "judge"}, otherwise="reader", task="Do it", name="n")
    end = plan.steps[-1]
    assert [step.id for step in plan.steps] == ["classify", "route", "a", "b_c", "otherwise", "answer"]
    assert end.join == "any_success"
    assert dag.needs(end) == {"a", "b_c", "otherwise"}
    skipped: Mapping[str, JsonValue] = {"output": None, "status": "skipped"}
    done: Mapping[str, JsonValue] = {"output": {"x": [1]}, "status": "succeeded"}
    nothing: Mapping[str, JsonValue] = {"output": None, "status": "succeeded"}
    assert ended(plan, {"a": skipped, "b_c": done, "otherwise": skipped}) == {"x": [1]}
    assert ended(plan, {"a": done}) == {"x": [1]}
    assert ended(plan, {"a": skipped, "otherwise": nothing}) is None


def test_fifty_routes_are_not_too_many() -> None:
    plan = route("reader", {f"route-{n}": "writer" for n in range(50)}, task="Do it")
    assert routed(plan, "route-49") == ["route_49"]
    outcomes: dict[str, Mapping[str, JsonValue]] = {f"route_{n}": {"output": n, "status": "skipped"} for n in range(49)}
    assert ended(plan, {**outcomes, "route_49": {"output": 49, "status": "succeeded"}}) == 49


def test_the_classifier_is_told_the_routes() -> None:
    plan = route("reader", {"Billing": "writer", "tech": "judge"}, task="Answer the mail", input={"mail": "hello"})
    task = plan.step("classify").model_dump()["task"]
    assert "billing, tech." in task
    assert "Answer the mail" in task
    assert [inputs_of(plan, step) for step in ("classify", "Billing", "tech")] == [{"mail": "hello"}] * 3
    other = route("reader", {"a": "writer"}, task="x", otherwise="judge", classify_task="Which?")
    assert other.step("classify").model_dump()["task"] == "Which?"


def test_routes_that_cannot_be_told_apart_are_refused_all_at_once() -> None:
    with pytest.raises(InvalidPlan) as caught:
        route(
            "reader",
            {"A": "writer", "a ": "judge", "b": steps.agent("x", agent="judge", when="input.x")},
            task="Do it",
        )
    assert [problem.code for problem in caught.value.problems] == ["duplicate_route", "unexpected_when"]
    with pytest.raises(InvalidPlan, match="expected routes, found none"):
        route("reader", {}, task="Do it")
    with pytest.raises(InvalidPlan, match="expected voters, found none"):
        consensus("Safe?", [], "judge")


def test_in_a_hierarchy_phases_get_the_plan_s_inputs_and_what_came_before() -> None:
    inner = pipeline("reader")
    plan = hierarchy({"find it": inner, "write": "report@2"}, closing="judge", inputs={"topic": "tea", "a b": 1})
    passed = {"topic": "{{ input.topic }}", "a b": "{{ input['a b'] }}"}
    assert plan.steps == (
        SubPlanStep(id="find_it", plan=inner, input=dict(passed)),
        SubPlanStep(id="write", plan="report@2", input={**passed, "previous": "{{ steps.find_it.output }}"}),
        AgentStep(
            id="closing",
            agent="judge",
            input={"results": {"find_it": "{{ steps.find_it.output }}", "write": "{{ steps.write.output }}"}},
        ),
    )
    assert plan.inputs == {"topic": "tea", "a b": 1}


def test_phases_in_parallel_know_nothing_of_each_other() -> None:
    plan = hierarchy({"a": pipeline("reader"), "b": pipeline("writer")}, in_parallel=True)
    assert [dag.needs(step) for step in plan.steps] == [frozenset(), frozenset()]
