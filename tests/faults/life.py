"""One process of a run: begins it, or goes on with it, and answers what is asked in an order of chance."""

import random
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import JsonValue
from tests.faults.checker import outlined
from tests.faults.crew import agent_for
from tests.faults.ledger import Ledger, Line, read_ledger
from tests.faults.people import Question, question_of, times_answered
from tests.faults.plans import Case
from tests.faults.witness import Witness, end_of, recorded_now

from goalgraph import PlanAgent, aanswer, apending

__all__ = ["CONFIG", "expected_of", "live"]

CONFIG: RunnableConfig = {"configurable": {"thread_id": "faults"}}


async def live(agent: PlanAgent, case: Case, ledger: Ledger, witness: Witness, chance: random.Random) -> None:
    """Run the plan to its end, as far as nobody comes between; it stops where it neither ends nor asks."""
    begun = (await agent.aget_state(CONFIG)).created_at is not None
    if begun or witness.lines():
        witness.note(await recorded_now(agent, CONFIG), killed=True)
    result = await agent.ainvoke(None if begun else {"goal": "hold", "plan": case.plan}, CONFIG)
    while "status" not in result or result["status"] is None:
        witness.note(await recorded_now(agent, CONFIG), killed=False)
        questions = [question_of(request) for request in await apending(agent, CONFIG)]
        if not questions:
            return
        for question in questions:
            ledger.write(question.ask)
        result = await _answered(agent, case, ledger, chance, questions)
    witness.note(await recorded_now(agent, CONFIG), killed=False)
    witness.note_end(end_of(result))


async def _answered(
    agent: PlanAgent, case: Case, ledger: Ledger, chance: random.Random, questions: list[Question]
) -> Mapping[str, Any]:
    """Answer some of what is asked, in one of the ways there are."""
    chosen = chance.sample(questions, chance.choice([1, 1, len(questions), chance.randint(1, len(questions))]))
    before = read_ledger(ledger.path)
    said: list[tuple[Question, str]] = []
    for question in chosen:
        words = question.words(case, times_answered(before, question))
        ledger.write(Line("answer", question.step, question.number, question.request.id, words))
        said.append((question, words))
    if chance.random() < 0.5:
        answers = {one.request.id: one.answer(case, words) for one, words in said}
        result = await aanswer(agent, CONFIG, answers, by="somebody")
    elif len(questions) == 1 and chance.random() < 0.5:
        result = await agent.ainvoke(Command(resume=said[0][0].answer(case, said[0][1])), CONFIG)
    else:
        by_interrupt = {one.request.interrupt.id: one.answer(case, words) for one, words in said}
        result = await agent.ainvoke(Command(resume=by_interrupt), CONFIG)
    for question, words in said:
        ledger.write(Line("taken", question.step, question.number, question.request.id, words))
    return result


async def expected_of(case: Case) -> Mapping[str, JsonValue] | None:
    """What comes of the plan where nothing disturbs it; None where that is not settled."""
    if not case.is_settled:
        return None
    agent = agent_for(case, InMemorySaver(), None, speed=1_000)
    result = await agent.ainvoke({"goal": "hold", "plan": case.plan}, CONFIG)
    while result.get("status") is None:
        questions = [question_of(request) for request in await apending(agent, CONFIG)]
        answers = {one.request.id: one.answer(case, one.words(case, 0)) for one in questions}
        result = await aanswer(agent, CONFIG, answers)
    return outlined(end_of(result).outcomes)
