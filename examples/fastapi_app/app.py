"""Runs over HTTP: a POST starts a run, answers it or goes on with it, and streams what happens as server-sent events.

    uvicorn examples.fastapi_app.app:app

Put your own specialists into `build`, and your authentication in front: who may answer what is not checked here.
"""

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from pydantic import BaseModel, JsonValue
from sse_starlette import EventSourceResponse, JSONServerSentEvent

from goalgraph import ApprovalPolicy, PlanAgent, StepContext, StepTask, apending, create_plan_agent, errors, specialist

STATUSES = {
    errors.UnknownRun: 404,
    errors.UnknownRequest: 404,
    errors.AlreadyAnswered: 409,
    errors.RunBusy: 409,
    errors.RunPaused: 409,
    errors.AnswerRefused: 422,
    errors.InvalidGoal: 422,
    errors.InvalidPlan: 422,
    errors.PlannerError: 502,
    errors.ModelFailed: 502,
}
"""The first that an error is one of; everything else is 500."""


@specialist(capabilities=["research"])
async def researcher(task: StepTask, context: StepContext) -> str:
    """Finds facts about a topic."""
    context.progress("looking it up")
    return f"facts for {task.instruction!r}"


@specialist(capabilities=["publishing"])
async def publisher(text: str) -> str:
    """Writes and publishes a summary of the results it is given."""
    return f"Published:\n{text}"


def build(saver: SqliteSaver) -> PlanAgent:
    """The agent; with ``"openai:gpt-5-mini"`` in place of None a model plans."""
    approval = ApprovalPolicy(steps=("publishing",))
    return create_plan_agent(None, [researcher, publisher], approval=approval, checkpointer=saver)


class Goal(BaseModel):
    """What a run is started with."""

    goal: str
    plan: dict[str, JsonValue] | None = None
    """A plan as data. Text is not taken: it could name a file of the server's."""
    inputs: dict[str, JsonValue] = {}


Event = tuple[str, object]
"""A name and data, which is JSON."""


def told(part: dict[str, Any]) -> Event | None:
    """Name and data of a part of the stream; None of what clients have no use for."""
    if part["type"] == "custom":
        return part["data"].get("type", "custom"), part["data"]
    if part["type"] == "messages":
        message, about = part["data"]
        if isinstance(message, AIMessageChunk) and message.text:
            source = about.get("goalgraph_step") or about["langgraph_node"]  # the planner's, the synthesizer's
            return "token", {"step": source, "text": message.text}
    return None


def outcome(values: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a result."""
    return {name: values.get(name) for name in ("status", "answer", "degraded")}


def problem(error: errors.GoalgraphError) -> dict[str, Any]:
    """What is shown of an error."""
    problems = [str(one) for one in getattr(error, "problems", ())]
    return {"error": type(error).__name__, "message": str(error), "hint": error.hint, "problems": problems}


async def asks(agent: PlanAgent, thread: str) -> list[dict[str, Any]]:
    """What a run waits for; nothing where it waits for nobody."""
    shown = ("id", "kind", "step", "prompt", "arguments", "schema", "assignee", "deadline", "problem")
    config: Any = {"configurable": {"thread_id": thread}}
    return [{name: getattr(one, name) for name in shown} for one in await apending(agent, config)]


async def streamed(agent: PlanAgent, thread: str, given: object) -> EventSourceResponse:
    """Begin a run, or go on with it, and respond with what happens.

    When the client leaves, the run is cancelled; what was recorded is kept, and it can be gone on with.
    """
    modes = ["values", "custom", "messages"]
    config: Any = {"configurable": {"thread_id": thread}}
    parts = agent.astream(given, config, stream_mode=modes, subgraphs=True, version="v2")
    first = await anext(parts)  # the state as it is; what is refused raises here, in front of the response
    return EventSourceResponse(numbered(events(agent, thread, first["data"], parts)), ping=15)


async def events(agent: PlanAgent, thread: str, values: dict[str, Any], parts: Any) -> AsyncGenerator[Event]:
    """Names and data: goalgraph's own events by their types, tokens, and in the end what has come of it."""
    yield "run", {"thread": thread}
    try:
        async with aclosing(parts):
            async for part in parts:
                if part["type"] == "values" and not part["ns"]:
                    values = part["data"]
                elif (said := told(part)) is not None:
                    yield said
        asked = await asks(agent, thread)
        yield ("pending", asked) if asked else ("result", outcome(values))
    except errors.GoalgraphError as error:
        yield "error", problem(error)


async def numbered(happened: AsyncGenerator[Event]) -> AsyncGenerator[JSONServerSentEvent]:
    """Events as they are sent, with ids that count from 0."""
    async with aclosing(happened):
        number = 0
        async for name, data in happened:
            yield JSONServerSentEvent(data, event=name, id=str(number))
            number += 1


def create_app(database: str, build: Callable[[SqliteSaver], PlanAgent] = build) -> FastAPI:
    """The application, whose runs are kept in a SQLite file."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        with closing(sqlite3.connect(database, check_same_thread=False, timeout=30)) as connection:
            app.state.agent = build(SqliteSaver(connection))
            yield

    app = FastAPI(title="goalgraph", lifespan=lifespan)

    @app.exception_handler(errors.GoalgraphError)
    async def refused(request: Request, error: errors.GoalgraphError) -> JSONResponse:
        status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
        return JSONResponse(problem(error), status)

    @app.post("/runs")
    async def start(request: Request, goal: Goal) -> EventSourceResponse:
        return await streamed(request.app.state.agent, uuid4().hex, goal.model_dump())

    @app.get("/runs/{thread}/pending")
    async def pending(request: Request, thread: str) -> list[dict[str, Any]]:
        return await asks(request.app.state.agent, thread)

    @app.post("/runs/{thread}/answers")
    async def answer(request: Request, thread: str, answers: dict[str, JsonValue]) -> EventSourceResponse:
        return await streamed(request.app.state.agent, thread, Command(resume=answers))

    @app.post("/runs/{thread}/resume")
    async def resume(request: Request, thread: str) -> EventSourceResponse:
        return await streamed(request.app.state.agent, thread, None)

    return app


app = create_app("runs.sqlite")
