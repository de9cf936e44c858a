"""What callers may decide while a run goes on: hooks by name, what they are told, and how their rulings are read.

Steps run at the same time, and so do their hooks: those that are not async in threads of their own.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar, cast, get_args, overload

from langgraph.errors import GraphBubbleUp
from pydantic import JsonValue

from goalgraph.errors import HookFailed
from goalgraph.graph.coordination.ballots import Ballot
from goalgraph.graph.steps.attempts import Exiting
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
from goalgraph.planner.run_metrics import RunMetrics
from goalgraph.specialists.threads import in_thread

__all__ = [
    "Assignment",
    "Ballot",
    "Completion",
    "Conflict",
    "Escalation",
    "Hooks",
    "Quorum",
    "Ruling",
    "as_hooks",
    "on_all_complete",
    "on_assignment",
    "on_conflict",
    "on_escalation",
    "on_quorum",
    "on_step_complete",
]

Moment = Literal["assignment", "conflict", "escalation", "quorum", "step_complete", "all_complete"]
Hook = Callable[..., object]
F = TypeVar("F", bound=Hook)

_MARK = "__goalgraph_hook__"
_UNMARKED: Mapping[Moment, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a hook has decided, with its reason for the record; a plain value does where there is none to give."""

    chosen: object
    """As the hook would have returned it by itself."""
    why: str = ""
    """The reason, for the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A step that is about to be done; a hook may name another specialist for it."""

    run: str
    goal: str
    step: str
    instruction: str
    input: Mapping[str, JsonValue]
    """Resolved."""
    specialists: tuple[str, ...]
    """Who is to do it, then those who would take over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A step whose specialist says that results contradict each other; a hook may give the output that holds."""

    run: str
    step: str
    outcome: Outcome
    versions: Mapping[str, Outcome]
    """What it was made from, by step, in plan order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A step whose specialist wants somebody to look at it; a hook may name the specialist who does it again."""

    run: str
    step: str
    outcome: Outcome
    specialist: str
    """Who asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """Results of several specialists for the same work; a hook may give the output that holds, before all are there."""

    run: str
    step: str
    ballots: tuple[Ballot, ...]
    """In the order of the plan; of those that succeeded."""
    waiting: tuple[str, ...]
    """Those who are not done yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A run that is over but for its answer's last word; a hook may give the answer."""

    run: str
    goal: str
    plan: Plan
    outcomes: Mapping[str, Outcome]
    answer: str
    status: str
    degraded: tuple[str, ...]
    metrics: RunMetrics = field(default_factory=RunMetrics)
    """What it took."""


@dataclass(frozen=True, slots=True)
class _Registered:
    hook: Hook
    threshold: int = 1

    @property
    def name(self) -> str:
        hook = self.hook
        while isinstance(hook, partial):
            hook = cast("partial[object]", hook).func
        return str(getattr(hook, "__qualname__", type(hook).__qualname__))


@dataclass(frozen=True, slots=True)
class Hooks:
    """All hooks of an agent, by moment, in the order in which they are called; made by `as_hooks`."""

    by_moment: Mapping[Moment, tuple[_Registered, ...]] = field(default_factory=dict[Moment, tuple[_Registered, ...]])

    def has(self, moment: Moment) -> bool:
        """Whether anybody is called at a moment."""
        return moment in self.by_moment

    async def ruling(self, moment: Moment, told: object, *, number: int = 0) -> tuple[Ruling, str] | None:
        """Call the hooks of a moment in turn, up to the first one that decides something.

        Args:
            moment: Which.
            told: What they are told.
            number: Of ballots: hooks with a higher threshold are not called yet.

        Returns:
            What was decided, and the name of the hook; None where none did.

        Raises:
            HookFailed: One of them raised.
        """
        for one in self.by_moment.get(moment, ()):
            if moment == "quorum" and number < one.threshold:
                continue
            found = await _called(one, told)
            if found is not None:
                return found if isinstance(found, Ruling) else Ruling(chosen=found), one.name
        return None

    async def tell(self, moment: Moment, told: object) -> None:
        """Call all hooks of a moment, whatever they return.

        Raises:
            HookFailed: One of them raised.
        """
        for one in self.by_moment.get(moment, ()):
            await _called(one, told)


async def _called(one: _Registered, told: object) -> object:
    """Call a hook; a sync one in a thread of its own, so that it may block."""
    here = asyncio.current_task()
    cancelling = here.cancelling() if here is not None else 0
    try:
        if inspect.iscoroutinefunction(one.hook) or inspect.iscoroutinefunction(type(one.hook).__call__):
            return await cast("Callable[..., Awaitable[object]]", one.hook)(told)
        found = await in_thread(one.hook, told)
        return await found if inspect.isawaitable(found) else found
    except GraphBubbleUp:
        raise
    except (SystemExit, KeyboardInterrupt) as error:
        raise Exiting(error) from error
    except asyncio.CancelledError as error:
        if here is not None and here.cancelling() > cancelling:
            raise
        raise _failed(one, error) from error  # its own: nobody has cancelled the run
    except Exception as error:
        raise _failed(one, error) from error


def _failed(one: _Registered, error: BaseException) -> HookFailed:
    said = " ".join(str(error).split())
    raised = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return HookFailed(f"the hook {one.name} raised {raised}", hook=one.name, hint="mend it, and resume the run")


def _mark(moment: Moment, hook: F, threshold: int = 1) -> F:
    """Mark a hook in place; it may be marked for several moments."""
    given = cast("object", hook)
    if not hasattr(given, "__dict__") or not (callable(given) or isinstance(given, (staticmethod, classmethod))):
        raise TypeError(f"on_{moment}: {hook!r} cannot be marked; give as_hooks a mapping: {{'on_{moment}': it}}")
    attributes = cast("Any", hook).__dict__
    attributes[_MARK] = {**attributes.get(_MARK, {}), moment: threshold}
    return hook


def _marks(hook: object) -> Mapping[Moment, int]:
    """The moments that something is marked for, with their thresholds; a method's are its function's."""
    for one in (hook, getattr(hook, "__func__", None)):
        if isinstance(found := getattr(one, _MARK, None), dict):
            return cast("Mapping[Moment, int]", found)
    return _UNMARKED


def on_assignment(hook: F) -> F:
    """Mark ``hook``, which is told of an `Assignment`, and may return the name of another specialist."""
    return _mark("assignment", hook)


def on_conflict(hook: F) -> F:
    """Mark ``hook``, which is told of a `Conflict`, and may return the output that holds."""
    return _mark("conflict", hook)


def on_escalation(hook: F) -> F:
    """Mark ``hook``, which is told of an `Escalation`, and may return the name of who does the step again."""
    return _mark("escalation", hook)


@overload
def on_quorum(hook: F, /) -> F: ...
@overload
def on_quorum(*, threshold: int) -> Callable[[F], F]: ...
def on_quorum(hook: F | None = None, /, *, threshold: int = 1) -> F | Callable[[F], F]:
    """Mark a hook that is told of a `Quorum`, and may return the output that holds.

    Args:
        hook: The function.
        threshold: Ballots there must be before it is called; it is called again with each further one.

    Raises:
        ValueError: The threshold is not positive.
    """
    if threshold < 1:
        raise ValueError(f"on_quorum: threshold must be at least 1, found {threshold!r}")
    return _mark("quorum", hook) if hook is not None else lambda given: _mark("quorum", given, threshold)


def on_step_complete(hook: F) -> F:
    """Mark ``hook``, which is told the `Outcome` of every step, before it is recorded."""
    return _mark("step_complete", hook)


def on_all_complete(hook: F) -> F:
    """Mark ``hook``, which is told of a `Completion`, and may return the answer."""
    return _mark("all_complete", hook)


def as_hooks(given: object) -> Hooks:
    """Collect hooks.

    Args:
        given: An object whose methods are marked, a marked function, a mapping of moments (``"on_conflict"``) to
            functions, `Hooks`, or several of these. A method that overrides a marked one is a hook as that was.

    Raises:
        TypeError: It has no hooks.
    """
    found: dict[Moment, list[_Registered]] = {}
    _collect(given, found)
    return Hooks({moment: tuple(hooks) for moment, hooks in found.items()})


def _collect(given: object, found: dict[Moment, list[_Registered]]) -> None:
    if isinstance(given, Hooks):
        for moment, hooks in given.by_moment.items():
            found.setdefault(moment, []).extend(hooks)
    elif isinstance(given, Mapping):
        for key, hook in cast("Mapping[object, object]", given).items():
            moment = cast("Moment", str(key).removeprefix("on_"))
            if moment not in get_args(Moment) or not callable(hook):
                raise TypeError(f"no hook: {key!r}; there are: {', '.join(f'on_{one}' for one in get_args(Moment))}")
            found.setdefault(moment, []).append(_Registered(hook, _marks(hook).get(moment, 1)))
    elif inspect.isclass(given):
        raise TypeError(f"{given!r} has no hooks; give {given.__name__}(...), not the class")
    elif marks := _marks(given):
        _add(cast("Hook", given), marks, found)
    elif isinstance(given, (list, tuple, set, frozenset)):
        for one in cast("Iterable[object]", given):
            _collect(one, found)
    else:
        marked = {name: marks for name in _names(given) if (marks := _marks_of(given, name))}
        if not marked:
            raise TypeError(f"{given!r} has no hooks; mark methods, as with @on_conflict")
        for name, marks in marked.items():
            if callable(hook := getattr(given, name)):
                _add(hook, marks, found)


def _add(hook: Hook, marks: Mapping[Moment, int], found: dict[Moment, list[_Registered]]) -> None:
    for moment, threshold in marks.items():
        found.setdefault(moment, []).append(_Registered(hook, threshold))


def _names(given: object) -> list[str]:
    """Names of an object's attributes: in the order in which its classes define them, then its own."""
    classes = reversed(type(given).__mro__)
    return list(dict.fromkeys([*(name for kind in classes for name in vars(kind)), *getattr(given, "__dict__", {})]))


def _marks_of(given: object, name: str) -> Mapping[Moment, int]:
    """The marks of an attribute; of a method that has none, those of what it overrides."""
    own = getattr(given, "__dict__", {}).get(name)
    found = (_marks(vars(kind).get(name)) for kind in type(given).__mro__)
    return _marks(own) or next((marks for marks in found if marks), _UNMARKED)
