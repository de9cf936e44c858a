"""The reference of the plan language: every plan on the page is valid and runs, every piece of Python works."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from goalgraph import StepResult, create_plan_agent, specialist
from goalgraph.planner.documents import dump_plan, parse_plan

PAGE = (Path(__file__).parent.parent / "docs" / "plan-language.md").read_text("utf-8")
PLANS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def crew() -> list[Any]:
    """Specialists of the page's names, all alike."""

    def one(name: str) -> Any:
        @specialist(name=name, capabilities=["research"] if name == "reader" else [])
        async def works(task: Any, context: Any) -> StepResult:
            output = {"text": f"text of {task.step}", "summary": f"summary of {task.step}", "rows": [1, 2, 3]}
            return StepResult(output=output, confidence=0.9)

        return works

    return [one(name) for name in ("reader", "writer", "publisher", "editor", "reviewer_a", "reviewer_b")]


def answer_to(request: Any) -> object:
    return {"approval": True, "input": {"name": "Ann", "mail": "ann@example.org"}, "event": "at the door"}[
        request["kind"]
    ]


@pytest.mark.parametrize("text", PLANS, ids=lambda text: re.search("name: (.*)", text)[1])  # type: ignore[index]
def test_a_plan_of_the_page_runs_to_its_end(text: str) -> None:
    inputs = re.search("^# inputs: (.*)", text)
    given = parse_plan(f"inputs: {inputs[1]}").inputs if inputs else {}
    plan = parse_plan(text)
    assert parse_plan(dump_plan(plan)) == plan
    agent = create_plan_agent(None, crew(), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    result = agent.invoke({"goal": "the page", "plan": plan, "inputs": given}, config)
    while asked := result.get("__interrupt__"):
        answers = {one.id: answer_to(one.value) for one in asked}
        result = agent.invoke(Command(resume=answers), config)
    assert result["status"] == "complete", json.dumps(result["degraded"])


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_the_python_of_the_page_works(code: str) -> None:
    exec(compile(code, "plan-language.md", "exec"), {})


def test_the_page_has_every_type_of_step_and_every_field() -> None:
    for name in (
        "agent",
        "human_approval",
        "human_input",
        "condition",
        "parallel",
        "map",
        "wait",
        "sub_plan",
        "transform",
    ):
        assert re.search(rf"^### .*\b{name}\b", PAGE, re.MULTILINE), name
    from goalgraph.planner.plan import Plan

    schema = json.loads(json.dumps(Plan.model_json_schema(by_alias=True)))
    fields = {field for model in schema["$defs"].values() for field in model.get("properties", {})}
    missing = {field for field in fields if not re.search(rf"\b{field}\b", PAGE)}
    assert not missing
