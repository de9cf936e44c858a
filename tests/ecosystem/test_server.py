"""`langgraph dev` serves the example: runs are started, streamed, answered in all shapes, and finished over HTTP."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langgraph_sdk import get_client
from tests.ecosystem.server import EXAMPLE, is_installed, serving

Client = Any

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"])]

FIND = {"id": "one", "agent": "scout", "task": "find"}
GATES: dict[str, Any] = {
    "steps": [
        {"id": "room", "agent": "scout", "task": "find", "input": {"kind": "room"}},
        {"id": "book", "type": "human_approval", "prompt": "Book {{ steps.room.output }}?"},
        {"id": "booked", "agent": "writer", "task": "booked", "depends_on": ["book"]},
        {"id": "order", "type": "human_approval", "prompt": "Order?"},
        {"id": "ordered", "agent": "writer", "task": "ordered", "depends_on": ["order"]},
        {"id": "guests", "type": "human_input", "prompt": "Who?", "schema": {"type": "string", "minLength": 1}},
        {
            "id": "each",
            "type": "map",
            "over": ["room", "food"],
            "step": FIND,
        },
        {"id": "letter", "agent": "writer", "task": "Dear {{ steps.guests.output }}", "depends_on": ["booked"]},
    ]
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that serves the example."""
    if not is_installed():
        missing = "no server: pip install 'langgraph-cli[inmem]'"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(missing)
        pytest.skip(missing)
    with serving(tmp_path_factory.mktemp("langgraph")) as address:
        yield address


@pytest.fixture
async def client(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("NO_PROXY", "*")
    async with get_client(url=url) as made:
        yield made


async def called(client: Client, thread: str, **call: Any) -> dict[str, list[Any]]:
    """Start a run, or go on with it, and return what was streamed, by mode."""
    parts: dict[str, list[Any]] = {}
    async for part in client.runs.stream(thread, "goalgraph", stream_mode=["values", "custom"], **call):
        parts.setdefault(part.event, []).append(part.data)
    return parts


async def asked(client: Client, thread: str) -> dict[str, str]:
    """Ids of what is asked, by step."""
    state = await client.threads.get_state(thread)
    return {one["value"]["step"]: one["id"] for one in state["interrupts"]}


async def begun(client: Client, plan: Any) -> str:
    thread: str = (await client.threads.create())["thread_id"]
    parts = await called(client, thread, input={"goal": "invite", "plan": plan})
    assert "error" not in parts
    return thread


async def test_the_examples_client_starts_streams_answers_and_finishes_a_run(url: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "client.py"), url],
        input="y\n\ny\nyes\nAnn\ny\n",  # in the order of the ids; who is invited is left out the first time
        env={**os.environ, "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("room: looks for room\n")
    assert "step 'guests': the answer does not fit" in done.stdout
    letter = "Dear Ann, this is what we have for you:\n- the hall at the river, 400 EUR\n- soup and bread, 250 EUR"
    assert done.stdout.endswith(f"letter: succeeded\ncomplete\n{letter}\n")


async def test_what_is_asked_and_streamed_is_what_screens_read(client: Client) -> None:
    thread = (await client.threads.create())["thread_id"]
    parts = await called(client, thread, input={"goal": "invite", "plan": GATES})
    events = [(event["type"], event.get("step")) for event in parts["custom"]]
    assert events[0] == ("plan_made", None)
    assert {("step_finished", "room"), ("step_finished", "each"), ("request", "book"), ("request", "order")} <= {
        *events
    }
    assert parts["values"][-1]["plan"]["steps"][1]["prompt"] == "Book {{ steps.room.output }}?"
    state = await client.threads.get_state(thread)
    by_step = {one["value"]["step"]: one["value"] for one in state["interrupts"]}
    assert set(by_step) == {"book", "order", "guests"}
    (action,) = by_step["book"]["action_requests"]
    assert action["name"] == "book"
    assert action["args"] == action["arguments"] == {"prompt": "Book the hall at the river, 400 EUR?"}
    assert "Book the hall at the river, 400 EUR?" in action["description"]
    assert by_step["book"]["review_configs"] == [{"action_name": "book", "allowed_decisions": ["approve", "reject"]}]
    assert (await client.threads.get(thread))["status"] == "interrupted"
    assert json.dumps(await client.threads.get_history(thread))


async def test_requests_are_answered_one_by_one_in_the_shapes_of_different_screens(client: Client) -> None:
    thread = await begun(client, GATES)
    ids = await asked(client, thread)
    parts = await called(client, thread, command={"resume": {ids["book"]: {"decisions": [{"type": "approve"}]}}})
    assert "error" not in parts
    assert ("step_finished", "booked") in {(event["type"], event.get("step")) for event in parts["custom"]}
    assert set(await asked(client, thread)) == {"order", "guests"}
    parts = await called(client, thread, command={"resume": {ids["order"]: [{"type": "ignore", "args": None}]}})
    assert "error" not in parts
    # The only one that is left: screens send their answer without an id.
    parts = await called(client, thread, command={"resume": [{"type": "response", "args": "Ann"}]})
    values = parts["values"][-1]
    assert {step: outcome["status"] for step, outcome in values["outcomes"].items()} == {
        **dict.fromkeys(("room", "book", "booked", "guests", "each", "each[0]", "each[1]", "letter"), "succeeded"),
        "order": "failed",
        "ordered": "blocked",
    }
    assert values["outcomes"]["letter"]["output"].startswith("Dear Ann")
    assert (values["status"], (await client.threads.get(thread))["status"]) == ("degraded", "idle")


async def test_all_are_answered_at_once(client: Client) -> None:
    thread = await begun(client, GATES)
    ids = await asked(client, thread)
    answers: dict[str, Any] = {
        ids["book"]: [{"type": "accept", "args": None}],
        ids["order"]: {"decisions": [{"type": "approve"}]},
        ids["guests"]: {"decisions": [{"type": "respond", "message": "Bob"}]},
    }
    parts = await called(client, thread, command={"resume": answers})
    assert parts["values"][-1]["status"] == "complete"
    assert parts["values"][-1]["outcomes"]["letter"]["output"].startswith("Dear Bob")


async def test_what_is_no_answer_is_refused_and_the_thread_can_still_be_answered(client: Client) -> None:
    thread = await begun(client, GATES)
    ids = await asked(client, thread)
    bad: list[Any] = [
        {ids["book"]: "yes please"},
        {ids["book"]: {"decisions": []}, ids["order"]: True},
        "approve",
    ]
    for resume in bad:
        parts = await called(client, thread, command={"resume": resume})
        (error,) = parts["error"]
        assert error["error"] == "InvalidAnswer"
        assert await asked(client, thread) == ids
    (error,) = (await called(client, thread, input={"goal": "something else"}))["error"]
    assert error["error"] == "RunPaused"
    assert await asked(client, thread) == ids, "a new goal has thrown nothing away"
    answers = {ids["book"]: True, ids["order"]: True, ids["guests"]: "Ann"}
    parts = await called(client, thread, command={"resume": answers})
    assert parts["values"][-1]["status"] == "complete"


async def test_a_chat_message_is_enough_and_the_thread_takes_the_next_one(client: Client) -> None:
    thread = (await client.threads.create())["thread_id"]
    for number, said in enumerate(("Find offers, then write a letter", "Write a text"), 1):
        parts = await called(client, thread, input={"messages": [{"role": "user", "content": said}]})
        values = parts["values"][-1]
        assert (values["status"], values["goal"]) == ("complete", said)
        assert [message["type"] for message in values["messages"]] == ["human", "ai"] * number
        assert values["messages"][-1]["content"] == values["answer"]


async def test_a_plan_with_problems_is_an_error_that_names_them(client: Client) -> None:
    thread = (await client.threads.create())["thread_id"]
    plan = {"steps": [{"id": "a", "agent": "nobody", "task": "t"}]}
    (error,) = (await called(client, thread, input={"goal": "g", "plan": plan}))["error"]
    assert (error["error"], "nobody" in error["message"]) == ("InvalidPlan", True)


async def test_the_studio_gets_schemas_and_the_drawn_graph(client: Client) -> None:
    (assistant,) = await client.assistants.search()
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    assert {"goal", "messages", "plan", "inputs"} <= set(schemas["input_schema"]["properties"])
    assert {"answer", "status", "outcomes"} <= set(schemas["output_schema"]["properties"])
    drawn = await client.assistants.get_graph(assistant["assistant_id"])
    assert {"decompose", "scout", "writer", "human_approval", "synthesize"} <= {node["id"] for node in drawn["nodes"]}
