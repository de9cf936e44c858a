"""What agents do, for Prometheus: hooks that count steps, times, tokens, money and runs; extra ``metrics``."""

from typing import TYPE_CHECKING

from goalgraph.errors import MissingExtra
from goalgraph.graph.coordination.hooks import Completion, on_all_complete, on_step_complete
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.run_metrics import BUCKETS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["PrometheusHooks"]

_NOBODY = "none"
"""Stands for the specialist of steps that none has done: those of other kinds, and those that never began."""


class PrometheusHooks:
    """Hooks for ``create_plan_agent(hooks=...)`` that feed metrics of Prometheus; they decide nothing.

    One object serves any number of agents. Labels hold names of specialists, statuses and directions, and never what a
    plan or a step says, so that their number stays bounded (where plans may propose roles of their own, by those).

    Counted is what this process has done: steps that a resumed run finds recorded are not counted again. A step is
    counted before it is recorded, so that one that a crash undoes may be counted twice.
    """

    def __init__(self, registry: "CollectorRegistry | None" = None) -> None:
        """Make the metrics.

        Args:
            registry: Where they are registered; Prometheus' own where absent.

        Raises:
            MissingExtra: ``prometheus-client`` is not installed.
            ValueError: The registry has metrics of these names.
        """
        try:
            from prometheus_client import REGISTRY, Counter, Gauge, Histogram
        except ImportError as error:
            raise MissingExtra("PrometheusHooks", "metrics") from error
        place = registry if registry is not None else REGISTRY
        who = ("specialist",)
        self._steps = Counter("goalgraph_steps", "Steps that are over.", (*who, "status"), registry=place)
        self._seconds = Histogram(
            "goalgraph_step_seconds",
            "Time that specialists take for a step, waits between attempts included.",
            who,
            buckets=BUCKETS,
            registry=place,
        )
        self._retries = Counter("goalgraph_step_retries", "Attempts beyond the first.", who, registry=place)
        self._calls = Counter("goalgraph_model_calls", "Calls of models in steps.", who, registry=place)
        self._tokens = Counter("goalgraph_tokens", "Tokens of these calls.", (*who, "direction"), registry=place)
        self._cost = Counter("goalgraph_cost_usd", "USD of the calls that were priced.", who, registry=place)
        self._runs = Counter("goalgraph_runs", "Runs that are over.", ("status",), registry=place)
        self._waiting = Gauge(
            "goalgraph_max_waiting_steps",
            "Most steps that were ready and waited for a place, at one time in the run that ended last.",
            who,
            registry=place,
        )

    @on_step_complete
    async def count(self, outcome: Outcome) -> None:
        """Count a step that is over."""
        who = outcome.specialist or _NOBODY
        self._steps.labels(who, outcome.status).inc()
        if outcome.specialist is None:
            return
        self._seconds.labels(who).observe(outcome.seconds)
        if outcome.attempts > 1:
            self._retries.labels(who).inc(outcome.attempts - 1)
        used = outcome.usage
        if used.calls:
            self._calls.labels(who).inc(used.calls)
            self._tokens.labels(who, "input").inc(used.input_tokens)
            self._tokens.labels(who, "output").inc(used.output_tokens)
            self._cost.labels(who).inc(used.cost_usd)

    @on_all_complete
    async def end(self, told: Completion) -> None:
        """Count a run that is over."""
        self._runs.labels(told.status).inc()
        for name, found in told.metrics.specialists.items():
            self._waiting.labels(name).set(found.max_waiting)
