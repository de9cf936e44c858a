"""The plan as data: what it takes, what it refuses, and that it cannot be changed."""

from typing import Any

import pytest
from pydantic import JsonValue, ValidationError

from goalgraph import AgentStep, MapStep, Plan, Retry


def step(**fields: Any) -> AgentStep:
    return AgentStep.model_validate({"id": "a", "task": "do it", **fields})


@pytest.mark.parametrize("step_id", ["a", "1", "_x", "read-2.b", "A" * 128])
def test_plain_ids_are_accepted(step_id: str) -> None:
    assert step(id=step_id).id == step_id


@pytest.mark.parametrize(
    "step_id",
    ["", " ", "-a", ".a", "a b", "a\n", "a|b", "a:b", "é", "A" * 129, "a/b", "{{ a }}"],
    ids=repr,
)
def test_ids_that_could_not_be_written_elsewhere_are_refused(step_id: str) -> None:
    with pytest.raises(ValidationError):
        step(id=step_id)


def test_unknown_fields_are_refused_everywhere() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        step(tsk="x")
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Plan.model_validate({"steps": [], "stepps": []})
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Retry.model_validate({"attempts": 2})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", " \n "),
        ("task", "x" * 20_001),
        ("agent", " "),
        ("agent", "x" * 129),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("inf")),
        ("timeout", float("nan")),
        ("min_confidence", 1.01),
        ("min_confidence", -0.01),
        ("join", "some_success"),
        ("requires", [""]),
        ("fallback", [" "]),
        ("constraints", [""]),
        ("depends_on", ["a b"]),
        ("depends_on", "read"),
        ("input", ["a"]),
        ("input", {"a": object()}),
        ("type", "robot"),
        ("retry", {"max_attempts": 0}),
        ("retry", {"max_attempts": 101}),
        ("retry", {"initial_seconds": -1}),
        ("retry", {"factor": 0.5}),
        ("retry", {"max_seconds": float("inf")}),
    ],
)
def test_values_that_make_no_sense_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        step(**{field: value})
    assert caught.value.errors()[0]["loc"][0] == field


def test_texts_lose_their_outer_spaces() -> None:
    made = step(task="  do it \n", agent=" writer ")
    assert (made.task, made.agent) == ("do it", "writer")


def test_a_plan_cannot_be_changed() -> None:
    plan = Plan(steps=(step(),))
    with pytest.raises(ValidationError, match="frozen"):
        plan.name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValidationError, match="frozen"):
        plan.steps[0].id = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_the_mapping_a_step_was_made_from_stays_the_callers() -> None:
    given: dict[str, Any] = {"rows": 1}
    made = step(input=given)
    given["rows"] = 2
    assert made.input == {"rows": 1}


def test_a_step_is_found_by_its_id() -> None:
    plan = Plan(steps=(step(), step(id="b")))
    assert plan.step("b") is plan.steps[1]


def test_looking_for_a_step_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="c"):
        Plan(steps=(step(),)).step("c")


def test_a_plan_goes_through_json_unchanged() -> None:
    plan = Plan(
        name="report",
        inputs={"rows": [1, 2.5, None, True, "no"]},
        steps=(
            step(
                agent="writer",
                requires=["a"],
                input={"text": "{{ steps.b.output }}"},
                depends_on=["b"],
                when="steps.b.output > 3",
                join="all_done",
                optional=True,
                timeout=2.5,
                retry={"max_attempts": 2},
                fallback=["other"],
                constraints=["short"],
                min_confidence=0.5,
            ),
            step(id="b"),
        ),
        output={"all": "{{ steps.a.output }}"},
    )
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_what_a_caller_changes_later_does_not_change_the_plan() -> None:
    rows: list[JsonValue] = [1]
    given = AgentStep(id="a", agent="x", input={"rows": rows})
    mapped = MapStep(id="m", over=rows, step=AgentStep(id="i", agent="x"))
    plan = Plan(inputs={"rows": rows}, steps=(given, mapped))
    rows.append(2)
    given.input["more"] = True
    assert isinstance(mapped.over, list)
    mapped.over.append(3)
    assert plan == Plan.model_validate(
        {
            "inputs": {"rows": [1]},
            "steps": [
                {"id": "a", "agent": "x", "input": {"rows": [1]}},
                {"id": "m", "type": "map", "over": [1], "step": {"id": "i", "agent": "x"}},
            ],
        }
    )
