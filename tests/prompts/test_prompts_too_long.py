"""A run whose prompts are longer than its models' windows."""

from typing import Any

from goalgraph import StepTask, as_specialist, create_plan_agent, specialist
from goalgraph.prompts import count_message_tokens
from goalgraph.synthesis import ModelSynthesizer
from goalgraph.testing import ScriptedChatModel

LONG = "The north grew by 7 percent. " * 3000
PLAN = {
    "steps": [
        {"id": "read", "agent": "reader", "task": "Read it."},
        {"id": "write", "agent": "writer", "task": "Write of it.", "depends_on": ["read"]},
    ]
}


@specialist
def reader(task: StepTask, context: object) -> str:
    """Reads."""
    return LONG


async def test_the_answer_says_what_was_cut_for_a_step_and_for_itself() -> None:
    writer = ScriptedChatModel(["The north grew."], profile={"max_input_tokens": 4000})
    closer = ScriptedChatModel(["It grew [write]."], profile={"max_input_tokens": 2000})
    agent: Any = create_plan_agent(
        None,
        [reader, as_specialist(writer, name="writer", description="You write.")],
        synthesis=ModelSynthesizer(closer),
    )
    done = await agent.ainvoke({"goal": "What grew?", "plan": PLAN})
    assert (done["answer"], done["status"]) == ("It grew [write].", "degraded")
    assert done["degraded"] == [
        "step 'write': the result of step 'read' was too long for the model and was cut",
        "the result of step 'read' was too long for the model and was cut",
    ]
    for model, limit in ((writer, 3000), (closer, 1500)):
        (messages,) = model.received
        assert 0.9 * limit < count_message_tokens(messages) <= limit
        assert "tokens are missing here" in messages[1].text


async def test_nothing_is_said_where_all_prompts_are_whole() -> None:
    writer = ScriptedChatModel(["The north grew."], profile={"max_input_tokens": 200_000})
    agent: Any = create_plan_agent(None, [reader, as_specialist(writer, name="writer")])
    done = await agent.ainvoke({"goal": "What grew?", "plan": PLAN})
    assert (done["status"], done["degraded"]) == ("complete", [])
    assert LONG in writer.received[0][1].text
