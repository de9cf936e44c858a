"""A hundred model calls at once, against a server over HTTP that takes only so many in a second.

The suite asks for 50 in a second, to be quick; with ``GOALGRAPH_TEST_RATE=10`` it takes ten seconds a test.
"""

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from goalgraph import ExecutionPolicy, PlanAgent, Retry, as_specialist, create_plan_agent
from goalgraph.models import resolve_model

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"])]

CALLS = 100
RATE = float(os.environ.get("GOALGRAPH_TEST_RATE", "50"))
PLAN = {"steps": [{"id": f"s{number}", "agent": "writer", "task": "write"} for number in range(CALLS)]}


class Server:
    """Takes so many requests in any second; tells others to come back in a second."""

    def __init__(self) -> None:
        self.requests = self.refused = 0
        self._taken: deque[float] = deque()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
            now = time.monotonic()
            self.requests += 1
            while self._taken and self._taken[0] <= now - 1.0:
                self._taken.popleft()
            if len(self._taken) < RATE:
                self._taken.append(now)
                status, more = "200 OK", ""
                message = {"role": "assistant", "content": "written"}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            else:
                self.refused += 1
                status, more = "429 Too Many Requests", "retry-after: 1\r\n"
                body = {"error": {"message": "slow down"}}
            text = json.dumps(body)
            writer.write(
                f"HTTP/1.1 {status}\r\n{more}content-type: application/json\r\nconnection: close\r\n"
                f"content-length: {len(text)}\r\n\r\n{text}".encode()
            )
            await writer.drain()
        writer.close()


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    found = Server()
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0, backlog=200) as listening:
        port = listening.sockets[0].getsockname()[1]
        monkeypatch.setenv("OPENAI_API_KEY", "key")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
        yield found


@pytest.mark.parametrize(
    ("limiter", "retry"),
    [(True, None), (False, None), (False, Retry(max_attempts=5))],
    ids=["a limiter", "only the SDK's retries", "only the step's retries"],
)
async def test_all_of_a_hundred_steps_succeed_with_few_requests_more(
    server: Server, limiter: bool, retry: Retry | None
) -> None:
    model = resolve_model("openai:gpt-4o-mini", requests_per_second=RATE if limiter else None)
    agent = create_plan_agent(None, [as_specialist(model, name="writer")], execution=ExecutionPolicy(retry=retry))
    result = await agent.ainvoke({"goal": "g", "plan": PLAN})
    assert [one.status for one in result["outcomes"].values()] == ["succeeded"] * CALLS
    assert server.requests - server.refused == CALLS
    assert server.requests <= 1.2 * CALLS


async def test_several_agents_heed_what_one_of_them_was_told(server: Server) -> None:
    def agent() -> PlanAgent:
        model = resolve_model("openai:gpt-4o-mini")
        return create_plan_agent(None, [as_specialist(model, name="writer")])

    plan = {"steps": PLAN["steps"][: CALLS // 4]}
    results = await asyncio.gather(*(agent().ainvoke({"goal": "g", "plan": plan}) for _ in range(4)))
    assert all(one.status == "succeeded" for result in results for one in result["outcomes"].values())
    assert server.requests <= 1.2 * CALLS
