"""What type checkers see of an agent and its plan; never run."""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_type

from pydantic import JsonValue

from goalgraph import (
    AgentStep,
    ExecutionPolicy,
    InvalidPlan,
    Limits,
    Outcome,
    Plan,
    PlanAgent,
    PlanProblem,
    Retry,
    SpecialistRegistry,
    StepContext,
    StepTask,
    create_plan_agent,
    generate_plan,
    specialist,
)
from goalgraph.planner.documents import load_plan
from goalgraph.planner.plan import Step
from goalgraph.testing import ScriptedChatModel


def sync_function(text: str) -> str:
    return text


async def async_function(task: StepTask, context: StepContext) -> int:
    return len(task.instruction)


@specialist
def decorated(text: str) -> str:
    return text


assert_type(create_plan_agent(None, [sync_function, async_function, decorated]), PlanAgent)
assert_type(create_plan_agent("openai:gpt-5-mini", [sync_function]), PlanAgent)
assert_type(create_plan_agent(ScriptedChatModel(["a"]), SpecialistRegistry([decorated]), synthesis="model"), PlanAgent)
assert_type(
    create_plan_agent(
        None,
        (sync_function,),
        execution=ExecutionPolicy(max_concurrency=4, retry=Retry(max_attempts=2)),
        limits=Limits(max_steps=10),
        checkpointer=True,
        name="team",
    ),
    PlanAgent,
)
create_plan_agent([sync_function])  # type: ignore[call-arg,arg-type]  # pyright: ignore[reportCallIssue,reportArgumentType]
create_plan_agent(None, [sync_function], ExecutionPolicy())  # type: ignore[call-arg,arg-type]  # pyright: ignore

plan = Plan(steps=(AgentStep(id="a", task="read", agent="decorated", input={"rows": [1, 2]}),))
assert_type(plan.steps, tuple[Step, ...])
found = plan.step("a")
if found.type == "agent":
    assert_type(found, AgentStep)
    assert_type(found.input, dict[str, JsonValue])
assert_type(load_plan({"steps": []}), Plan)
assert_type(load_plan(Path("plan.yaml")), Plan)


async def use(goal: str) -> None:
    assert_type(await generate_plan(goal, specialists=[sync_function], max_steps=3, available=["sync_function"]), Plan)
    try:
        await generate_plan(goal, specialists=[decorated])
    except InvalidPlan as error:
        assert_type(error.problems, tuple[PlanProblem, ...])


def results(outcomes: Sequence[Outcome]) -> list[JsonValue]:
    return [outcome.output for outcome in outcomes if outcome.status == "succeeded"]
