"""What callers may decide while a run goes on: hooks by name, what they are told, and how their rulings are read."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast, get_args, overload

from langgraph.errors import GraphBubbleUp
from pydantic import JsonValue

from goalgraph.errors import HookFailed
from goalgraph.graph.coordination.ballots import Ballot
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a hook has decided, with its reason for the record; a plain value does where there is none to give."""

    chosen: object
    why: str = ""


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


@dataclass(frozen=True, slots=True)
class _Registered:
    hook: Hook
    threshold: int = 1

    @property
    def name(self) -> str:
        return str(getattr(self.hook, "__qualname__", type(self.hook).__qualname__))


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
    try:
        if inspect.iscoroutinefunction(one.hook) or inspect.iscoroutinefunction(type(one.hook).__call__):
            return await cast("Callable[..., Awaitable[object]]", one.hook)(told)
        found = await in_thread(one.hook, told)
        return await found if inspect.isawaitable(found) else found
    except GraphBubbleUp:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise HookFailed(f"the hook {one.name} raised {type(error).__name__}: {said}", hook=one.name) from error


def _mark(moment: Moment, hook: F, threshold: int = 1) -> F:
    cast("Any", hook).__dict__[_MARK] = (moment, threshold)
    return hook


def on_assignment(hook: F) -> F:
    """Mark a hook that is told of an `Assignment`, and may return the name of another specialist."""
    return _mark("assignment", hook)


def on_conflict(hook: F) -> F:
    """Mark a hook that is told of a `Conflict`, and may return the output that holds."""
    return _mark("conflict", hook)


def on_escalation(hook: F) -> F:
    """Mark a hook that is told of an `Escalation`, and may return the name of who does the step again."""
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
    """Mark a hook that is told the `Outcome` of every step, before it is recorded."""
    return _mark("step_complete", hook)


def on_all_complete(hook: F) -> F:
    """Mark a hook that is told of a `Completion`, and may return the answer."""
    return _mark("all_complete", hook)


def as_hooks(given: object) -> Hooks:
    """Collect hooks.

    Args:
        given: An object whose methods are marked, a marked function, a mapping of moments (``"on_conflict"``) to
            functions, `Hooks`, or several of these.

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
            threshold = getattr(hook, _MARK, ("", 1))[1]
            found.setdefault(moment, []).append(_Registered(hook, threshold))
    elif (mark := getattr(given, _MARK, None)) is not None:
        found.setdefault(mark[0], []).append(_Registered(cast("Hook", given), mark[1]))
    elif isinstance(given, (list, tuple, set, frozenset)):
        for one in cast("Iterable[object]", given):
            _collect(one, found)
    else:
        marked = [
            one
            for name in _names(given)
            if (one := inspect.getattr_static(given, name, None)) is not None
            and getattr(getattr(one, "__func__", one), _MARK, None) is not None
        ]
        if inspect.isclass(given) or not marked:
            hint = (
                f"give {given.__name__}(...), not the class"
                if inspect.isclass(given)
                else "mark methods, as with @on_conflict"
            )
            raise TypeError(f"{given!r} has no hooks; {hint}")
        for one in marked:
            function = getattr(one, "__func__", one)
            moment, threshold = getattr(function, _MARK)
            found.setdefault(moment, []).append(_Registered(getattr(given, function.__name__), threshold))


def _names(given: object) -> list[str]:
    """Names of an object's attributes, in the order in which its classes define them."""
    classes = reversed(type(given).__mro__)
    return list(dict.fromkeys(name for kind in classes for name in vars(kind)))
