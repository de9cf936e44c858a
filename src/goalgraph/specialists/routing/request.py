"""What a router is told of a step and of those who could do it, and what it says."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.plan import AgentStep, Plan

__all__ = ["Candidate", "Choice", "Health", "Mode", "PlanRouter", "Router", "RoutingRequest"]

Health = Literal["closed", "half_open", "open"]
"""``closed``: fit for work. ``open``: it has failed too often, and is left alone. ``half_open``: it is tried again."""
Mode = Literal["usual", "economy"]
"""``economy``: what may be spent is spent, so that the cheapest does the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Somebody who could do a step; figures are those of the run, as far as its records tell."""

    card: SpecialistCard
    running: int = 0
    """Steps of the run that it is at."""
    queued: int = 0
    """Steps of the run that were given to it, and wait for a place."""
    mean_seconds: float | None = None
    """Of its steps that succeeded; None: there is none yet."""
    health: Health = "closed"
    errors: float = 0.0
    """From 0 to 1: the share of its steps that failed or that another one had to take over."""
    spent_usd: float = 0.0
    """What its steps have cost."""
    mean_usd: float | None = None
    """What a step of it has cost; None: there is none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRequest:
    """A step whose dependencies are done, and those who could do it."""

    step: AgentStep
    """As the flat plan has it."""
    candidates: tuple[Candidate, ...]
    """In the order of registration, whom the step names first; at least one. Those that are ``open`` are not here."""
    goal: str = ""
    """Of the run."""
    spent_usd: float = 0.0
    """By all runs of the thread."""
    mode: Mode = "usual"
    """``economy`` once the ceiling of USD is reached."""
    escalations: tuple[str, ...] = ()
    """Ids of the steps whose specialists want somebody to look at them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Who does a step, and why."""

    name: str
    why: str = ""


@runtime_checkable
class Router(Protocol):
    """Somebody who says who does a step."""

    def choose(self, request: RoutingRequest) -> Choice | str:
        """Name one of the candidates, at once: all steps wait meanwhile.

        One that raises, or names nobody of them, is put on record, and the best match does the step. It may be asked
        again about a step that is done anew after a crash.
        """
        ...


@runtime_checkable
class PlanRouter(Protocol):
    """Somebody who says once, for a whole plan, who does which step."""

    def assign(self, plan: Plan, cards: Sequence[SpecialistCard], goal: str) -> Awaitable[Mapping[str, str]]:
        """Name specialists, by id of step; what an item of a map repeats has an id such as ``each[*]``.

        What is said is stored with the run, so that nobody is asked again when it goes on; steps that a revision adds
        are asked about as they come. Names of those who may not do the step are put on record and ignored.
        """
        ...
