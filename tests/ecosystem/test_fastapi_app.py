"""The FastAPI example: runs are started, streamed, answered, left, killed and gone on with over HTTP."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from examples.fastapi_app.app import STATUSES, create_app
from httpx_sse import aconnect_sse
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.ecosystem.http_app import SLOW, agent_with

from goalgraph import PlanAgent, create_plan_agent, errors, specialist
from goalgraph.errors import GoalgraphError, PlannerRefused, RunBusy

ROOT = Path(__file__).parents[2]
Event = tuple[str, str, Any]
"""Its name, id and data."""


@asynccontextmanager
async def client_of(folder: Path, *build: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the application, called without a server in between."""
    app = create_app(str(folder / "runs.sqlite"), *build)
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://app") as made:
        yield made


async def events(client: httpx.AsyncClient, path: str, **given: Any) -> list[Event]:
    """All events of a call."""
    async with aconnect_sse(client, "POST", path, **given) as source:
        assert source.response.status_code == 200, await source.response.aread()
        return [(one.event, one.id, one.json()) async for one in source.aiter_sse()]


def names(found: list[Event]) -> list[str]:
    return [name for name, _, _ in found]


async def test_a_goal_is_planned_asked_about_answered_and_done(tmp_path: Path) -> None:
    given = {"goal": "Research solar power, then publish a summary"}
    async with client_of(tmp_path) as client:
        told = await events(client, "/runs", json=given)
    assert names(told) == [
        *("run", "plan_made", "step_started", "step_progress", "step_finished", "step_started", "request", "pending")
    ]
    assert [int(number) for _, number, _ in told] == list(range(len(told)))
    thread, asked = told[0][2]["thread"], told[-1][2]
    async with client_of(tmp_path) as client:  # with everything but the database anew
        assert (await client.get(f"/runs/{thread}/pending")).json() == asked
        assert [(one["kind"], one["step"]) for one in asked] == [("gate", "publish_summary")]
        told = await events(client, f"/runs/{thread}/answers", json={asked[0]["id"]: True})
        assert names(told)[-2:] == ["run_finished", "result"]
        assert told[-1][2]["status"] == "complete"
        assert "Published" in told[-1][2]["answer"]
        assert (await client.get(f"/runs/{thread}/pending")).json() == []
        again = await events(client, f"/runs/{thread}/resume")
    assert (names(again), again[-1][2]) == (["run", "result"], told[-1][2])


async def test_tokens_say_which_step_they_are_of(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.write_text("slow\n", "utf-8")
    async with client_of(tmp_path, agent_with(ledger)) as client:
        told = await events(client, "/runs", json=SLOW)
    texts: dict[str, str] = {}
    for name, _, data in told:
        if name == "token":
            texts[data["step"]] = texts.get(data["step"], "") + data["text"]
    assert texts == {step: f"a text about {step}" for step in ("a", "b", "slow", "end")}
    assert told[-1][2] == {"status": "complete", "answer": "a text about end", "degraded": []}


NOBODYS = {"steps": [{"id": "a", "agent": "nobody"}]}


@pytest.mark.parametrize(
    ("path", "given", "status", "error"),
    [
        ("/runs", {"goal": " "}, 422, "InvalidGoal"),
        ("/runs", {"goal": "g", "plan": NOBODYS}, 422, "InvalidPlan"),
        ("/runs/none/resume", None, 404, "UnknownRun"),
        ("/runs/none/answers", {"0" * 32: True}, 404, "UnknownRun"),
        ("/runs/{thread}/answers", {"0" * 32: True}, 404, "UnknownRequest"),
        ("/runs/{thread}/answers", {"{asked}": "perhaps"}, 422, "InvalidAnswer"),
        ("/runs/{thread}/answers", {"{asked}": "perhaps", "0" * 32: True}, 422, "AnswerRefused"),
        ("/runs/{thread}/answers", {}, 422, "InvalidAnswer"),
    ],
    ids=["goal", "plan", "resume", "answer", "request", "nonsense", "mixed", "nothing"],
)
async def test_what_is_refused_is_refused_with_a_status_and_says_why(
    path: str, given: dict[str, object] | None, status: int, error: str, tmp_path: Path
) -> None:
    async with client_of(tmp_path) as client:
        told = await events(client, "/runs", json={"goal": "Research solar power, then publish a summary"})
        thread, asked = told[0][2]["thread"], told[-1][2][0]["id"]
        body = given and {name.replace("{asked}", asked): value for name, value in given.items()}
        refused = await client.post(path.replace("{thread}", thread), json=body)
        assert (refused.status_code, refused.json()["error"]) == (status, error)
        assert refused.json()["message"]
        assert len((await client.get(f"/runs/{thread}/pending")).json()) == 1, "the run waits on"


async def test_an_answer_that_another_one_has_stands_and_bad_bodies_are_fastapis_to_refuse(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        told = await events(client, "/runs", json={"goal": "Research solar power, then publish a summary"})
        answers = f"/runs/{told[0][2]['thread']}/answers"
        asked = told[-1][2][0]["id"]
        await events(client, answers, json={asked: False})
        assert (await client.post(answers, json={asked: True})).status_code == 409
        assert names(await events(client, answers, json={asked: False})) == ["run", "result"]
        assert (await client.post("/runs", json={"goal": "g", "plan": "secrets.yaml"})).status_code == 422
        assert (await client.get("/runs/none/pending")).status_code == 404


class Fails:
    """A decomposer whose model refuses."""

    async def decompose(self, request: object) -> Any:
        raise PlannerRefused("I cannot help with that")


async def test_what_goes_wrong_once_the_stream_has_begun_is_its_last_event(tmp_path: Path) -> None:
    @specialist
    async def worker(text: str) -> str:
        """Works."""
        return text

    def build(saver: SqliteSaver) -> PlanAgent:
        return create_plan_agent(None, [worker], decomposer=Fails(), checkpointer=saver)

    async with client_of(tmp_path, build) as client:
        told = await events(client, "/runs", json={"goal": "g"})
    assert names(told) == ["run", "error"]
    assert (told[-1][2]["error"], told[-1][2]["message"]) == ("PlannerRefused", "I cannot help with that")


def test_statuses_go_from_the_special_to_the_general() -> None:
    kinds = list(STATUSES)
    assert all(issubclass(kind, GoalgraphError) for kind in kinds)
    assert not [
        (one, other) for place, one in enumerate(kinds) for other in kinds[place + 1 :] if issubclass(other, one)
    ]
    assert {STATUSES[RunBusy], STATUSES[errors.RunPaused]} == {409}


@asynccontextmanager
async def served(folder: Path) -> AsyncGenerator[tuple["subprocess.Popen[bytes]", httpx.AsyncClient]]:
    """The application behind a server of its own; what is left of it ends with the test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    order = ["-m", "tests.ecosystem.http_app", str(folder / "runs.sqlite"), str(folder / "ledger"), str(port)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *order],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
            stderr=log,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            async with asyncio.timeout(90):
                while process.poll() is None:
                    with suppress(httpx.TransportError):
                        await client.get("/docs")
                        break
                    await asyncio.sleep(0.05)
            yield process, client
    finally:
        process.kill()
        process.wait()


async def left_in_the_middle(client: httpx.AsyncClient, process: "subprocess.Popen[bytes] | None" = None) -> str:
    """Start a run, and go away, or kill the server, a moment after its slow step has begun; gives the thread."""
    thread = ""
    async with aconnect_sse(client, "POST", "/runs", json=SLOW) as source:
        async for event in source.aiter_sse():
            data = event.json()
            thread = data.get("thread", thread)
            if event.event == "step_started" and data["step"] == "slow":
                await asyncio.sleep(1)  # until what is done is recorded
                break
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
    return thread


DONE = ["a", "b", "slow", "slow", "end"]


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_a_client_may_leave_and_a_server_be_killed_and_nothing_that_is_done_is_done_again(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with served(tmp_path) as (process, client):
        left = await left_in_the_middle(client)
        told = await events(client, f"/runs/{left}/resume")
        assert told[-1][2]["status"] == "complete"
        assert ledger.read_text("utf-8").split() == DONE
        ledger.unlink()
        killed = await left_in_the_middle(client, process)
    async with served(tmp_path) as (process, client):
        told = await events(client, f"/runs/{killed}/resume")
        assert told[-1][2]["status"] == "complete"
        assert ledger.read_text("utf-8").split() == DONE
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)
    assert (tmp_path / "log").read_text("utf-8") == ""
