"""Which failures of a step are tried again, after how long, and what they do to the run."""

import asyncio
import time
from typing import Any, cast

import pytest
from langgraph.types import RetryPolicy
from tests.graph.one_step import outcome_of

from goalgraph import (
    ExecutionPolicy,
    Retry,
    StepContext,
    StepTask,
    create_plan_agent,
    specialist,
)

QUICK = Retry(max_attempts=3, initial_seconds=0)


class Status(Exception):
    """What an HTTP library would raise."""

    def __init__(self, status_code: int, **headers: str) -> None:
        super().__init__(f"HTTP {status_code}")
        self.status_code = status_code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def failing(*errors: BaseException) -> tuple[Any, list[float]]:
    """A specialist that raises these, one after the other, and then succeeds; and when it was called."""
    calls: list[float] = []

    @specialist
    async def flaky(text: str) -> str:
        calls.append(time.monotonic())
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "there"

    return flaky, calls


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("x"),
        TimeoutError("x"),
        Status(429),
        Status(503),
        ValueError("of code"),
        asyncio.CancelledError(),
    ],
    ids=["connection", "timeout", "429", "503", "code", "cancelled by itself"],
)
@pytest.mark.parametrize("retry", [QUICK, RetryPolicy(initial_interval=0)], ids=["ours", "LangGraph's"])
def test_a_failure_that_may_pass_is_tried_again(error: BaseException, retry: object) -> None:
    flaky, calls = failing(error, error)
    outcome = outcome_of(flaky, retry=retry)
    assert (outcome.status, outcome.output, outcome.attempts, len(calls)) == ("succeeded", "there", 3, 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
@pytest.mark.parametrize("retry", [QUICK, RetryPolicy(initial_interval=0)], ids=["ours", "LangGraph's"])
def test_a_failure_that_stays_is_never_tried_again(status: int, retry: object) -> None:
    flaky, calls = failing(Status(status))
    outcome = outcome_of(flaky, retry=retry)
    assert (outcome.status, outcome.attempts, len(calls)) == ("failed", 1, 1)
    assert outcome.error is not None
    assert outcome.error.message == f"Status: HTTP {status}"


def test_an_output_that_does_not_fit_is_tried_again_and_one_that_is_too_large_is_not() -> None:
    outputs: list[object] = [object(), "fits"]

    @specialist
    async def odd(text: str) -> object:
        return outputs.pop(0)

    assert outcome_of(odd, retry=QUICK).attempts == 2
    outputs = ["x" * 6_000_000, "fits"]
    assert outcome_of(odd, retry=QUICK).attempts == 1


def test_a_retry_on_of_the_callers_own_has_the_say() -> None:
    flaky, _ = failing(Status(404))
    assert outcome_of(flaky, retry=RetryPolicy(initial_interval=0, retry_on=Status)).status == "succeeded"
    flaky, _ = failing(ConnectionError())
    assert outcome_of(flaky, retry=RetryPolicy(initial_interval=0, retry_on=Status)).status == "failed"


def test_a_retry_on_that_fails_itself_fails_the_step() -> None:
    def broken(error: Exception) -> bool:
        raise ZeroDivisionError("oops")

    flaky, calls = failing(ValueError("x"))
    outcome = outcome_of(flaky, retry=RetryPolicy(retry_on=broken))
    assert outcome.error is not None
    assert "retry_on raised ZeroDivisionError: oops, when asked about ValueError: x" in outcome.error.message
    assert len(calls) == 1


def test_the_other_side_is_left_alone_for_as_long_as_it_asks_and_the_wait_is_told() -> None:
    flaky, calls = failing(Status(429, retry_after="0.3"), Status(503, retry_after_ms="200"))
    events: list[Any] = []
    assert outcome_of(flaky, events=events, retry=QUICK).status == "succeeded"
    assert calls[1] - calls[0] >= 0.3
    assert calls[2] - calls[1] >= 0.2
    told = [event["message"] for event in events if event["type"] == "step_progress"]
    assert len(told) == 2
    assert told[0].startswith("attempt 1 of 3 failed, the next one in 0.3")
    assert told[0].endswith(" s: Status: HTTP 429")


def test_steps_that_are_told_to_wait_do_not_come_back_together() -> None:
    calls: dict[str, list[float]] = {}

    @specialist
    async def busy(task: StepTask, context: StepContext) -> str:
        calls.setdefault(task.step, []).append(time.monotonic())
        if context.attempt == 1:
            raise Status(429, retry_after="0.4")
        return "there"

    agent = create_plan_agent(None, [busy], execution=ExecutionPolicy(retry=QUICK))
    agent.invoke({"goal": "g", "plan": {"steps": [{"id": f"s{i}", "task": "t", "agent": "busy"} for i in range(30)]}})
    waits = [second - first for first, second in calls.values()]
    assert min(waits) >= 0.4
    assert max(waits) - min(waits) > 0.03


@pytest.mark.parametrize(
    ("on_failure", "optional", "status"),
    [("continue", False, "degraded"), ("wait_all", False, "failed"), ("wait_all", True, "degraded")],
)
def test_with_wait_all_the_others_go_on_and_one_failure_is_enough(on_failure: Any, optional: bool, status: str) -> None:
    done: list[str] = []

    @specialist
    async def good(task: StepTask, context: StepContext) -> str:
        await asyncio.sleep(0.02)
        done.append(task.step)
        return task.step

    @specialist
    async def bad(text: str) -> str:
        raise ValueError("x")

    agent = create_plan_agent(None, [good, bad], execution=ExecutionPolicy(on_failure=on_failure))
    steps: list[dict[str, object]] = [
        {"id": "a", "task": "t", "agent": "bad", "optional": optional},
        {"id": "b", "task": "t", "agent": "good"},
        {"id": "c", "task": "t", "agent": "good", "depends_on": ["b"]},
    ]
    result = cast("dict[str, Any]", agent.invoke({"goal": "g", "plan": {"steps": steps}}))
    assert (result["status"], done) == (status, ["b", "c"])
    assert result["answer"]


def test_with_wait_all_a_run_in_which_nothing_fails_is_complete() -> None:
    flaky, _ = failing()
    agent = create_plan_agent(None, [flaky], execution=ExecutionPolicy(on_failure="wait_all"))
    result = agent.invoke({"goal": "g", "plan": {"steps": [{"id": "a", "task": "t", "agent": "flaky"}]}})
    assert result["status"] == "complete"
