import asyncio
import time
from collections.abc import Awaitable

import pytest
from pydantic import JsonValue

from goalgraph.errors import SynthesisFailed
from goalgraph.planner.outcome import Outcome, Status, StepError
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.synthesis import (
    Concatenate,
    LastWins,
    ModelSynthesizer,
    Synthesis,
    SynthesisRequest,
    SynthesisSpec,
    as_synthesizer,
)
from goalgraph.testing import ScriptedChatModel


def step(step_id: str, *needs: str, task: str = "", floor: float | None = None) -> AgentStep:
    return AgentStep(id=step_id, agent="x", task=task or f"Do {step_id}", depends_on=needs, min_confidence=floor)


def done(output: JsonValue, confidence: float | None = None, degraded: tuple[str, ...] = ()) -> Outcome:
    return Outcome(step="any", status="succeeded", output=output, confidence=confidence, degraded=degraded)


def ended(status: Status, message: str = "") -> Outcome:
    return Outcome(step="any", status=status, error=StepError(code="raised", message=message) if message else None)


def request(steps: tuple[AgentStep, ...], **outcomes: Outcome) -> SynthesisRequest:
    return SynthesisRequest(goal="The goal", plan=Plan(steps=steps), outcomes=outcomes)


AB = (step("a"), step("b", "a"))


async def test_a_single_usable_outcome_is_the_answer_as_it_is() -> None:
    asked = request(AB, a=done("Only this.", degraded=("by a fallback",)), b=ended("failed", "boom"))
    assert await Concatenate().synthesize(asked) == Synthesis(answer="Only this.")


async def test_several_outcomes_become_sections_in_plan_order_whatever_the_order_they_ended_in() -> None:
    written = await Concatenate().synthesize(request(AB, b=done({"text": "second"}), a=done("first")))
    assert written.answer == "## Do a\n\nfirst\n\n## Do b\n\nsecond"


@pytest.mark.parametrize("task", ["x" * 101, "two\nlines"], ids=["long", "two lines"])
async def test_a_task_that_makes_no_heading_gives_way_to_the_id(task: str) -> None:
    written = await Concatenate().synthesize(request((step("a", task=task), step("b")), a=done("1"), b=done("2")))
    assert written.answer.startswith("## a\n\n1\n\n## Do b")


@pytest.mark.parametrize("status", ["failed", "skipped", "blocked", "cancelled"])
async def test_what_did_not_succeed_is_left_out(status: Status) -> None:
    outcome = Outcome(step="b", status=status, output="must not be seen")
    written = await Concatenate().synthesize(request((*AB, step("c")), a=done("1"), b=outcome, c=done("3")))
    assert written.answer == "## Do a\n\n1\n\n## Do c\n\n3"


@pytest.mark.parametrize(("confidence", "marked"), [(0.4, True), (0.5, False), (None, False)])
async def test_an_outcome_below_its_floor_is_marked(confidence: float | None, marked: bool) -> None:
    written = await Concatenate().synthesize(request((step("a", floor=0.5),), a=done("text", confidence)))
    assert written.answer == ("*(low confidence: 0.4)*\n\ntext" if marked else "text")


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ({"markdown": "# T", "rows": 3}, "# T"),
        ({"answer": "yes"}, "yes"),
        ({"summary": "short"}, "short"),
        ({"rows": [1, 2]}, '{"rows": [1, 2]}'),
        ([1, "å"], '[1, "å"]'),
        (42, "42"),
        (None, ""),
        ("  ", ""),
    ],
    ids=["markdown", "answer", "summary", "object", "list", "number", "null", "blank"],
)
async def test_an_output_of_any_shape_has_a_text(output: JsonValue, answer: str) -> None:
    assert (await Concatenate().synthesize(request((step("a"),), a=done(output)))).answer == answer


@pytest.mark.parametrize("name", ["concatenate", "last_wins"])
async def test_without_usable_outcomes_the_answer_is_empty(name: str) -> None:
    assert await as_synthesizer(name).synthesize(request(AB, a=ended("failed", "boom"))) == Synthesis(answer="")


async def test_the_last_end_of_the_plan_wins() -> None:
    steps = (step("a"), step("b", "a"), step("c", "a"))
    written = await LastWins().synthesize(request(steps, a=done("1"), b=done("2"), c=done("3")))
    assert written == Synthesis(answer="3")


async def test_where_the_last_end_failed_the_one_before_wins() -> None:
    steps = (step("a"), step("b", "a"), step("c", "a"))
    written = await LastWins().synthesize(request(steps, a=done("1"), b=done("2"), c=ended("failed", "boom")))
    assert written == Synthesis(answer="2")


async def test_where_no_end_succeeded_an_earlier_step_wins_and_the_answer_says_so() -> None:
    written = await LastWins().synthesize(request(AB, a=done("1"), b=ended("failed", "boom")))
    assert written.answer == "1"
    assert written.degraded == ("the answer is that of the earlier step 'a': no last step has one",)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [("concatenate", Concatenate), ("last_wins", LastWins), ("model", ModelSynthesizer)],
)
def test_names_stand_for_synthesizers(spec: str, kind: type[object]) -> None:
    assert isinstance(as_synthesizer(spec, ScriptedChatModel([])), kind)


def test_a_synthesizer_is_returned_as_it_is() -> None:
    mine = Concatenate()
    assert as_synthesizer(mine) is mine


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="'concatenate', 'last_wins', 'model' or a function, found 'best'"):
        as_synthesizer("best")


def test_the_model_needs_a_model() -> None:
    with pytest.raises(ValueError, match="needs a model"):
        as_synthesizer("model")


def test_anything_else_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="found 3"):
        as_synthesizer(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def shout(asked: SynthesisRequest) -> str:
    return asked.goal.upper()


async def later(asked: SynthesisRequest) -> Synthesis:
    await asyncio.sleep(0)
    return Synthesis(answer=asked.goal, degraded=("late",))


def sooner(asked: SynthesisRequest) -> Awaitable[Synthesis]:
    return later(asked)


class Caller:
    async def __call__(self, asked: SynthesisRequest) -> str:
        return f"called: {asked.goal}"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (shout, Synthesis(answer="THE GOAL")),
        (later, Synthesis(answer="The goal", degraded=("late",))),
        (Caller(), Synthesis(answer="called: The goal")),
        (sooner, Synthesis(answer="The goal", degraded=("late",))),
    ],
    ids=["sync", "async", "async object", "sync to async"],
)
async def test_a_function_is_given_the_request_and_may_be_asynchronous(
    function: SynthesisSpec, expected: Synthesis
) -> None:
    assert await as_synthesizer(function).synthesize(request(AB)) == expected


async def test_a_slow_function_does_not_hold_up_the_loop() -> None:
    def slow(_asked: SynthesisRequest) -> str:
        time.sleep(0.2)
        return "done"

    ticks = 0
    writing = asyncio.create_task(as_synthesizer(slow).synthesize(request(AB)))
    while not writing.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 3
    assert (await writing).answer == "done"


async def test_a_function_that_returns_something_else_fails_the_synthesis() -> None:
    with pytest.raises(SynthesisFailed, match="must return text, JSON or a Synthesis, found int"):
        await as_synthesizer(lambda _asked: 3).synthesize(request(AB))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
