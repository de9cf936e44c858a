"""How sure a specialist's results are: what it says itself, and what an assessor makes of them."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Protocol, cast, runtime_checkable

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.card import SpecialistCard
from goalgraph.specialists.confidence import from_logprobs, known_confidence, refused
from goalgraph.specialists.foreseen import prompt_of
from goalgraph.specialists.results import as_json, as_result, checked
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask
from goalgraph.specialists.threads import in_thread

__all__ = ["Assess", "Assessed", "Assessment", "Assessor", "Judge", "as_assessor", "has_assessor", "judge_of"]

_LOGPROBS, _OUTPUT = "logprobs", "output."
_FORMS = "give a function f(task, result, context) or f(task, result), or an object with assess()"
_MAX_REASON = 2_000
_MAX_SHOWN = 200
_MISSING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What an assessor makes of a result."""

    confidence: float
    """From 0 to 1; anything else counts as unknown."""
    reason: str = ""
    """Why it is not higher; whoever revises the plan is told."""


@runtime_checkable
class Assessor(Protocol):
    """Someone who judges the results of specialists."""

    async def assess(self, task: StepTask, result: StepResult, context: StepContext) -> Assessment | float:
        """Judge a result; within the attempt, so that its time and its model calls are the step's.

        Args:
            task: What was to be done.
            result: What came of it; its ``output`` is plain JSON that fits the task's schema, as a whole.
            context: What surrounded the work.

        Raises:
            Exception: The confidence is unknown, and the outcome says so; the step has succeeded all the same.
        """
        ...


Assess = Assessor | Callable[..., object]
"""An assessor, or a function of task, result and, if it likes, context, sync or async, that returns what one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Settles the confidence of a specialist's results.

    Of its own confidence and the assessed one the lower counts: who did the work knows of gaps that do not show, and
    who did not is no party to it, so that either may have a doubt that the other one lacks. An assessor that fails
    leaves the confidence unknown: it is there since the specialist's own word is not enough.
    """

    source: str = ""
    """Where a result says how sure the specialist is: ``output.`` and a path, or ``logprobs``."""
    assessor: Assessor | None = None

    async def settled(self, returned: object, task: StepTask, context: StepContext) -> StepResult:
        """Read what a specialist returned, with how sure it is.

        Raises:
            InvalidOutput: It is not what the task asks for; it is not assessed.
            OutputTooLarge: It is too large to be kept.
        """
        result = self._with_own(returned)
        if self.assessor is None:
            return result
        output, _ = checked(result.output, task.output_schema, context.artifacts)
        result = result.model_copy(update={"output": output})
        found = await _found(self.assessor, task, result, context)
        if isinstance(found, str):
            own = f" (its own is {result.confidence:g})" if result.confidence is not None else ""
            why = f"its assessed confidence is unknown: {found}{own}"
            return result.model_copy(update={"confidence": None, "degraded": (*result.degraded, why)})
        if result.confidence is not None and result.confidence < found.confidence:
            return result
        return result.model_copy(update={"confidence": found.confidence, "confidence_reason": found.reason})

    def _with_own(self, returned: object) -> StepResult:
        result = as_result(returned)
        if not self.source or result.confidence is not None:
            return result
        if self.source == _LOGPROBS:
            message = returned.output if isinstance(returned, StepResult) else returned
            found: object = from_logprobs(message) if isinstance(message, BaseMessage) else None
            why = "its own confidence is unknown: the model gave no log probabilities" if found is None else ""
        else:
            found, path = result.output, self.source.removeprefix(_OUTPUT)
            for name in path.split("."):
                found = _field(found, name)
            why = f"its own confidence is unknown: the output has no {path!r}" if found is _MISSING else ""
            if not why and found is not None and known_confidence(found) is None:
                why = refused(found)
        if why:
            return result.model_copy(update={"degraded": (*result.degraded, why)})
        return result.model_copy(update={"confidence": known_confidence(found)})


@dataclass(frozen=True, slots=True)
class Assessed:
    """A specialist whose results are judged."""

    one: Specialist
    judge: Judge

    @property
    def card(self) -> SpecialistCard:
        """Its own."""
        return self.one.card

    @property
    def is_assessed(self) -> bool:
        """Whether somebody has been named to assess its results."""
        return self.judge.assessor is not None or has_assessor(self.one)

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Have the work done and judged."""
        return await self.judge.settled(await self.one.run(task, context), task, context)

    def prompt(self, task: StepTask, context: StepContext) -> str:
        """Render what it would be sent; nothing is called."""
        return prompt_of(self.one, task, context)


def judge_of(confidence: str | None, assess: Assess | None) -> Judge | None:
    """Return the judge that a specialist's arguments stand for; None where there is nothing to judge by.

    Raises:
        InvalidSpecialist: There is nothing of that name to read, or nobody to assess.
    """
    if confidence is None and assess is None:
        return None
    if confidence is not None and confidence != _LOGPROBS:
        names = confidence.split(".")
        if len(names) < 2 or names[0] != "output" or not all(name.strip() for name in names):
            raise InvalidSpecialist(
                f"a specialist's confidence is read from {confidence!r}",
                hint="write the path of a field, such as 'output.confidence', or 'logprobs'",
            )
    return Judge(source=confidence or "", assessor=as_assessor(assess) if assess is not None else None)


def has_assessor(one: object) -> bool:
    """Whether a specialist has an assessor of its own."""
    return getattr(one, "is_assessed", False) is True


def as_assessor(one: Assess) -> Assessor:
    """Make an assessor of a function; one that is one already is taken as it is.

    Raises:
        InvalidSpecialist: It is neither, or the function takes other than two or three values.
    """
    if isinstance(one, type):
        raise InvalidSpecialist(f"{one.__name__} is a class, not an assessor", hint=f"give {one.__name__}(...)")
    if isinstance(one, Assessor):
        return one
    if not callable(cast("object", one)):
        raise InvalidSpecialist(f"a {type(one).__name__} is no assessor", hint=_FORMS)
    try:
        signature = inspect.signature(one)
    except (TypeError, ValueError):
        raise InvalidSpecialist("an assessor does not tell its parameters", hint=_FORMS) from None
    for number in (3, 2):
        try:
            signature.bind(*(None,) * number)
        except TypeError:
            continue
        is_async = inspect.iscoroutinefunction(one) or inspect.iscoroutinefunction(type(one).__call__)
        return _Function(one, number, is_async)
    raise InvalidSpecialist(f"an assessor takes {signature}", hint=_FORMS)


@dataclass(frozen=True, slots=True)
class _Function:
    """A function that judges."""

    function: Callable[..., object]
    takes: int
    is_async: bool

    async def assess(self, task: StepTask, result: StepResult, context: StepContext) -> Assessment | float:
        given = (task, result, context)[: self.takes]
        found = self.function(*given) if self.is_async else await in_thread(self.function, *given)
        return cast("Assessment | float", await found if inspect.isawaitable(found) else found)


async def _found(assessor: Assessor, task: StepTask, result: StepResult, context: StepContext) -> Assessment | str:
    """Have a result judged; a text says why there is no judgement.

    Raises:
        GraphBubbleUp: A human is asked.
        asyncio.CancelledError: The step was cancelled; not where the assessor raises it by itself.
    """
    here = asyncio.current_task()
    before = here.cancelling() if here is not None else 0
    try:
        found: object = await assessor.assess(task, result, context)
    except asyncio.CancelledError as error:
        if here is None or here.cancelling() > before:
            raise
        return _failed(error)
    except Exception as error:
        if _asks(error):
            raise
        return _failed(error)
    told = found if isinstance(found, Assessment) else None
    confidence = known_confidence(found if told is None else told.confidence)
    if confidence is None:
        return refused(found if told is None else told.confidence).partition(": ")[2]
    return Assessment(confidence=confidence, reason=_plain(told.reason, _MAX_REASON) if told is not None else "")


def _failed(error: BaseException) -> str:
    try:
        said = " ".join(str(error).split())
    except Exception:
        said = ""
    kind = type(error).__name__
    return f"the assessor failed with {_plain(f'{kind}: {said}' if said else kind, _MAX_SHOWN)}"


def _asks(error: Exception) -> bool:
    from langgraph.errors import GraphBubbleUp

    if isinstance(error, ExceptionGroup):
        return cast("ExceptionGroup[Exception]", error).split(GraphBubbleUp)[0] is not None
    return isinstance(error, GraphBubbleUp)


def _plain(text: object, most: int) -> str:
    """Return a text that every store keeps, at most so long."""
    shown = str(as_json(str(text)[:most]))
    return shown if len(str(text)) <= most else f"{shown[: most - 3]}..."


def _field(holder: object, name: str) -> object:
    if isinstance(holder, Mapping):
        return cast("Mapping[object, object]", holder).get(name, _MISSING)
    if isinstance(holder, BaseModel) or (is_dataclass(holder) and not isinstance(holder, type)):
        return cast("object", getattr(holder, name, _MISSING))
    return _MISSING
