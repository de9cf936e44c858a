"""One process of a run: begins it, or goes on with it, and answers what is asked in an order of chance."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command
from pydantic import JsonValue
from tests.faults.checker import outlined
from tests.faults.crew import agent_for
from tests.faults.ledger import Ledger, Line, read_ledger
from tests.faults.people import Question, question_of, times_answered
from tests.faults.plans import Case
from tests.faults.witness import Witness, end_of, recorded_now

from goalgraph import PlanAgent, aanswer, answer, apending
from goalgraph.errors import RunBusy, UnknownRequest

__all__ = ["CONFIG", "Caller", "expected_of", "live"]

Result = dict[str, Any]
CONFIG: RunnableConfig = {"configurable": {"thread_id": "faults"}}


@dataclass(frozen=True, slots=True)
class Caller:
    """How a process calls the engine."""

    agent: PlanAgent
    is_sync: bool = False
    control: RunControl | None = None
    """By which it can be asked to end."""

    async def go(self, given: object) -> Result:
        """Call it with a goal, a command, or nothing."""
        options = {"control": self.control} if self.control is not None else {}
        if self.is_sync:
            return await asyncio.to_thread(partial(self.agent.invoke, given, CONFIG, **options))
        return cast("Result", await self.agent.ainvoke(given, CONFIG, **options))

    async def answer(self, answers: Mapping[str, object]) -> Result:
        """Call it with answers, by request."""
        if self.is_sync:
            return await asyncio.to_thread(partial(answer, self.agent, CONFIG, answers, by="somebody"))
        return await aanswer(self.agent, CONFIG, answers, by="somebody")

    async def answer_at_once(self, answers: Mapping[str, tuple[str, object]]) -> tuple[Result, frozenset[str]]:
        """Call it with each answer by itself, all at the same time.

        Args:
            answers: By request: the step that asks, and the answer.

        Returns:
            Where the run is then, and the requests whose answers it took. The others are asked no more, since what
            somebody else answered has ended their steps.
        """
        answering = (self._answer_soon(request, *one) for request, one in answers.items())
        results: dict[str, Result] = {}
        found = await asyncio.gather(*answering, return_exceptions=True)  # none of them goes on after this
        for request, one in zip(answers, found, strict=True):
            if isinstance(one, BaseException):
                raise one
            if one is not None:
                results[request] = one
        ended = (one for one in results.values() if one.get("status") is not None)
        return next(ended, list(results.values())[-1]), frozenset(results)

    async def _answer_soon(self, request: str, step: str, said: object) -> Result | None:
        """Answer as soon as no other call is at the run; None where the step was cancelled meanwhile."""
        while True:
            try:
                return await self.answer({request: said})
            except RunBusy:
                continue
            except UnknownRequest:
                ended = cast("Any", (await recorded_now(self.agent, CONFIG)).outcomes.get(step))
                if ended is None or ended["status"] != "cancelled":
                    raise
                return None


async def live(caller: Caller, case: Case, ledger: Ledger, witness: Witness, chance: random.Random) -> None:
    """Run the plan to its end, as far as nobody comes between; it stops where it neither ends nor asks."""
    agent = caller.agent
    begun = (await agent.aget_state(CONFIG)).created_at is not None
    if begun or witness.lines():
        witness.note(await recorded_now(agent, CONFIG), killed=True)
    try:
        result = await caller.go(None if begun else {"goal": "hold", "plan": case.plan})
        while "status" not in result or result["status"] is None:
            witness.note(await recorded_now(agent, CONFIG), killed=False)
            questions = [question_of(request) for request in await apending(agent, CONFIG)]
            if not questions:
                return
            for question in questions:
                ledger.write(question.ask)
            result = await _answered(caller, case, ledger, chance, questions)
    except GraphDrained:  # what was at work has been finished
        witness.note(await recorded_now(agent, CONFIG), killed=False)
        return
    witness.note(await recorded_now(agent, CONFIG), killed=False)
    witness.note_end(end_of(result))


async def _answered(
    caller: Caller, case: Case, ledger: Ledger, chance: random.Random, questions: list[Question]
) -> Result:
    """Answer some of what is asked, in one of the ways there are."""
    chosen = chance.sample(questions, chance.choice([1, 1, len(questions), chance.randint(1, len(questions))]))
    before = read_ledger(ledger.path)
    said: list[tuple[Question, str]] = []
    for question in chosen:
        words = question.words(case, times_answered(before, question))
        ledger.write(Line("answer", question.step, question.number, question.request.id, words))
        said.append((question, words))
    way = chance.choice(["requests", "interrupts", "alone" if len(questions) == 1 else "at once"])
    if way == "at once" and caller.control is None:
        answers = {one.request.id: (one.step, one.answer(case, words)) for one, words in said}
        result, taken = await caller.answer_at_once(answers)
        said = [(one, words) for one, words in said if one.request.id in taken]
    elif way == "requests" and caller.control is None:
        result = await caller.answer({one.request.id: one.answer(case, words) for one, words in said})
    elif way == "alone":
        result = await caller.go(Command(resume=said[0][0].answer(case, said[0][1])))
    else:
        by_interrupt = {one.request.interrupt.id: one.answer(case, words) for one, words in said}
        result = await caller.go(Command(resume=by_interrupt))
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
