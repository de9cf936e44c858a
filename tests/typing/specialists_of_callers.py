"""What type checkers see of specialists that callers write; never run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_type

from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel

from goalgraph import (
    Specialist,
    SpecialistCard,
    SpecialistRegistry,
    StepContext,
    StepResult,
    StepTask,
    as_specialist,
    specialist,
)
from goalgraph.specialists import FunctionSpecialist


@specialist
def sync_text(text: str) -> str:
    return text


@specialist
def sync_task(task: StepTask, context: StepContext) -> StepResult:
    context.progress("half way", 0.5)
    return StepResult(output=task.instruction, confidence=0.5)


@specialist
async def async_text(text: str) -> dict[str, int]:
    return {text: 1}


class Report(BaseModel):
    title: str


@specialist(output=Report)
async def reporter(text: str) -> Report:
    return Report(title=text)


@specialist(output={"type": "object", "required": ["title"]})
def counter(text: str) -> dict[str, str]:
    return {"title": text}


@specialist(name="writer", description="Writes.", capabilities=["write"], max_concurrency=2)
async def async_task(task: StepTask, context: StepContext) -> StepResult:
    return StepResult(output=context.goal)


@specialist(capabilities=("read",))
def sync_with_arguments(text: str) -> list[str]:
    return [text]


for made in (sync_text, sync_task, async_text, async_task, sync_with_arguments):
    assert_type(made, FunctionSpecialist)
    assert_type(made.card, SpecialistCard)

assert_type(specialist(name="a"), Callable[[Callable[..., object]], FunctionSpecialist])

one_of_them: Specialist = sync_text


class Own:
    """A class of a caller's own, with a property for its card."""

    @property
    def card(self) -> SpecialistCard:
        return SpecialistCard(name="own")

    async def run(self, task: StepTask, context: StepContext) -> str:
        return task.step


@dataclass(frozen=True)
class WithField:
    """A class of a caller's own, with a field for its card."""

    card: SpecialistCard

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        return StepResult()


class NotAsync:
    card = SpecialistCard(name="a")

    def run(self, task: StepTask, context: StepContext) -> str:
        return task.step


own: Specialist = Own()
with_field: Specialist = WithField(SpecialistCard(name="a"))
not_async: Specialist = NotAsync()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def plain(text: str) -> str:
    return text


runnable: Runnable[str, str] = RunnableLambda(plain)
assert_type(as_specialist(plain), Specialist)
assert_type(as_specialist(runnable, name="a", description="b", capabilities=["c"], max_concurrency=1), Specialist)
assert_type(SpecialistRegistry([plain, sync_text, Own(), runnable]).get("plain"), Specialist)
assert_type(SpecialistRegistry().cards, tuple[SpecialistCard, ...])
specialist(42)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue,reportArgumentType]
specialist(plain, name="a")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
