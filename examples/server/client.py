"""Starts a run on a LangGraph server, shows what happens, asks you what the run asks, and prints the answer.

Start the server in one terminal, and this in another:

    langgraph dev --config examples/server/langgraph.json --no-browser
    python examples/server/client.py http://127.0.0.1:2024
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from langgraph_sdk import get_client

NAMES = {"type": "string", "minLength": 1}
PLAN = {
    "name": "An invitation",
    "steps": [
        {"id": "room", "agent": "scout", "task": "find a room", "input": {"kind": "room"}},
        {"id": "food", "agent": "scout", "task": "find food", "input": {"kind": "food"}},
        {"id": "book", "type": "human_approval", "prompt": "Book {{ steps.room.output }}?"},
        {"id": "order", "type": "human_approval", "prompt": "Order {{ steps.food.output }}?"},
        {"id": "guests", "type": "human_input", "prompt": "Who is invited?", "schema": NAMES},
        {
            "id": "letter",
            "agent": "writer",
            "task": "Dear {{ steps.guests.output }}, this is what we have for you:",
            "depends_on": ["book", "order", "room", "food"],
        },
    ],
    "output": "{{ steps.letter.output }}",
}


async def main(url: str) -> None:
    """Do the plan to its end, on a thread of its own."""
    async with get_client(url=url) as client:
        thread = (await client.threads.create())["thread_id"]
        call: dict[str, Any] = {"input": {"goal": "Invite to the meeting", "plan": PLAN}}
        while True:
            async for part in client.runs.stream(thread, "goalgraph", stream_mode=["custom"], **call):
                say(part.event, part.data)
            state: Any = await client.threads.get_state(thread)
            if not state["interrupts"]:
                break
            requests = sorted(state["interrupts"], key=lambda one: one["value"]["step"])
            # By id, because several steps may ask at once. What is no answer is refused, and asked again.
            call = {"command": {"resume": {one["id"]: answer(one["value"]) for one in requests}}}
    values = state["values"]
    if "status" not in values:
        sys.exit("the run has failed")
    sys.stdout.write(f"{values['status']}\n{values['answer']}\n")


def say(event: str, data: Any) -> None:
    """Show progress, and errors."""
    if event == "error":
        sys.stdout.write(f"{data['message']}\n")
    elif event == "custom" and data["type"] in ("step_finished", "step_progress"):
        sys.stdout.write(f"{data['step']}: {data.get('status') or data.get('message')}\n")


def answer(request: Mapping[str, Any]) -> object:
    """Ask on the terminal; an approval is answered as agent-chat-ui does it."""
    said = input(f"{request['prompt']}{' (y/n)' if request['kind'] == 'approval' else ''} ").strip()
    if request["kind"] != "approval":
        return said
    return {"decisions": [{"type": "approve" if said.lower() in ("y", "yes") else "reject"}]}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
