"""Whatever is done with a run, in whatever order, it is where a plain model of it says, and keeps every promise."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from langgraph.types import Command
from tests.faults.checker import Rules, Verdict, said, token, told, violations
from tests.faults.handmade import Waiting, handmade_agent
from tests.faults.ledger import Line
from tests.faults.life import CONFIG
from tests.faults.modelled import Model, Step, documents, plans
from tests.faults.people import Question, question_of
from tests.faults.stores import CutSaver, connected
from tests.faults.witness import Witness, end_of, recorded_now

from goalgraph import PlanAgent, aanswer, apending
from goalgraph.errors import (
    AlreadyAnswered,
    AnswerRefused,
    ForeignRequest,
    InvalidAnswer,
    RunPaused,
    StaleRequest,
    UnknownRequest,
)

T = TypeVar("T")
NO_ANSWERS: tuple[Any, ...] = (None, "", {}, "yes please", 1, [], [True, True])
EXAMPLES = max(15, int(os.environ.get("GOALGRAPH_FAULTS", "0")) // 2)


class Life(RuleBasedStateMachine):
    """A run, and the model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="goalgraph-life-"))
        self.witness = Witness(self.folder)
        self.ledger = self.witness.open_ledger()
        self.waiting: Waiting = {}
        self.task: asyncio.Task[dict[str, Any]] | None = None
        self.result: dict[str, Any] = {}
        self.questions: list[Question] = []
        self.answered: dict[str, tuple[str, object]] = {}
        """By request that is answered: step, and answer."""
        self.tries = 0
        self.agent, self.saver = self.opened()

    def opened(self) -> tuple[PlanAgent, CutSaver]:
        """Open the database as a new process would."""
        saver = CutSaver(connected(self.folder / "run.sqlite"))
        return handmade_agent(saver, self.ledger, self.waiting), saver

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        async def in_time() -> T:
            async with asyncio.timeout(20):
                return await work

        return self.runner.run(in_time())

    @property
    def is_paused(self) -> bool:
        return self.task is None and bool(self.questions)

    @property
    def is_running(self) -> bool:
        return self.task is not None

    @property
    def is_stopped(self) -> bool:
        """Whether it was killed, and could go on."""
        return self.task is None and not self.questions and self.result.get("status") is None

    @property
    def is_over(self) -> bool:
        return self.task is None and self.result.get("status") is not None

    def go_on(self, call: Coroutine[Any, Any, dict[str, Any]]) -> None:
        """Begin a call of the engine, and wait until it is where the model is."""

        async def begun() -> None:
            self.task = asyncio.create_task(call)

        self.questions = []
        self.runner.run(begun())
        self.settle()

    def settle(self) -> None:
        self.model.go_on()
        self.do(self._settled())

    async def _settled(self) -> None:
        task = self.task
        if task is None:
            raise AssertionError("nothing runs")
        wanted = self.model.working()
        while not task.done() and (not wanted or set(self.waiting) != wanted):
            assert set(self.waiting) <= wanted | set(self.model.status)
            await asyncio.sleep(0.0005)
        if task.done():
            self.task = None
            self.result = task.result()
            assert wanted == set(), f"ended, and {wanted} should be at work"
            await self._paused_or_over()
        for _ in range(2):  # what is on its way to be stored arrives, so that the same is always done the same
            await asyncio.sleep(0.001)
            await self._arrived()
        assert set(self.waiting) == wanted

    async def _arrived(self) -> None:
        await self.agent.aget_state({"configurable": {"thread_id": "another"}})

    async def _paused_or_over(self) -> None:
        recorded = await recorded_now(self.agent, CONFIG)
        self.witness.note(recorded, killed=False)
        self.questions = [question_of(request) for request in await apending(self.agent, CONFIG)]
        assert {one.step for one in self.questions} == self.model.asking()
        assert len(self.questions) == len(self.model.asking())
        for question in self.questions:
            self.ledger.write(question.ask)
        statuses = {step: one["status"] for step, one in recorded.outcomes.items() if isinstance(one, dict)}
        assert statuses == self.model.status
        assert (self.result.get("status") is not None) == self.model.is_over()

    def said_to(self, questions: Sequence[Question], no: set[str]) -> dict[str, object]:
        """Make answers up, and write them down; they are not given yet."""
        answers: dict[str, object] = {}
        self.tries += 1
        for one in questions:
            is_asked_for_yes = one.request.kind in ("gate", "approval")
            verdict: Verdict = ("no" if one.step in no else "yes") if is_asked_for_yes else "say"
            words = token(verdict, one.step, one.number, self.tries)
            answers[one.request.id] = (
                words
                if verdict == "say"
                else {
                    "type": "approve" if verdict == "yes" else "reject",
                    "message": words,
                }
            )
            self.ledger.write(Line("answer", one.step, one.number, one.request.id, words))
        return answers

    def taken(self, questions: Sequence[Question], answers: Mapping[str, object]) -> None:
        """Write down that answers were taken."""
        for one in questions:
            answer = answers[one.request.id]
            (words,) = said(answer)
            self.model.said[one.step] = words.partition(":")[0]
            self.answered[one.request.id] = (one.step, answer)
            self.ledger.write(Line("taken", one.step, one.number, one.request.id, words))

    # What is done with it

    @initialize(steps=plans())
    def start(self, steps: dict[str, Step]) -> None:
        self.model = Model(steps)
        self.go_on(self.agent.ainvoke({"goal": "live", "plan": {"steps": documents(steps)}}, CONFIG))

    @precondition(lambda self: self.is_running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Some end, one after the other, some of them badly."""
        steps = data.draw(st.lists(st.sampled_from(sorted(self.waiting)), min_size=1, max_size=3, unique=True), "done")
        bad = data.draw(st.sets(st.sampled_from(steps), max_size=1), "badly")
        for step in steps:
            self.model.status[step] = "failed" if step in bad else "succeeded"
            self.waiting[step].set_result(step not in bad)
        self.settle()

    @precondition(lambda self: self.is_paused)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        questions, no = self._chosen(data)
        answers = self.said_to(questions, no)
        if data.draw(st.booleans(), "with a command"):
            by_interrupt = {one.request.interrupt.id: answers[one.request.id] for one in questions}
            call: Any = self.agent.ainvoke(Command(resume=by_interrupt), CONFIG)
        else:
            call = aanswer(self.agent, CONFIG, answers)
        self.taken(questions, answers)
        self.go_on(call)

    @precondition(lambda self: self.is_paused)
    @rule(data=st.data(), writes=st.integers(0, 8))
    def answer_and_be_cut_off(self, data: st.DataObject, writes: int) -> None:
        """Nobody was told that the answers were taken, so they may be, each of them, or may not."""
        questions, no = self._chosen(data)
        answers = self.said_to(questions, no)

        async def cut_short() -> None:
            self.saver.wire.left = writes
            self.task = asyncio.create_task(aanswer(self.agent, CONFIG, answers))
            for _ in range(100):
                if not self.task.done():
                    await asyncio.sleep(0.0005)

        self.do(cut_short())
        for one in questions:
            self.answered[one.request.id] = (one.step, answers[one.request.id])
        self._end()

    @precondition(lambda self: self.is_paused)
    @rule(data=st.data(), value=st.sampled_from(NO_ANSWERS))
    def answer_badly(self, data: st.DataObject, value: object) -> None:
        """What is no answer is refused, with the good ones beside it."""
        one = data.draw(st.sampled_from(self.questions), "question")
        if one.request.kind in ("specialist", "input") and value not in (None, {}):
            value = None
        others = [other for other in self.questions if other is not one]
        answers = {other.request.id: "approve" for other in others if other.request.kind in ("gate", "approval")}
        self._refused({**answers, one.request.id: value}, InvalidAnswer)
        if not others:
            self._refused_by_command(value, InvalidAnswer)

    @precondition(lambda self: self.is_paused)
    @rule(data=st.data())
    def answer_something_else(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.questions), "question").request
        tag, interrupt_id, digest, times = request.id.split("-")
        other = "0" * 12 if digest != "0" * 12 else "1" * 12
        self._refused({f"{tag}-{interrupt_id}-{other}-{times}": True}, StaleRequest)
        self._refused({f"{tag}-{'0' * 32}-{digest}-{times}": True}, UnknownRequest)
        foreign = "0" * 8 if tag != "0" * 8 else "1" * 8
        self._refused({f"{foreign}-{interrupt_id}-{digest}-{times}": True}, ForeignRequest)
        self._refused({"anything": True}, UnknownRequest)

    @precondition(lambda self: self.is_paused and bool(self.answered))
    @rule(data=st.data())
    def answer_again(self, data: st.DataObject) -> None:
        """The same again is taken, and changes nothing; another answer is refused."""
        request = data.draw(st.sampled_from(sorted(self.answered)), "request")
        step, answer = self.answered[request]
        changed = "another" if isinstance(answer, str) else {"type": "reject", "message": "no, no"}
        self._refused({request: changed}, AlreadyAnswered)
        begun = self.witness.lines()
        result = self.do(aanswer(self.agent, CONFIG, {request: answer}))
        assert result.get("status") is None, f"the answer to {step} again has ended the run"
        assert self.witness.lines() == begun
        self._as_it_was()

    @precondition(lambda self: self.is_paused)
    @rule()
    def begin_anew(self) -> None:
        """A paused run is not thrown away by a new goal."""
        with pytest.raises(RunPaused):
            self.do(self.agent.ainvoke({"goal": "another"}, CONFIG))
        self._as_it_was()

    @precondition(lambda self: self.is_running or self.is_paused)
    @rule()
    def kill(self) -> None:
        self._end()

    @precondition(lambda self: self.is_stopped or self.is_paused)
    @rule()
    def resume(self) -> None:
        self.go_on(self.agent.ainvoke(None, CONFIG))

    @precondition(lambda self: self.is_over)
    @rule()
    def go_on_when_it_is_over(self) -> None:
        """Nothing is done again."""
        before, self.result = self.result, {}
        self.go_on(self.agent.ainvoke(None, CONFIG))
        assert end_of(self.result) == end_of(before)

    @precondition(lambda self: self.is_running)
    @rule()
    def cancel(self) -> None:
        """As a kill, and the same agent goes on."""
        self.do(self._cancelled())
        self._take_in_what_is_recorded()
        self.resume()

    @precondition(lambda self: not self.is_over and not self.model.heard_by_specialists())
    @rule()
    def change_state(self) -> None:
        """What was recorded and answered stays so; what is asked is asked anew once the run goes on."""
        if self.is_running:
            self._end()
        self.do(self.agent.aupdate_state(CONFIG, {"inputs": {"new": 1}}))
        self.questions = []
        self._take_in_what_is_recorded()

    def teardown(self) -> None:
        try:
            if hasattr(self, "model"):
                self._end_well()
        finally:
            if self.task is not None:
                self.do(self._cancelled())
            self.runner.close()
            self.saver.conn.close()
            self.ledger.close()
            shutil.rmtree(self.folder)

    def _end_well(self) -> None:
        """Let the run come to its end, and look back on all of it."""
        while not self.model.is_over():
            if self.is_stopped:
                self.resume()
            elif self.is_running:
                for step in sorted(self.waiting):
                    self.model.status[step] = "succeeded"
                    self.waiting[step].set_result(True)
                self.settle()
            else:
                questions = self.questions
                answers = self.said_to(questions, set())
                self.taken(questions, answers)
                self.go_on(aanswer(self.agent, CONFIG, answers))
        if self.is_stopped:
            self.resume()
        self.witness.note_end(end_of(self.result))
        steps = self.model.steps
        rules = Rules(
            approvals={step: frozenset({step}) for step, one in steps.items() if one.kind == "gated"},
            asks=frozenset(step for step, one in steps.items() if one.kind != "work"),
        )
        found = violations(self.witness.history(rules, None))
        assert not found, told(found)

    def _chosen(self, data: st.DataObject) -> tuple[list[Question], set[str]]:
        questions = data.draw(st.lists(st.sampled_from(self.questions), min_size=1, unique_by=id), "questions")
        return questions, data.draw(st.sets(st.sampled_from([one.step for one in questions]), max_size=1), "no to")

    def _refused(self, answers: Mapping[str, object], error: type[AnswerRefused]) -> None:
        with pytest.raises(error):
            self.do(aanswer(self.agent, CONFIG, answers))
        self._as_it_was()

    def _refused_by_command(self, value: object, error: type[AnswerRefused]) -> None:
        with pytest.raises(error):
            self.do(self.agent.ainvoke(Command(resume=value), CONFIG))
        self._as_it_was()

    def _as_it_was(self) -> None:
        """Nothing has changed."""
        pending = self.do(apending(self.agent, CONFIG))
        assert [one.id for one in pending] == [one.request.id for one in self.questions]
        assert not self.waiting

    def _end(self) -> None:
        """End the process, and open the database in another."""
        self.do(self._cancelled())
        self.saver.conn.close()
        self.agent, self.saver = self.opened()
        self._take_in_what_is_recorded()

    async def _cancelled(self) -> None:
        task, self.task, self.questions = self.task, None, []
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._arrived()
        assert not self.waiting, "cancelled, and somebody works on"

    def _take_in_what_is_recorded(self) -> None:
        """Only what is recorded counts any more."""
        recorded = self.do(recorded_now(self.agent, CONFIG))
        self.witness.note(recorded, killed=True)
        status = {step: str(one["status"]) for step, one in recorded.outcomes.items() if isinstance(one, dict)}
        known = {words.split(":")[1]: words.partition(":")[0] for words in recorded.answers.values()}
        self.model.said |= known
        self.answered = {request: one for request, one in self.answered.items() if request in recorded.answers}
        self.model.go_on()
        assert status.items() <= self.model.status.items(), "recorded, and nothing like it has happened"
        assert set(self.model.said) == set(known), "an answer that was taken is gone"
        self.model.status = status


def test_whatever_is_done_with_a_run_it_is_where_it_should_be() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            database=None,
            derandomize="GOALGRAPH_FAULTS" not in os.environ,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
