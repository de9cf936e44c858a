"""One limiter for each provider, shared by the models that are made by name."""

import json
import threading
import time
from typing import Any

import httpx
import pytest
import respx
from langchain_core.rate_limiters import InMemoryRateLimiter
from tests.planner.openai_wire import Said, answer

from goalgraph import as_specialist, create_plan_agent, generate_plan, specialist
from goalgraph.models import resolve_model
from goalgraph.testing import ScriptedChatModel

URL = "http://model.test/v1"


@pytest.fixture(autouse=True)
def _openai(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_BASE_URL", URL)


@specialist
async def worker(text: str) -> str:
    return text


def limiter(name: str, rate: Any) -> object:
    return resolve_model(name, requests_per_second=rate).rate_limiter


def test_models_of_one_provider_and_rate_share_a_limiter() -> None:
    shared = limiter("openai:gpt-5-mini", 7)
    assert isinstance(shared, InMemoryRateLimiter)
    assert shared.requests_per_second == 7
    assert limiter("openai:gpt-5", 7.0) is shared
    assert limiter("openai:gpt-5", {"openai": 7, "anthropic": 2}) is shared
    assert limiter("openai:gpt-5", 8) is not shared


def test_without_a_rate_for_its_provider_a_model_has_no_limiter() -> None:
    assert limiter("openai:gpt-5-mini", None) is None
    assert limiter("openai:gpt-5-mini", {"anthropic": 2}) is None


def test_models_that_are_asked_for_at_the_same_time_share_a_limiter() -> None:
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(limiter("openai:m", 3.5))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1


def test_a_model_of_the_callers_keeps_what_it_has() -> None:
    own = InMemoryRateLimiter(requests_per_second=1)
    model = ScriptedChatModel([])
    model.rate_limiter = own
    assert resolve_model(model, requests_per_second=9).rate_limiter is own
    assert resolve_model(ScriptedChatModel([]), requests_per_second=9).rate_limiter is None


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan"), {"openai": 0}])
def test_a_rate_is_above_zero(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"requests_per_second must be a number above 0, found .* for 'openai'"):
        resolve_model("openai:m", requests_per_second=rate)


def planned_or_written(request: httpx.Request) -> httpx.Response:
    messages = json.loads(request.content)["messages"]
    plan: dict[str, Any] = {"name": "n", "steps": [{"id": "a", "agent": "worker", "task": "t", "depends_on": []}]}
    asks_for_a_plan = any("worker" in str(one["content"]) for one in messages)
    return answer(request, Said(text=json.dumps(plan) if asks_for_a_plan else "written"))


async def test_planners_and_specialists_that_are_made_by_name_keep_to_one_rate() -> None:
    began, times = time.monotonic(), list[float]()

    def serve(request: httpx.Request) -> httpx.Response:
        times.append(time.monotonic() - began)
        return planned_or_written(request)

    with respx.mock(using="httpcore2", base_url=URL) as server:
        server.post("/chat/completions").mock(side_effect=serve)
        writer = as_specialist(resolve_model("openai:gpt-4o", requests_per_second=10), name="writer")
        agent = create_plan_agent("openai:gpt-4o-mini", [worker, writer], requests_per_second=10)
        rates = {"openai": 10}
        await generate_plan("Do it.", model="openai:gpt-4o-mini", specialists=[worker], requests_per_second=rates)
        await agent.ainvoke({"goal": "Do it."})
        steps = [{"id": f"s{number}", "task": "t", "agent": "writer"} for number in range(4)]
        result = await agent.ainvoke({"goal": "g", "plan": {"steps": steps}})
    assert result["status"] == "complete"
    assert len(times) == 6
    assert times[-1] >= 0.5  # the sixth, at ten in a second


def test_a_provider_that_is_reached_through_langchain_has_a_limiter_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", URL)
    monkeypatch.setenv("OPENAI_API_VERSION", "1")
    monkeypatch.delenv("OPENAI_BASE_URL")
    found = limiter("azure_openai:m", 7)
    assert isinstance(found, InMemoryRateLimiter)
    assert found is not limiter("openai:m", 7)
    assert limiter("azure_openai:m", None) is None
