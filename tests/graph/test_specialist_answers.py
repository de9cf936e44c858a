"""Answers to questions of specialists that declare what an answer must be."""

from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt
from pydantic import BaseModel
from tests.graph.kinds import CONFIG, agent_of, goal, ran
from tests.graph.mailers import Post, mail, questions

from goalgraph import StepContext, StepTask, apending, specialist
from goalgraph.errors import InvalidAnswer


@pytest.mark.parametrize(
    "bad",
    [
        "yes please",
        {},
        None,
        [],
        {"type": "later"},
        {"decisions": []},
        {"type": "respond", "message": 3},
        {"type": "edit", "edited_action": {"name": "delete", "args": {"to": "ann"}}},
        {"type": "edit", "edited_action": {"name": "send", "args": {"whom": "ann"}}},
    ],
    ids=repr,
)
async def test_what_the_middleware_could_not_take_is_refused_and_asked_on(bad: Any, sqlite: SqliteSaver) -> None:
    post = Post()
    agent = agent_of(post.mailer("per_call"), checkpointer=sqlite)
    (request,) = questions(await ran(agent, goal(mail("a", "ann")))).values()
    with pytest.raises(InvalidAnswer, match="mailer"):
        await ran(agent, Command(resume={request.id: bad}))
    result = await ran(agent, Command(resume={request.id: {"type": "approve"}}))
    assert (post.sent, result["status"]) == (["ann"], "complete")


@pytest.mark.parametrize(
    "said", [True, "approve", {"decisions": [{"type": "approve"}]}, [{"type": "accept", "args": None}]], ids=repr
)
async def test_all_shapes_that_screens_send_reach_the_middleware_in_its_own(said: Any) -> None:
    post = Post()
    agent = agent_of(post.mailer("per_call"))
    (request,) = questions(await ran(agent, goal(mail("a", "ann")))).values()
    result = await ran(agent, Command(resume={request.id: said}))
    assert (post.sent, result["status"]) == (["ann"], "complete")


class Budget(BaseModel):
    """What a specialist wants to know."""

    most: int


async def test_an_answer_fits_the_schema_that_a_specialist_declares(sqlite: SqliteSaver) -> None:
    @specialist(name="buyer")
    async def buys(task: StepTask, context: StepContext) -> int:
        budget: Budget = interrupt("How much at most?", response_schema=Budget)
        return budget.most

    agent = agent_of(buys, checkpointer=sqlite)
    paused = await ran(agent, goal({"id": "a", "agent": "buyer"}))
    (request,) = await apending(agent, CONFIG)
    assert request.schema["properties"]
    (asked,) = paused["__interrupt__"]
    for bad in ({"most": "a lot"}, {"least": 3}, "3"):
        with pytest.raises(InvalidAnswer, match="does not fit"):
            await ran(agent, Command(resume={asked.id: bad}))
    result = await ran(agent, Command(resume={asked.id: {"most": 3}}))
    assert result["outcomes"]["a"].output == 3


async def test_what_is_pending_shows_a_call_as_itself() -> None:
    agent = agent_of(Post().mailer("per_call"))
    await ran(agent, goal(mail("a", "ann")))
    (request,) = await apending(agent, CONFIG)
    assert request.arguments == {"to": "ann"}
    assert request.prompt.startswith("Tool execution requires approval")
