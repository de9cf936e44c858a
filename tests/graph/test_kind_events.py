"""What a run of all kinds of step tells whoever watches, and what its graph looks like."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from tests.graph.kinds import CONFIG, Ledger, Result, agent_of, agent_step, answer, asked, goal, ran, statuses, worker

from goalgraph import create_plan_agent

EVERYTHING: list[Result] = [
    agent_step("a"),
    {"id": "t", "type": "transform", "output": "{{ steps.a.output }}"},
    {"id": "g", "type": "parallel", "branches": [agent_step("x"), agent_step("y")]},
    {"id": "c", "type": "condition", "if": "true", "then": [agent_step("yes")], "else": [agent_step("no")]},
    {"id": "m", "type": "map", "over": [1, 2], "step": agent_step("one")},
    {"id": "p", "type": "sub_plan", "plan": {"steps": [agent_step("b")]}},
    {"id": "w", "type": "wait", "duration": 0.001},
    {"id": "e", "type": "wait", "event": "paid"},
    {"id": "ok", "type": "human_approval", "prompt": "Go on?"},
    {"id": "who", "type": "human_input", "prompt": "Who?"},
    {"id": "q", "type": "map", "over": ["k"], "step": {"id": "ask", "type": "human_input", "prompt": "{{ item }}?"}},
]
FLAT = {
    *("a", "t", "g", "g.x", "g.y", "c", "c.yes", "c.no", "m", "m[0]", "m[1]"),
    *("p", "p.input", "p.b", "w", "e", "ok", "who", "q", "q[0]"),
}
ANSWERS: dict[str, object] = {"e": "event", "ok": True, "who": "Ann", "q[0]": "Bob"}


async def test_every_kind_says_when_it_starts_and_ends_and_what_it_asks() -> None:
    agent = agent_of(worker(Ledger()))
    events: list[Result] = []

    async def watched(given: Any) -> None:
        events.extend([event async for event in agent.astream(given, CONFIG, stream_mode="custom")])

    await watched(goal(*EVERYTHING))
    paused: Result = {"__interrupt__": (await agent.aget_state(CONFIG)).interrupts}
    assert set(asked(paused)) == set(ANSWERS)
    requests = {event["step"]: event["request"] for event in events if event["type"] == "request"}
    assert requests == {step: one.value for step, one in asked(paused).items()}
    finished = [event["step"] for event in events if event["type"] == "step_finished"]
    assert sorted(finished) == sorted(FLAT - set(ANSWERS) - {"q"})
    begun = [event for event in events if event["type"] == "step_started"]
    assert sorted(event["step"] for event in begun) == sorted(FLAT - {"c.no"})
    kinds = {event["step"]: event["specialist"] for event in begun}
    assert (kinds["a"], kinds["m"], kinds["m[1]"], kinds["w"], kinds["ok"], kinds["g"]) == (
        "worker",
        "map",
        "worker",
        "wait",
        "human_approval",
        "parallel",
    )
    events.clear()
    await watched(answer(paused, ANSWERS))
    assert {event["step"] for event in events if event["type"] == "step_finished"} == {*ANSWERS, "q"}
    assert events[-1]["type"] == "run_finished"
    assert len({event["run"] for event in events}) == 1


@pytest.mark.parametrize("mode", ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"])
async def test_every_mode_of_streaming_serves(mode: str) -> None:
    agent = agent_of(worker(Ledger()))
    paused = await ran(agent, goal(*EVERYTHING))
    parts = [part async for part in agent.astream(answer(paused, ANSWERS), CONFIG, stream_mode=[mode], subgraphs=True)]
    assert parts or mode == "messages"
    state = await agent.aget_state(CONFIG)
    assert state.values["status"] == "complete"
    assert set(state.values["outcomes"]) == FLAT


def test_sync_streaming_serves() -> None:
    agent = agent_of(worker(Ledger()))
    parts = list(agent.stream(goal(*EVERYTHING), CONFIG, stream_mode=["custom", "updates"]))
    assert {mode for mode, _ in parts} == {"custom", "updates"}
    paused: Result = {"__interrupt__": agent.get_state(CONFIG).interrupts}
    assert set(asked(paused)) == set(ANSWERS)
    result: Result = agent.invoke(answer(paused, ANSWERS), CONFIG)
    assert (result["status"], set(result["outcomes"])) == ("complete", FLAT)


def test_the_drawn_graph_has_a_node_for_every_kind_and_every_specialist() -> None:
    agent = agent_of(worker(Ledger()), worker(Ledger(), "other"))
    drawn = agent.get_graph()
    kinds = {"condition", "human_approval", "human_input", "map", "parallel", "transform", "wait"}
    assert kinds | {"worker", "other"} <= set(drawn.nodes)
    edges = {(edge.source, edge.target) for edge in drawn.edges}
    assert all(("dispatch", node) in edges and (node, "gather") in edges for node in kinds | {"worker", "other"})


async def test_specialists_may_be_called_like_kinds_of_step() -> None:
    names = ["map", "wait", "parallel", "condition", "transform", "human_input", "sub_plan", "map_item"]
    ledgers = {name: Ledger() for name in names}
    agent = create_plan_agent(
        None, [worker(ledger, name) for name, ledger in ledgers.items()], checkpointer=InMemorySaver()
    )
    plan = goal(
        *(agent_step(f"by_{name}", agent=name) for name in names),
        {"id": "m", "type": "map", "over": [1], "step": agent_step("one", agent="map")},
        {"id": "w", "type": "wait", "duration": 0},
    )
    result = await ran(agent, plan)
    assert set(statuses(result).values()) == {"succeeded"}
    assert [result["outcomes"][f"by_{name}"].specialist for name in names] == names
    assert ledgers["map"].started == ["by_map", "m[0]"]
