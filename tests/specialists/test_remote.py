"""Graphs on a LangGraph server as specialists: what passes, and what does not."""

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk.schema import StreamPart

from goalgraph import AgentStep, Outcome, Plan, as_specialist, create_plan_agent
from goalgraph.errors import InvalidSpecialist

STEP = AgentStep(id="a", agent="helper", task="Help.", input={"topic": "bees"})


class Server:
    """Stands for the SDK's client: what each run is sent, and the parts that it streams."""

    def __init__(self, *parts: tuple[str, Any]) -> None:
        self.parts = parts
        self.sent: list[dict[str, Any]] = []
        self.runs = SimpleNamespace(stream=self.stream)

    async def stream(self, **sent: Any) -> AsyncIterator[StreamPart]:
        self.sent.append(sent)
        for event, data in self.parts:
            if isinstance(data, Exception):
                raise data
            yield StreamPart(event, data)


def helper(server: Server, **options: Any) -> RemoteGraph:
    return RemoteGraph("helper", client=server, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def outcome_of(server: Server, **options: Any) -> Outcome:
    agent = create_plan_agent(None, [as_specialist(helper(server), **options)])
    done: dict[str, Any] = await agent.ainvoke({"goal": "g", "plan": Plan(steps=(STEP,))})
    outcome: Outcome = done["outcomes"]["a"]
    return outcome


def said(*texts: str, **fields: Any) -> dict[str, Any]:
    human = {"type": "human", "content": "Help."}
    return {"messages": [human, *({"type": "ai", "content": text, **fields} for text in texts)]}


async def test_the_brief_is_one_message_of_a_run_of_its_own_and_the_last_message_the_output() -> None:
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    server = Server(("values", said()), ("updates", {"work": {}}), ("values", said("x", "done", usage_metadata=usage)))
    outcome = await outcome_of(server)
    assert (outcome.output, outcome.specialist) == ("done", "helper")
    assert (outcome.usage.calls, outcome.usage.input_tokens, outcome.usage.output_tokens) == (2, 6, 8)
    (sent,) = server.sent
    (message,) = sent["input"]["messages"]
    assert message == {"role": "user", "content": 'Help.\n\n<input>\n{\n "topic": "bees"\n}\n</input>'}
    assert (sent["thread_id"], sent["assistant_id"]) == (None, "helper")
    assert sent["config"]["metadata"]["goalgraph_step"] == "a"
    assert len(sent["config"]["metadata"]["goalgraph_idempotency_key"]) == 32
    assert sent["config"]["configurable"] == {}, "thread and place of this run are not the other's"


@pytest.mark.parametrize(
    ("state", "output"),
    [
        ({"rows": [1, 2]}, {"rows": [1, 2]}),
        ({**said("text"), "structured_response": {"n": 1}}, {"n": 1}),
        ({"answer": "A.", "outcomes": {}, "status": "complete", "structured_response": {"n": 2}}, {"n": 2}),
    ],
    ids=["state", "structured", "goalgraph"],
)
async def test_a_state_is_read_as_that_of_a_local_graph(state: dict[str, Any], output: object) -> None:
    assert (await outcome_of(Server(("values", state)))).output == output


async def test_another_goalgraph_over_there_tells_how_good_its_answer_is() -> None:
    inner = Outcome(step="read", status="succeeded", output="x", confidence=0.4).model_dump(mode="json")
    state = {"answer": "A.", "outcomes": {"read": inner}, "status": "degraded", "degraded": ["no ink"]}
    outcome = await outcome_of(Server(("values", {**state, "usage": {"calls": 2, "input_tokens": 5}})))
    assert (outcome.output, outcome.confidence, outcome.degraded) == ("A.", 0.4, ("no ink",))
    assert (outcome.usage.calls, outcome.usage.input_tokens) == (2, 5)
    failed = await outcome_of(Server(("values", {**state, "status": "failed"})))
    assert failed.error is not None
    assert failed.error.type == "RunFailed"


ASKED = {"__interrupt__": [{"id": "1", "value": {"question": "May\nI?"}}]}


@pytest.mark.parametrize(
    "parts",
    [[("updates", ASKED)], [("values", {**said("half"), **ASKED})]],
    ids=["updates", "values"],
)
async def test_what_it_asks_fails_the_step_and_is_never_taken_for_an_answer(parts: Sequence[tuple[str, Any]]) -> None:
    outcome = await outcome_of(Server(("values", said("half")), *parts))
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert (
        "the remote graph 'helper' asks what cannot be answered here: {'question': 'May\\nI?'}" in outcome.error.message
    )


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([("values", said("half")), ("error", {"message": "no disk"})], "RemoteException"),
        ([("values", ConnectionError("down"))], "ConnectionError"),
        ([], "RunFailed"),
    ],
    ids=["error", "connection", "nothing"],
)
async def test_a_failure_over_there_fails_the_step(parts: Sequence[tuple[str, Any]], kind: str) -> None:
    outcome = await outcome_of(Server(*parts))
    assert outcome.error is not None
    assert outcome.error.type == kind


async def test_its_output_fits_what_is_declared() -> None:
    schema: dict[str, Any] = {"type": "object", "required": ["n"]}
    good = {**said("text"), "structured_response": {"n": 1}}
    assert (await outcome_of(Server(("values", good)), output=schema)).status == "succeeded"
    outcome = await outcome_of(Server(("values", said("text"))), output=schema)
    assert outcome.error is not None
    assert outcome.error.code == "invalid_output"


def test_a_remote_graph_of_one_thread_is_refused() -> None:
    with pytest.raises(InvalidSpecialist, match="has a thread in its config"):
        as_specialist(helper(Server(), config={"configurable": {"thread_id": "1"}}))


def test_its_prompt_is_the_server_s_to_shorten() -> None:
    with pytest.raises(InvalidSpecialist, match="shortens its prompts itself"):
        as_specialist(helper(Server()), max_input_tokens=100)
