"""How single steps are run: failures, retries, fallbacks, timeouts, conditions, joins, what they are given."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from goalgraph import (
    Artifact,
    ExecutionPolicy,
    Outcome,
    Retry,
    StepContext,
    StepResult,
    StepTask,
    create_plan_agent,
    specialist,
)


@specialist
async def good(task: StepTask, context: StepContext) -> str:
    return task.step


@specialist
async def bad(task: StepTask, context: StepContext) -> str:
    raise ValueError("the disk\nis full")


def step(step_id: str, agent: str = "good", *needs: str, **fields: object) -> dict[str, object]:
    return {"id": step_id, "task": f"do {step_id}", "agent": agent, "depends_on": list(needs), **fields}


def run(specialists: list[Any], *steps: dict[str, object], **more: Any) -> dict[str, Any]:
    inputs = more.pop("inputs", {})
    output = more.pop("output", None)
    agent = create_plan_agent(None, specialists, **more)
    result: dict[str, Any] = agent.invoke(
        {"goal": "the goal", "plan": {"steps": steps, "output": output}, "inputs": inputs}
    )
    return result


def statuses(result: Mapping[str, Any]) -> dict[str, str]:
    return {step_id: outcome.status for step_id, outcome in result["outcomes"].items()}


def test_a_failure_is_an_outcome_and_blocks_only_what_depends_on_it() -> None:
    result = run([good, bad], step("a"), step("b", "bad", "a"), step("c", "good", "b"), step("d", "good", "a"))
    assert statuses(result) == {"a": "succeeded", "b": "failed", "c": "blocked", "d": "succeeded"}
    assert result["outcomes"]["b"].error.message == "ValueError: the disk is full"
    assert result["status"] == "degraded"
    assert result["degraded"] == [
        "step 'b' failed: ValueError: the disk is full",
        "step 'c' blocked: needs 'b' (failed)",
    ]


def test_a_run_in_which_nothing_succeeds_has_failed() -> None:
    assert run([bad], step("a", "bad"))["status"] == "failed"


def test_fail_fast_cancels_what_runs_and_what_waits() -> None:
    ended: list[str] = []

    @specialist
    async def slow(task: StepTask, context: StepContext) -> str:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(task.step)
        return "late"

    @specialist
    async def soon_bad(text: str) -> str:
        await asyncio.sleep(0.02)
        raise RuntimeError("no")

    begin = time.monotonic()
    result = run(
        [slow, soon_bad, good],
        step("a", "slow"),
        step("b", "soon_bad"),
        step("c", "good", "a"),
        execution=ExecutionPolicy(on_failure="fail_fast"),
    )
    assert statuses(result) == {"a": "cancelled", "b": "failed", "c": "cancelled"}
    assert ended == ["a"]
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("join", "expected"),
    [("all_success", "blocked"), ("all_done", "succeeded"), ("any_success", "succeeded")],
)
def test_a_join_decides_what_a_failed_dependency_does(join: str, expected: str) -> None:
    result = run([good, bad], step("a"), step("b", "bad"), step("c", "good", "a", "b", join=join))
    assert statuses(result)["c"] == expected


def test_any_success_does_not_wait_for_the_slow_ones() -> None:
    order: list[str] = []

    @specialist
    async def noting(task: StepTask, context: StepContext) -> None:
        await asyncio.sleep(0.2 if task.step == "slow" else 0)
        order.append(task.step)

    result = run(
        [noting],
        step("slow", "noting"),
        step("quick", "noting"),
        step("c", "noting", "slow", "quick", join="any_success"),
    )
    assert order == ["quick", "c", "slow"]
    assert result["status"] == "complete"


def test_an_optional_step_may_fail_and_lowers_the_quality_only() -> None:
    result = run([good, bad], step("a", "bad", optional=True), step("b", "good", "a"))
    assert statuses(result) == {"a": "failed", "b": "succeeded"}
    assert result["status"] == "degraded"


def test_a_retry_tries_again_and_counts() -> None:
    tries: list[int] = []

    @specialist
    async def flaky(task: StepTask, context: StepContext) -> str:
        tries.append(context.attempt)
        if len(tries) < 3:
            raise ConnectionError("again")
        return "there"

    outcome = run([flaky], step("a", "flaky", retry={"max_attempts": 5, "initial_seconds": 0.001}))["outcomes"]["a"]
    assert (outcome.status, outcome.output, outcome.attempts, tries) == ("succeeded", "there", 3, [1, 2, 3])


def test_a_retry_gives_up_after_its_attempts_under_the_policys_default() -> None:
    outcome = run([bad], step("a", "bad"), execution=ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0)))[
        "outcomes"
    ]["a"]
    assert (outcome.status, outcome.attempts) == ("failed", 2)


def test_a_fallback_takes_over_and_the_outcome_says_so() -> None:
    result = run([good, bad], step("a", "bad", fallback=["good"]))
    outcome = result["outcomes"]["a"]
    assert (outcome.status, outcome.specialist, outcome.attempts) == ("succeeded", "good", 2)
    assert outcome.degraded == ("bad failed: ValueError: the disk is full",)
    assert result["status"] == "degraded"


def test_fallbacks_wait_for_a_place_of_their_own_specialist() -> None:
    running, most = 0, 0

    @specialist(max_concurrency=1)
    async def scarce(task: StepTask, context: StepContext) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return task.step

    result = run(
        [bad, scarce],
        *(step(f"s{i}", "bad", fallback=["scarce"]) for i in range(6)),
        step("own", "scarce"),
        execution=ExecutionPolicy(max_concurrency=4),
    )
    assert set(statuses(result).values()) == {"succeeded"}
    assert most == 1


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_a_step_that_hangs_past_its_timeout_fails(is_async: bool) -> None:
    @specialist(name="hangs")
    async def hangs(text: str) -> str:
        await asyncio.sleep(30)
        return "late"

    @specialist(name="hangs")
    def hangs_too(text: str) -> str:
        time.sleep(2)
        return "late"

    begin = time.monotonic()
    outcome = run([hangs if is_async else hangs_too], step("a", "hangs", timeout=0.05))["outcomes"]["a"]
    assert (outcome.status, outcome.error.code, outcome.error.type) == ("failed", "timeout", "TimeoutError")
    assert "0.05 s" in outcome.error.message
    assert time.monotonic() - begin < 1.5


def test_a_timeout_counts_from_the_moment_a_step_really_starts() -> None:
    @specialist(max_concurrency=1)
    async def one_by_one(text: str) -> str:
        await asyncio.sleep(0.03)
        return "done"

    result = run([one_by_one], *(step(f"s{i}", "one_by_one", timeout=0.2) for i in range(10)))
    assert set(statuses(result).values()) == {"succeeded"}
    assert all(outcome.seconds < 0.2 for outcome in result["outcomes"].values())


def test_a_specialists_own_timeout_error_is_its_error_not_ours() -> None:
    @specialist
    async def times_out(text: str) -> str:
        raise TimeoutError("the database")

    outcome = run([times_out], step("a", "times_out", timeout=5))["outcomes"]["a"]
    assert (outcome.error.code, outcome.error.message) == ("raised", "TimeoutError: the database")


class Opaque:
    """Has no JSON form."""


@pytest.mark.parametrize(
    ("returned", "code"),
    [
        (Opaque(), "invalid_output"),
        ({"deep": [Opaque()]}, "invalid_output"),
        ("x" * 100_000_000, "output_too_large"),
    ],
    ids=["object", "nested object", "100 MB"],
)
def test_an_output_that_cannot_be_kept_fails_the_step_and_only_it(returned: object, code: str) -> None:
    @specialist
    async def odd(text: str) -> object:
        return returned

    result = run([odd, good], step("a", "odd"), step("b"))
    assert result["outcomes"]["a"].error.code == code
    assert statuses(result)["b"] == "succeeded"


def test_results_messages_and_plain_values_are_all_understood() -> None:
    @specialist
    async def full(text: str) -> StepResult:
        return StepResult(output={"n": 1}, confidence=0.5, artifacts=(Artifact(path="a.png"),), degraded=("guessed",))

    @specialist
    async def message(text: str) -> AIMessage:
        return AIMessage("hello")

    result = run([full, message], step("a", "full", min_confidence=0.8), step("b", "message"))
    assert result["outcomes"]["a"].artifacts == (Artifact(path="a.png"),)
    assert result["outcomes"]["b"].output == "hello"
    assert result["degraded"] == [
        "step 'a' has confidence 0.5, below the 0.8 asked for",
        "step 'a': guessed",
    ]


def test_expressions_in_the_input_are_resolved_and_imply_dependencies() -> None:
    seen: dict[str, object] = {}

    @specialist
    async def rows(text: str) -> dict[str, object]:
        return {"rows": [1, 2], "note": "{{ 7 * 7 }}"}

    @specialist
    async def reader(task: StepTask, context: StepContext) -> str:
        seen.update(task.input)
        seen["dependencies"] = list(context.dependencies)
        return "ok"

    run(
        [rows, reader],
        step(
            "b",
            "reader",
            input={
                "rows": "{{ steps.a.output.rows }}",
                "text": "{{ input.who }}: {{ steps.a.output.note }}",
                "status": "{{ steps['a'].status }}",
            },
        ),
        step("a", "rows"),
        inputs={"who": "Ada"},
    )
    assert seen == {"rows": [1, 2], "text": "Ada: {{ 7 * 7 }}", "status": "succeeded", "dependencies": ["a"]}


def test_an_input_that_names_what_is_not_there_fails_its_step() -> None:
    outcome = run([good], step("a"), step("b", input={"x": "{{ steps.a.output.missing }}"}))["outcomes"]["b"]
    assert (outcome.status, outcome.error.code) == ("failed", "invalid_input")


@pytest.mark.parametrize("condition", ["steps.a.output == 'b'", "{{ steps.a.output == 'b' }}"], ids=["bare", "braces"])
def test_a_step_whose_condition_is_false_is_skipped_with_what_needs_it(condition: str) -> None:
    result = run([good], step("a"), step("b", when=condition), step("c", "good", "b"))
    assert statuses(result) == {"a": "succeeded", "b": "skipped", "c": "skipped"}
    assert result["status"] == "complete"


def test_the_plans_own_output_is_the_answer() -> None:
    assert run([good], step("a"), output="It is {{ steps.a.output }}.")["answer"] == "It is a."


def test_constraints_reach_the_specialist_as_part_of_the_instruction() -> None:
    seen: list[str] = []

    @specialist
    async def reader(text: str) -> None:
        seen.append(text)

    run([reader], step("a", "reader", constraints=["in French", "under 100 words"]))
    assert seen == ["do a\n\nConstraints:\n- in French\n- under 100 words"]


def test_a_step_finds_its_specialist_by_capabilities() -> None:
    @specialist(capabilities=["read", "write", "draw"])
    async def all_round(text: str) -> str:
        return "all_round"

    @specialist(capabilities=["read", "write"])
    async def scribe(text: str) -> str:
        return "scribe"

    assert run([all_round, scribe], step("a", agent=None, requires=["write"]))["answer"] == "scribe"  # type: ignore[arg-type]


def test_the_idempotency_key_is_the_same_for_the_same_work_and_only_for_it() -> None:
    keys: list[str] = []

    @specialist
    async def keyed(task: StepTask, context: StepContext) -> None:
        keys.append(context.idempotency_key)
        if context.attempt == 1:
            raise ValueError("again")

    from langgraph.checkpoint.memory import InMemorySaver

    agent = create_plan_agent(None, [keyed], checkpointer=InMemorySaver())
    retry = {"max_attempts": 2, "initial_seconds": 0}
    plan = {"steps": [step("a", "keyed", input={"x": "{{ input.x }}"}, retry=retry)]}
    for thread, x in (("1", 1), ("1", 1), ("1", 2), ("2", 1)):
        agent.invoke({"plan": plan, "goal": "g", "inputs": {"x": x}}, {"configurable": {"thread_id": thread}})
    assert keys[0] == keys[1] == keys[2] == keys[3]
    assert len({keys[0], keys[4], keys[6]}) == 3


def test_a_custom_synthesis_sees_outcomes_in_plan_order() -> None:
    def tell(request: Any) -> str:
        outcomes: Mapping[str, Outcome] = request.outcomes
        return f"{request.goal}: {', '.join(outcomes)}"

    assert run([good], step("b", "good", "a"), step("a"), synthesis=tell)["answer"] == "the goal: b, a"


def test_a_synthesis_that_fails_loses_no_finished_work() -> None:
    def broken(request: Any) -> str:
        raise ZeroDivisionError("oops")

    result = run([good], step("a"), synthesis=broken)
    assert result["answer"] == "a"
    assert result["status"] == "degraded"
    assert "ZeroDivisionError: oops" in result["degraded"][0]
