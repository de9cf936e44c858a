"""Transforms, and outputs that look like expressions: they stay text, however far they go."""

from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import Ledger, Result, agent_of, agent_step, answer, asked, goal, ran, statuses, worker

SLY = "{{ 1 + 1 }} {{ input.secret }} {% raw %}"


def transform(output: Any, step_id: str = "t", **fields: Any) -> Result:
    return {"id": step_id, "type": "transform", "output": output, **fields}


async def test_expressions_anywhere_in_the_output_give_native_values() -> None:
    agent = agent_of(worker(Ledger(), replies={"a": {"rows": [1, 2], "name": "x"}}))
    output = {
        "rows": "{{ steps.a.output.rows }}",
        "deep": [
            {"n": "{{ steps.a.output.rows | length }}", "text": "{{ steps.a.output.name }}!"},
            [None, True, 1.5, "plain"],
        ],
        "none": "{{ none }}",
        "key {{ not an expression }}": "{{ steps.a.status }}",
    }
    result = await ran(agent, goal(agent_step("a"), transform(output)))
    assert result["outcomes"]["t"].output == {
        "rows": [1, 2],
        "deep": [{"n": 2, "text": "x!"}, [None, True, 1.5, "plain"]],
        "none": None,
        "key {{ not an expression }}": "succeeded",
    }


@pytest.mark.parametrize("output", [5, None, False, "text", [1], {"a": {}}])
async def test_what_holds_no_expression_is_the_output(output: Any) -> None:
    result = await ran(agent_of(worker(Ledger())), goal(transform(output)))
    assert result["outcomes"]["t"].output == output


@pytest.mark.parametrize(
    "output",
    [
        "{{ steps.a.output.missing }}",
        {"x": ["{{ steps.a.output + 1 }}"]},
        "{{ steps.a.output ** 9 ** 9 }}",
        "{{ steps.a.output['__class__'] }}",
        "{{ 1 / now() }}",
    ],
)
async def test_an_expression_that_fails_fails_its_step_and_no_other(output: Any) -> None:
    agent = agent_of(worker(Ledger()))
    result = await ran(agent, goal(agent_step("a"), transform(output), agent_step("b", "t"), agent_step("c")))
    assert statuses(result) == {"a": "succeeded", "t": "failed", "b": "blocked", "c": "succeeded"}
    assert result["outcomes"]["t"].error.code in ("invalid_input", "invalid_output")
    assert any("step 't' failed" in reason for reason in result["degraded"])


async def test_what_an_output_says_is_never_read_as_an_expression(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, replies={"a": SLY}), checkpointer=sqlite)
    inner: Result = {
        "id": "p",
        "type": "sub_plan",
        "input": {"v": "{{ steps.three.output.v }}"},
        "plan": {
            "steps": [
                transform({"v": "{{ input.v }}"}, "x"),
                {"id": "ask", "type": "human_input", "prompt": "{{ input.v }}", "assignee": "{{ input.v }}"},
                agent_step("y", task="{{ input.v }}", constraints=["{{ as it is }}"], input={"of": "{{ input.v }}"}),
            ],
            "output": "{{ steps.x.output.v }}",
        },
    }
    plan = goal(
        agent_step("a"),
        transform("{{ steps.a.output }}", "one"),
        transform({"v": ["{{ steps.one.output }}"]}, "two"),
        transform({"v": "{{ steps.two.output.v[0] }}"}, "three"),
        inner,
        {
            "id": "m",
            "type": "map",
            "over": "{{ [steps.p.output, input.sly] }}",
            "step": {
                "id": "q",
                "type": "sub_plan",
                "input": {"v": "{{ item }}"},
                "plan": {"steps": [agent_step("z", task="do {{ input.v }}", input={"of": "{{ input.v }}"})]},
            },
        },
        {
            "id": "g",
            "type": "parallel",
            "branches": [transform("{{ steps.m.output[0] }}", "l")],
            "output": "{{ steps.g.l.output }}",
        },
        {"id": "ok", "type": "human_approval", "prompt": "Publish {{ steps.g.output }}?"},
        inputs={"sly": SLY, "secret": "hidden"},
        output="{{ steps.g.output }}",
    )
    paused = await ran(agent, plan)
    request = asked(paused)["p.ask"].value
    assert (request["prompt"], request["assignee"]) == (SLY, SLY)
    paused = await ran(agent, answer(paused, {"p.ask": SLY}))
    assert asked(paused)["ok"].value["prompt"] == f"Publish {SLY}?"
    result = await ran(agent, answer(paused, {"ok": {"type": "approve", "message": SLY}}))
    assert result["answer"] == SLY
    outcomes = result["outcomes"]
    assert [outcomes[step].output for step in ("one", "p", "p.y", "p.ask", "g")] == [SLY] * 5
    assert outcomes["m"].output == [SLY, SLY]
    assert ledger.tasks["p.y"].instruction.startswith(SLY)
    assert "{{ as it is }}" in ledger.tasks["p.y"].instruction
    assert ledger.tasks["m[1].z"].instruction == f"do {SLY}"
    assert "hidden" not in str(outcomes)
