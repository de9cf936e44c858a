"""What is known of a specialist before it works: its model, cost, time, effects, and what its model would be sent."""

from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate

from goalgraph import StepContext, StepTask, as_specialist, specialist
from goalgraph.errors import InvalidSpecialist
from goalgraph.specialists.foreseen import prompt_of
from goalgraph.testing import ScriptedChatModel, ScriptedSpecialist

TASK = StepTask(step="a", instruction="Write it", input={"x": 1})


def text_of(text: str) -> str:
    return text


def test_what_an_author_says_is_on_the_card() -> None:
    made = specialist(cost_usd=0.5, seconds=3, effects=True)(text_of).card
    assert (made.model, made.cost_usd, made.seconds, made.effects) == (None, 0.5, 3, True)
    adapted = as_specialist(text_of, cost_usd=0, seconds=2, effects=True).card
    assert (adapted.cost_usd, adapted.seconds, adapted.effects) == (0, 2, True)
    model = ScriptedChatModel([], model_name="own-model")
    known = as_specialist(model, name="writer", cost_usd=0.1).card
    assert (known.model, known.cost_usd, known.effects) == ("own-model", 0.1, False)


def test_a_model_is_seen_behind_a_prompt_and_under_another_name() -> None:
    model: Any = ScriptedChatModel([], model_name="own-model")
    chain = ChatPromptTemplate.from_template("Say {text}") | model
    assert as_specialist(chain, name="chain").card.model == "own-model"
    again = as_specialist(as_specialist(model, name="writer", effects=True), name="other", cost_usd=0.0, seconds=1)
    card = again.card
    assert (card.name, card.model, card.cost_usd, card.seconds, card.effects) == ("other", "own-model", 0, 1, True)


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf")])
def test_what_is_no_amount_is_refused(amount: float) -> None:
    with pytest.raises(InvalidSpecialist, match="a specialist's cost_usd is"):
        specialist(cost_usd=amount)
    with pytest.raises(InvalidSpecialist, match="a specialist's seconds is"):
        as_specialist(ScriptedChatModel([]), name="a", seconds=amount)


async def test_the_prompt_is_what_the_model_is_sent() -> None:
    model = ScriptedChatModel(["done"])
    one = as_specialist(model, name="writer", description="Writes well.")
    foreseen = prompt_of(one, TASK, StepContext(goal="g"))
    await one.run(TASK, StepContext(goal="g"))
    assert foreseen == "\n\n".join(message.text for message in model.received[0])
    assert prompt_of(as_specialist(one, name="other"), TASK, StepContext(goal="g")) == foreseen


def test_of_others_description_and_brief_are_known() -> None:
    one = ScriptedSpecialist("reader", description="Reads.")
    assert prompt_of(one, TASK, StepContext(goal="g")).startswith("Reads.\n\nWrite it\n\n<input>")
