"""What was decided about runs inside of others is kept with the run outside."""

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import CONFIG, agent_of, goal, ran
from tests.graph.test_inside import given_to_team, team

from goalgraph import aanswer, apending
from goalgraph.errors import AlreadyAnswered


async def test_who_has_approved_what_is_asked_inside_is_known_outside(sqlite: SqliteSaver) -> None:
    done: list[str] = []
    agent = agent_of(team(done), checkpointer=sqlite)
    gate = {"id": "ok", "type": "human_approval", "prompt": "all?"}
    await ran(agent, goal(given_to_team("one"), gate))
    ids = {request.prompt: request.id for request in await apending(agent, CONFIG)}
    await aanswer(agent, CONFIG, {ids["one?"]: {"type": "approve", "message": "fine"}}, by="Ann")
    result = await aanswer(agent, CONFIG, {ids["all?"]: True}, by="Bob")
    assert {(one.kind, one.chosen, one.rationale, one.by) for one in result["decisions"]} == {
        ("approval", "approve", "fine", "Ann"),
        ("approval", "approve", "", "Bob"),
    }
    assert len(result["decisions"]) == 2
    again = await aanswer(agent, CONFIG, {ids["one?"]: {"type": "approve", "message": "fine"}, ids["all?"]: True})
    assert (again["status"], done) == ("complete", ["one"])
    for request in ids.values():
        with pytest.raises(AlreadyAnswered):
            await aanswer(agent, CONFIG, {request: False})
