"""Runs with outputs too large for a checkpoint."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.graph.kinds import CONFIG, answer, asked

from goalgraph import FolderArtifacts, StepContext, StepTask, create_plan_agent, specialist

TEXT = "abcde" * 1_200_000


@specialist
async def write(task: StepTask, context: StepContext) -> object:
    return TEXT if task.input.get("large") else "small"


@specialist
async def read(task: StepTask, context: StepContext) -> object:
    found = context.load(context.dependencies["long"])
    return {"same": found == TEXT, "named": task.input["of"], "small": context.load(context.dependencies["short"])}


PLAN: dict[str, Any] = {
    "steps": [
        {"id": "long", "agent": "write", "input": {"large": True}},
        {"id": "short", "agent": "write"},
        {"id": "ok", "type": "human_approval", "prompt": "Go on?", "depends_on": ["long", "short"]},
        {
            "id": "use",
            "agent": "read",
            "depends_on": ["ok", "short"],
            "input": {"of": "{{ steps.long.output.artifact }} {{ steps.long.output.characters }}"},
        },
    ]
}


@pytest.mark.parametrize("given", ["path", "text", "store"])
async def test_a_large_output_is_kept_beside_the_checkpoints_and_read_in_another_process(
    given: str, tmp_path: Path, sqlite: SqliteSaver
) -> None:
    folder = tmp_path / "artifacts"

    def agent() -> Any:
        artifacts: Any = {"path": folder, "text": str(folder), "store": FolderArtifacts(folder)}[given]
        return create_plan_agent(None, [write, read], checkpointer=sqlite, artifacts=artifacts)

    paused = await agent().ainvoke({"goal": "x", "plan": PLAN}, CONFIG)
    assert "ok" in asked(paused)
    result = await agent().ainvoke(answer(paused, {"ok": True}), CONFIG)
    outcome = result["outcomes"]["long"]
    assert outcome.output["characters"] == len(TEXT)
    assert [artifact.path for artifact in outcome.artifacts] == [
        str(FolderArtifacts(folder).path_of(outcome.output["artifact"]))
    ]
    assert Path(outcome.artifacts[0].path).read_text() == TEXT
    named = f"{outcome.output['artifact']} {len(TEXT)}"
    assert result["outcomes"]["use"].output == {"same": True, "named": named, "small": "small"}
    stored = sqlite.conn.execute("select sum(length(value)) from writes").fetchone()[0]
    assert stored < 100_000


async def test_without_a_store_the_step_fails_and_says_how_to_get_one() -> None:
    agent = create_plan_agent(None, [write])
    result = await agent.ainvoke({"goal": "x", "plan": {"steps": [PLAN["steps"][0]]}})
    error = result["outcomes"]["long"].error
    assert error.code == "output_too_large"
    assert "create_plan_agent(..., artifacts=" in error.message


async def test_a_resumed_run_that_has_lost_its_store_says_so(tmp_path: Path, sqlite: SqliteSaver) -> None:
    with_store = create_plan_agent(None, [write, read], checkpointer=sqlite, artifacts=tmp_path)
    without = create_plan_agent(None, [write, read], checkpointer=sqlite)
    paused = await with_store.ainvoke({"goal": "x", "plan": PLAN}, CONFIG)
    result = await without.ainvoke(Command(resume={one.id: True for one in paused["__interrupt__"]}), CONFIG)
    error = result["outcomes"]["use"].error
    assert (error.code, error.type) == ("raised", "MissingArtifact")
    assert "artifacts=" in error.message
