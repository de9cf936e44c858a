"""What is known of a run, read once from the values of its state."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from goalgraph.errors import InvalidData
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan
from goalgraph.planner.run_metrics import RunMetrics, metrics_of
from goalgraph.planner.signalled import Signal, signals_of
from goalgraph.planner.source import Source
from goalgraph.views.text import printable

__all__ = ["RunFacts", "read_facts"]


class RunFacts(BaseModel):
    """A run as its state has it, over or not; what the state has beyond this is of no interest here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: str = ""
    answer: str = ""
    status: str = ""
    """Empty where nobody has said it: the run is not over."""
    degraded: tuple[str, ...] = ()
    plan: Plan = Plan()
    """As it runs: flat."""
    outcomes: dict[str, Outcome] = {}
    """In plan order, then those of items of maps and of steps that are in the plan no more."""
    decisions: tuple[Decision, ...] = ()
    """All there are, in order of time, each once."""
    signals: tuple[Signal, ...] = ()
    sources: tuple[Source, ...] = ()
    usage: Usage = Usage()
    metrics: RunMetrics = RunMetrics()
    started_at: str | None = None
    asked: tuple[dict[str, Any], ...] = ()
    """Payloads of the interrupts in which the run waits."""


def read_facts(values: Mapping[str, Any]) -> RunFacts:
    """Read the values of a run's state: a result, ``get_state(config).values``, or the same as plain data.

    Args:
        values: Channels by name, those that are missing or None left open; ``__interrupt__`` where the run waits.

    Raises:
        InvalidData: A value is none that a run writes.
    """
    given = {name: value for name, value in values.items() if value is not None}
    given |= {name: printable(one) for name, one in given.items() if isinstance(one, str)}
    given["asked"] = [_payload(one) for one in given.pop("__interrupt__", ())]
    try:
        read = RunFacts.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidData(
            f"the value {where!r} of the run's state cannot be shown: {first['msg']}",
            hint="give a result, or agent.get_state(config).values",
        ) from error
    plan = compile_plan(read.plan)
    order = dict.fromkeys(step.id for step in plan.steps)
    outcomes = {step: read.outcomes[step] for step in (*order, *read.outcomes) if step in read.outcomes}
    made = [*read.decisions, *(one for outcome in outcomes.values() for one in outcome.decisions)]
    known = {one.model_dump_json(): one for one in made}
    is_over = values.get("metrics") is not None
    return read.model_copy(
        update={
            "plan": plan,
            "outcomes": outcomes,
            "decisions": tuple(sorted(known.values(), key=lambda one: one.at)),
            "signals": read.signals if is_over else signals_of(outcomes.values()),
            "metrics": read.metrics if is_over else metrics_of(outcomes.values(), started_at=read.started_at),
            "usage": read.usage if is_over else sum((one.usage for one in outcomes.values()), read.usage),
        }
    )


def _payload(interrupt: object) -> dict[str, Any]:
    """Give what an interrupt carries, whatever a specialist has put into it."""
    value: object = getattr(interrupt, "value", interrupt)
    if isinstance(value, Mapping):
        return {str(key): one for key, one in cast("Mapping[object, object]", value).items()}
    return {"prompt": str(value)}
