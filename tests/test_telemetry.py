"""Spans of runs, through agents, as an exporter receives them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from goalgraph import ExecutionPolicy, Retry, answer, as_specialist, create_plan_agent, pending, specialist
from goalgraph.telemetry import SpanHandler
from goalgraph.testing import ScriptedChatModel

SECRET = "the colour of the vault"


class Traced:
    """A handler and what came out of it."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("tests")
        self.handler = SpanHandler(provider, **options)
        self.config: Any = {"callbacks": [self.handler]}

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        (found,) = [one for one in self.spans if one.name == name]
        return found

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        by_id = {one.context.span_id: one for one in self.spans if one.context is not None}
        return by_id[span.parent.span_id] if span.parent is not None else None


def said(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def plan_of(agent: str, *steps: str, **fields: Any) -> dict[str, Any]:
    return {"steps": [{"id": one, "agent": agent, "task": f"say {SECRET}", **fields} for one in steps]}


def writer(*texts: str) -> Any:
    return as_specialist(ScriptedChatModel([*texts]), name="writer")


@pytest.fixture
def traced() -> Traced:
    return Traced()


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_run_step_and_call_are_inside_of_each_other(traced: Traced, is_async: bool) -> None:
    agent = create_plan_agent(None, [writer("hello")])
    given: Any = {"goal": "g", "plan": plan_of("writer", "s")}
    result = await agent.ainvoke(given, traced.config) if is_async else agent.invoke(given, traced.config)
    assert result["status"] == "complete"
    run, step, call = (
        traced.named(name) for name in ("invoke_agent goalgraph", "invoke_agent writer", "chat scripted")
    )
    assert [traced.parent(one) for one in (run, step, call)] == [None, run, step]
    assert said(run)["goalgraph.run"].startswith("run-")
    assert said(run)["goalgraph.status"] == "complete"
    assert said(step) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "writer",
        "goalgraph.run": said(run)["goalgraph.run"],
        "goalgraph.step": "s",
        "goalgraph.status": "succeeded",
        "goalgraph.attempts": 1,
    }
    assert call.kind == SpanKind.CLIENT
    assert {"gen_ai.operation.name": "chat", "gen_ai.request.model": "scripted", "goalgraph.step": "s"}.items() <= said(
        call
    ).items()
    assert said(call)["gen_ai.usage.input_tokens"] > 0
    assert said(call)["gen_ai.usage.output_tokens"] > 0
    assert said(call)["gen_ai.response.finish_reasons"] == ("stop",)
    assert all(one.status.status_code == StatusCode.UNSET for one in traced.spans)


async def test_steps_at_the_same_time_have_calls_of_their_own(traced: Traced) -> None:
    names = [f"s{number}" for number in range(20)]
    agent = create_plan_agent(None, [writer(*names)])
    await agent.ainvoke({"goal": "g", "plan": plan_of("writer", *names)}, traced.config)
    calls = [one for one in traced.spans if one.name == "chat scripted"]
    assert len(calls) == 20
    parents = [traced.parent(one) for one in calls]
    assert sorted(said(one)["goalgraph.step"] for one in parents if one) == sorted(names)
    assert [said(one)["goalgraph.step"] for one in parents if one] == [said(one)["goalgraph.step"] for one in calls]
    run = traced.named("invoke_agent goalgraph")
    assert all(traced.parent(one) == run for one in parents if one)


async def test_a_run_inside_of_a_step_nests(traced: Traced) -> None:
    inner = create_plan_agent(None, [writer("hello")], name="inner")

    @specialist
    async def manager(task: str) -> str:
        result = await inner.ainvoke({"goal": "h", "plan": plan_of("writer", "deep")})
        return str(result["answer"])

    agent = create_plan_agent(None, [manager])
    await agent.ainvoke({"goal": "g", "plan": plan_of("manager", "top")}, traced.config)
    chain, span = list[str](), traced.named("chat scripted")
    found: ReadableSpan | None = span
    while found is not None:
        chain.append(found.name)
        found = traced.parent(found)
    names = [
        "chat scripted",
        "invoke_agent writer",
        "invoke_agent inner",
        "invoke_agent manager",
        "invoke_agent goalgraph",
    ]
    assert chain == names
    assert said(traced.named("invoke_agent inner"))["goalgraph.run"].endswith("/top")


async def test_tools_have_spans(traced: Traced) -> None:
    @tool
    def look(query: str) -> str:
        """Look something up."""
        return query

    agent = create_plan_agent(None, [look])
    await agent.ainvoke({"goal": "g", "plan": plan_of("look", "s", input={"query": SECRET})}, traced.config)
    found = traced.named("execute_tool look")
    assert said(found)["gen_ai.tool.name"] == "look"
    assert said(found)["goalgraph.step"] == "s"
    parent = traced.parent(found)
    assert parent is not None
    assert parent.name == "invoke_agent look"


async def test_failures_are_told_by_their_kind_and_not_by_what_they_say(traced: Traced) -> None:
    @specialist
    async def broken(task: str) -> str:
        raise ConnectionError(SECRET)

    policy = ExecutionPolicy(retry=Retry(max_attempts=3, initial_seconds=0))
    agent = create_plan_agent(None, [broken], execution=policy)
    await agent.ainvoke({"goal": "g", "plan": plan_of("broken", "s")}, traced.config)
    run, step = traced.named("invoke_agent goalgraph"), traced.named("invoke_agent broken")
    assert (said(step)["error.type"], said(step)["goalgraph.attempts"]) == ("ConnectionError", 3)
    assert (step.status.status_code, step.status.description) == (StatusCode.ERROR, None)
    assert (said(run)["goalgraph.status"], run.status.status_code) == ("failed", StatusCode.ERROR)


async def test_a_call_that_fails_has_a_span_in_error(traced: Traced) -> None:
    failing = ScriptedChatModel([ValueError(SECRET)])
    agent = create_plan_agent(None, [as_specialist(failing, name="writer")])
    await agent.ainvoke({"goal": "g", "plan": plan_of("writer", "s")}, traced.config)
    call = traced.named("chat scripted")
    assert (said(call)["error.type"], call.status.status_code) == ("ValueError", StatusCode.ERROR)
    assert not traced.handler._open  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("content", [False, True], ids=["without content", "with content"])
async def test_what_is_said_is_told_only_where_that_is_asked_for(content: bool) -> None:
    traced = Traced(content=content)
    agent = create_plan_agent(None, [writer("the answer is teal")])
    await agent.ainvoke({"goal": SECRET, "plan": plan_of("writer", "s")}, traced.config)
    told = " ".join(one.to_json() for one in traced.spans)
    assert (SECRET in told, "teal" in told) == (content, content)


async def test_a_model_that_streams_has_one_span(traced: Traced) -> None:
    agent = create_plan_agent(None, [writer("one two three")])
    given: Any = {"goal": "g", "plan": plan_of("writer", "s")}
    parts = [part async for part in agent.astream(given, traced.config, stream_mode="messages")]
    assert parts
    assert said(traced.named("chat scripted"))["gen_ai.usage.output_tokens"] > 0


def test_a_step_that_waits_for_a_human_says_so_and_goes_on_in_a_new_span(tmp_path: Path, traced: Traced) -> None:
    plan = {"steps": [{"id": "ask", "type": "human_input", "prompt": "Who?", "schema": {"type": "string"}}]}
    config: Any = {"configurable": {"thread_id": "1"}, **traced.config}
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        create_plan_agent(None, [writer()], checkpointer=saver).invoke({"goal": "g", "plan": plan}, config)
        waiting = [said(one).get("goalgraph.status") for one in traced.spans]
        fresh = create_plan_agent(None, [writer()], checkpointer=saver)
        answer(fresh, config, {pending(fresh, config)[0].id: "Ann"})
    assert waiting == ["waiting", "waiting"]
    assert [said(one)["goalgraph.status"] for one in traced.spans[2:]] == ["succeeded", "complete"]
    assert all(one.status.status_code == StatusCode.UNSET for one in traced.spans)


async def test_a_run_is_inside_of_the_span_that_is_current(traced: Traced) -> None:
    agent = create_plan_agent(None, [writer("hello")])
    with traced.tracer.start_as_current_span("request"):
        await agent.ainvoke({"goal": "g", "plan": plan_of("writer", "s")}, traced.config)
    assert traced.parent(traced.named("invoke_agent goalgraph")) == traced.named("request")


async def test_nothing_is_left_open_after_a_cancelled_run(traced: Traced) -> None:
    began = asyncio.Event()

    @specialist
    async def slow(task: str) -> str:
        began.set()
        await asyncio.sleep(60)
        return ""

    task = asyncio.create_task(
        create_plan_agent(None, [slow]).ainvoke({"goal": "g", "plan": plan_of("slow", "s")}, traced.config)
    )
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {one.name for one in traced.spans} == {"invoke_agent goalgraph", "invoke_agent slow"}
    assert not traced.handler._open  # pyright: ignore[reportPrivateUsage]


async def test_calls_outside_of_any_run_have_spans_too(traced: Traced) -> None:
    await ScriptedChatModel(["hello"]).ainvoke([HumanMessage("hi")], traced.config)
    assert "goalgraph.step" not in said(traced.named("chat scripted"))
