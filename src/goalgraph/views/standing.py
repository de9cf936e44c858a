"""How a run stands, read from its values: what every view of a result shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan
from goalgraph.planner.run_metrics import RunMetrics
from goalgraph.views.facts import Facts, usage_text
from goalgraph.views.marks import MARKS, Mark, counted, mark_of, seconds_text
from goalgraph.views.text import one_line, printable, visible

__all__ = ["WAITS", "Asked", "Row", "Standing", "asked_of", "standing_of", "way_on"]

_MOST_REASONS = 20
_MOST_ROWS = 100
_HEADS = {
    "complete": (MARKS["succeeded"], "Run complete"),
    "degraded": (Mark(sign="!", word="degraded", tone="weak", style="bold yellow"), "Run degraded"),
    "failed": (MARKS["failed"], "Run failed"),
    "halted": (MARKS["cancelled"], "Run halted"),
}
WAITS = Mark(sign="?", word="waits", tone="gate", style="bold magenta")
_KINDS = {
    "plan": "review of the plan",
    "approval": "approval",
    "gate": "approval before it runs",
    "input": "question",
    "event": "event",
}
_VALUES = {"plan": "True", "approval": "True", "gate": "True"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Something that a run waits for."""

    about: str
    """The step, what kind of question it is, for whom and until when; on one line."""
    prompt: str
    """The question; several lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One step in the table of outcomes; all on one line."""

    step: str
    mark: Mark
    who: str
    time: str
    attempts: str
    usage: str
    confidence: str
    remark: str
    """Why it failed, or is weak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run as its values tell it. All texts are safe to show, but not escaped for any format."""

    mark: Mark
    head: str
    goal: str
    reasons: tuple[str, ...]
    """What is missing or weak."""
    answer: str
    """Markdown; several lines."""
    asked: tuple[Asked, ...]
    way_on: tuple[str, ...]
    """Lines of Python that answer what is asked; empty where nothing is."""
    plan: Plan | None
    outcomes: Mapping[str, Outcome]
    rows: tuple[Row, ...]
    """In plan order; where there are many, those that did not succeed first."""
    hidden: str
    """Says how many rows are left out; empty where none is."""
    totals: Facts


def standing_of(values: Mapping[str, Any]) -> Standing:
    """Read how a run stands.

    Args:
        values: Of the run's state, or a result; what is missing or of another type is left out.
    """
    plan = values.get("plan")
    plan = plan if isinstance(plan, Plan) else None
    outcomes = _outcomes(values.get("outcomes"))
    asked = tuple(asked_of(one) for one in _listed(values.get("__interrupt__")))
    mark, head = _HEADS.get(str(values.get("status")), (MARKS["open"], "Run that is not over"))
    if asked:
        mark, head = WAITS, f"Run waits for {len(asked)} answer{'' if len(asked) == 1 else 's'}"
    rows, hidden = _rows(plan, outcomes)
    return Standing(
        mark=mark,
        head=head,
        goal=visible(one_line(_text(values.get("goal")), 300)),
        reasons=_reasons([visible(one_line(str(one), 400)) for one in _listed(values.get("degraded"))]),
        answer=printable(_text(values.get("answer"))).strip(),
        asked=asked,
        way_on=way_on(values.get("__interrupt__")) if asked else (),
        plan=plan,
        outcomes=outcomes,
        rows=rows,
        hidden=hidden,
        totals=_totals(values, outcomes),
    )


def _outcomes(found: object) -> dict[str, Outcome]:
    if not isinstance(found, Mapping):
        return {}
    named = cast("Mapping[object, object]", found)
    return {str(name): one for name, one in named.items() if isinstance(one, Outcome)}


def _listed(found: object) -> Sequence[object]:
    return cast("Sequence[object]", found) if isinstance(found, (list, tuple)) else ()


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _reasons(found: Sequence[str]) -> tuple[str, ...]:
    more = len(found) - _MOST_REASONS
    return (*found[:_MOST_REASONS], *([f"and {more} more"] if more > 0 else []))


def _request(interrupt: object) -> Mapping[str, object]:
    value = getattr(interrupt, "value", interrupt)
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {"prompt": str(value)}


def asked_of(interrupt: object) -> Asked:
    """Read what is asked; of a question in another form as much as can be told."""
    request = _request(interrupt)
    kind, step = _text(request.get("kind")), _text(request.get("step"))
    told = [_KINDS.get(kind, "question of a specialist")]
    told += [f"for {request['assignee']}"] if request.get("assignee") else []
    told += [f"until {request['deadline']}"] if request.get("deadline") else []
    about = f"{step or 'plan'} ({', '.join(told)})" if step or kind == "plan" else ", ".join(told)
    prompt = _text(request.get("prompt")) or _first_description(request) or str(dict(request))
    return Asked(about=visible(one_line(about)), prompt=visible(prompt[:2_000]))


def _first_description(request: Mapping[str, object]) -> str:
    """What a question in the form of LangChain's screens says of its first call."""
    for one in _listed(request.get("action_requests")):
        if isinstance(one, Mapping):
            return _text(cast("Mapping[str, object]", one).get("description"))
    return ""


def way_on(interrupts: object) -> tuple[str, ...]:
    """Return lines of Python that answer what is asked."""
    kinds = {_text(_request(one).get("kind")) for one in _listed(interrupts)}
    value = "True" if kinds <= _VALUES.keys() else "..."
    return (
        "for request in goalgraph.pending(agent, config):",
        "    print(request.id, request.prompt)",
        f"result = goalgraph.answer(agent, config, {{request.id: {value}}})"
        + ("  # or False, or a decision with a reason" if value == "True" else ""),
    )


def _rows(plan: Plan | None, outcomes: Mapping[str, Outcome]) -> tuple[tuple[Row, ...], str]:
    place = {step.id: number for number, step in enumerate(plan.steps)} if plan is not None else {}
    ordered = sorted(outcomes, key=lambda step_id: place.get(step_id.partition("[")[0], len(place)))
    kept = set(sorted(ordered, key=lambda one: outcomes[one].status == "succeeded")[:_MOST_ROWS])
    rest = [outcomes[one] for one in ordered if one not in kept]
    hidden = f"and {len(rest)} more: {_counts(rest)}" if rest else ""
    return tuple(_row(outcomes[one], one) for one in ordered if one in kept), hidden


def _row(outcome: Outcome, step_id: str) -> Row:
    remark = outcome.error.message if outcome.error is not None else "; ".join(outcome.degraded)
    used = outcome.usage
    tokens = f"{used.input_tokens + used.output_tokens:,}" if used.calls else ""
    return Row(
        step=visible(one_line(step_id)),
        mark=mark_of(outcome),
        who=visible(one_line(outcome.specialist or "", 60)),
        time=seconds_text(outcome.seconds) if outcome.status not in ("skipped", "blocked") else "",
        attempts=str(outcome.attempts) if outcome.attempts > 1 else "",
        usage=tokens,
        confidence=f"{outcome.confidence:.2f}" if outcome.confidence is not None else "",
        remark=visible(one_line(remark, 240)),
    )


def _counts(outcomes: Iterable[Outcome]) -> str:
    return ", ".join(f"{count} {mark.word}" for count, mark in counted(outcomes))


def _totals(values: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> Facts:
    facts = [("steps", _counts(outcomes.values()))] if outcomes else []
    if isinstance(metrics := values.get("metrics"), RunMetrics) and metrics.wall_seconds:
        many = f", {metrics.parallelism:.1f} steps at a time" if metrics.parallelism > 1 else ""
        facts.append(("time", f"{seconds_text(metrics.wall_seconds)}{many}"))
    if isinstance(usage := values.get("usage"), Usage) and (used := usage_text(usage)):
        facts.append(("usage", used))
    return facts
