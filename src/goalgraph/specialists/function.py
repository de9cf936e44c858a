"""Functions as specialists: `@specialist` for sync and async ones, with one parameter or two."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import cast, overload

from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.card import SpecialistCard
from goalgraph.specialists.assessing import Assess, Judge, judge_of
from goalgraph.specialists.briefing import brief
from goalgraph.specialists.schemas import OutputType, declared_schema, returned_schema
from goalgraph.specialists.specialist import StepContext, StepTask
from goalgraph.specialists.threads import in_thread

__all__ = ["FunctionSpecialist", "check_amounts", "specialist", "terms"]

Function = Callable[..., object]

_FORMS = "write it as f(task, context), or as f(text)"


class FunctionSpecialist:
    """A function that does steps; it can still be called as the function it was."""

    def __init__(self, function: Function, card: SpecialistCard, judge: Judge | None = None) -> None:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            raise InvalidSpecialist(f"specialist {card.name!r} does not tell its parameters", hint=_FORMS) from None
        parameters = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        ]
        if not 1 <= len(parameters) <= 2:
            raise InvalidSpecialist(f"specialist {card.name!r} takes {len(parameters)} parameters", hint=_FORMS)
        if any(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters):
            raise InvalidSpecialist(f"specialist {card.name!r} has a keyword-only parameter", hint=_FORMS)
        self._function = function
        self._takes_text = len(parameters) == 1 and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
        self.card = card
        self.judge = judge
        self.__doc__ = function.__doc__

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call the function as it was."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<specialist {self.card.name!r}>"

    @property
    def is_assessed(self) -> bool:
        """Whether somebody has been named to assess its results."""
        return self.judge is not None and self.judge.assessor is not None

    async def run(self, task: StepTask, context: StepContext) -> object:
        """Call the function; a sync one in a thread of its own, so that it may block."""
        arguments = (brief(task, context),) if self._takes_text else (task, context)
        returned = self._function(*arguments) if self._is_async else await in_thread(self._function, *arguments)
        returned = await returned if inspect.isawaitable(returned) else returned
        return returned if self.judge is None else await self.judge.settled(returned, task, context)


@overload
def specialist(function: Function, /) -> FunctionSpecialist: ...
@overload
def specialist(
    *,
    name: str | None = None,
    description: str | None = None,
    capabilities: Sequence[str] = (),
    max_concurrency: int | None = None,
    output: OutputType | None = None,
    cost_usd: float | None = None,
    seconds: float | None = None,
    effects: bool = False,
    replica_of: str | None = None,
    confidence: str | None = None,
    assess: Assess | None = None,
) -> Callable[[Function], FunctionSpecialist]: ...
def specialist(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    capabilities: Sequence[str] = (),
    max_concurrency: int | None = None,
    output: OutputType | None = None,
    cost_usd: float | None = None,
    seconds: float | None = None,
    effects: bool = False,
    replica_of: str | None = None,
    confidence: str | None = None,
    assess: Assess | None = None,
) -> FunctionSpecialist | Callable[[Function], FunctionSpecialist]:
    """Make a specialist of a function.

    Args:
        function: ``f(task, context)``, or ``f(text)``, which gets the instruction with its dependencies' outputs as
            text; sync or async. It returns a `StepResult`, text, a message, or anything that becomes JSON.
        name: The function's own where absent.
        description: What planners choose by; the function's docstring where absent.
        capabilities: Terms that a step may require.
        max_concurrency: Most steps of one run at the same time.
        output: What the output must fit: a pydantic model, or a JSON Schema as a dict. Where absent, the pydantic model
            that the function's return annotation names, if it names one.
        cost_usd: What a step usually costs, in USD; 0: it asks no model that costs. Without it, a cost is known from
            earlier runs at most.
        seconds: How long a step usually takes.
        effects: Whether it has effects outside of the run, such as mail that is sent; reviewers are told.
        replica_of: Name of the specialist that it stands in for; see `SpecialistCard.replica_of`.
        confidence: Where its outputs say how sure it is, such as ``"output.confidence"``; ``"logprobs"`` for a function
            that returns a chat model's message (`from_logprobs`). Without it only `StepResult.confidence` says so.
        assess: Who judges its results: an `Assessor`, or a function of task, result and, if it likes, context. The
            lower of its own confidence and the assessed one counts.

    Raises:
        InvalidSpecialist: The function takes neither one parameter nor two, capabilities are no sequence of terms, the
            output is neither a model nor a schema, cost or time are no amounts, or there is nothing to read the
            confidence from, or nobody to assess it.
    """
    able = terms(capabilities)
    check_amounts(cost_usd=cost_usd, seconds=seconds)
    judge = judge_of(confidence, assess)

    def wrap(wrapped: Function) -> FunctionSpecialist:
        own = wrapped
        while isinstance(own, functools.partial):
            own = cast("functools.partial[object]", own).func
        called = name if name is not None else str(getattr(own, "__name__", type(own).__name__))
        return FunctionSpecialist(
            wrapped,
            SpecialistCard(
                name=called,
                description=description if description is not None else inspect.getdoc(own) or "",
                capabilities=able,
                max_concurrency=max_concurrency,
                output_schema=returned_schema(wrapped) if output is None else declared_schema(output, called),
                cost_usd=cost_usd,
                seconds=seconds,
                effects=effects,
                replica_of=replica_of,
            ),
            judge,
        )

    return wrap if function is None else wrap(function)


def terms(capabilities: Sequence[str]) -> tuple[str, ...]:
    """Check that capabilities are several terms, and not the letters of one.

    Raises:
        InvalidSpecialist: They are one text.
    """
    if isinstance(capabilities, str):
        raise InvalidSpecialist(
            f"capabilities are a list of terms, found the text {capabilities!r}", hint=f"write [{capabilities!r}]"
        )
    return tuple(capabilities)


def check_amounts(**amounts: float | None) -> None:
    """Check that amounts are numbers from 0 on.

    Raises:
        InvalidSpecialist: One is not.
    """
    for name, amount in amounts.items():
        if amount is not None and not 0 <= amount < float("inf"):
            raise InvalidSpecialist(f"a specialist's {name} is {amount!r}", hint="give 0 or more, or leave it out")
