"""What there is to say of an outcome or an estimate, as names and values that every view writes in its own way."""

import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from goalgraph.planner.estimate import Estimate
from goalgraph.planner.outcome import Outcome, Usage, text_of
from goalgraph.planner.ranges import Range, worded
from goalgraph.views.marks import mark_of, seconds_text
from goalgraph.views.text import one_line, visible

__all__ = ["Facts", "estimate_facts", "outcome_facts", "output_text", "usage_text"]

Facts: TypeAlias = list[tuple[str, str]]
"""Names and values, on one line and safe to show, but not escaped for any format."""

_MOST_NAMES = 10
_MOST_OUTPUT = 4_000


def outcome_facts(outcome: Outcome) -> Facts:
    """Say how a step ended, by whom, how surely, and what it took; what is not known is left out."""
    mark = mark_of(outcome)
    sure = f"{outcome.confidence:.2f}" if outcome.confidence is not None else ""
    why = f" ({outcome.confidence_reason})" if sure and outcome.confidence_reason else ""
    error = outcome.error
    return _said(
        ("status", f"{mark.sign} {mark.word}"),
        ("specialist", outcome.specialist or ""),
        ("error", f"{error.code}: {error.message}" + (f" ({error.type})" if error.type else "") if error else ""),
        ("confidence", f"{sure}{why}"),
        ("time", seconds_text(outcome.seconds) if outcome.started_at is not None or outcome.seconds else ""),
        ("attempts", str(outcome.attempts) if outcome.attempts else ""),
        ("usage", usage_text(outcome.usage)),
        ("weak because", "; ".join(outcome.degraded)),
        ("signals", ", ".join(outcome.signals)),
        ("shared", _listed([write.key for write in outcome.shared])),
        ("files", _listed([file.path for file in outcome.artifacts])),
        ("decisions", str(len(outcome.decisions)) if outcome.decisions else ""),
    )


def output_text(outcome: Outcome) -> str:
    """Give an output as text of several lines, cut where it is long; empty where there is none."""
    output = outcome.output
    plain = text_of(output)
    if isinstance(output, (dict, list)) and plain[:1] in ("{", "["):
        plain = json.dumps(output, ensure_ascii=False, indent=2)
    cut = f"{plain[:_MOST_OUTPUT]}\n... ({len(plain):,} characters in all)" if len(plain) > _MOST_OUTPUT else plain
    return visible(cut)


def estimate_facts(estimate: Estimate) -> Facts:
    """Say what is known of a run beforehand; what is not known is said too."""
    count = len(estimate.layers)
    missing = [f"{', '.join(what)} of {_listed(names)}" for names, what in estimate.missing.items()]
    return _said(
        ("steps", f"{estimate.steps} in {count} layer{'' if count == 1 else 's'}"),
        ("tokens", _range(estimate.tokens, "tokens")),
        ("cost", _range(estimate.cost_usd, "USD")),
        ("time", _range(estimate.seconds, "seconds")),
        ("longest way", _listed(estimate.critical_path, " > ")),
        ("specialists", _listed([f"{name} ({times})" for name, times in estimate.specialists.items()])),
        ("asks for approval", _listed(estimate.approvals)),
        ("asks for input", _listed(estimate.inputs)),
        ("waits for events", _listed(estimate.events)),
        ("waits for a time", _listed(estimate.waits)),
        ("effects outside", _listed(estimate.effects)),
        ("lists of open length", _listed(estimate.open_maps)),
        ("not known", "; ".join(missing)),
    )


def usage_text(usage: Usage) -> str:
    """Say what models were asked for; empty where none was."""
    if usage == Usage():
        return ""
    calls = f"{usage.calls:,} call{'' if usage.calls == 1 else 's'}"
    tokens = f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
    cost = f", {worded(Range(low=usage.cost_usd, high=usage.cost_usd), 'USD')}" if usage.cost_usd else ""
    return f"{tokens}, {calls}{cost}"


def _range(found: Range | None, unit: str) -> str:
    return worded(found, unit) if found is not None else "not known"


def _listed(names: Sequence[str], between: str = ", ") -> str:
    more = len(names) - _MOST_NAMES
    return between.join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _said(*facts: tuple[str, str]) -> Facts:
    return _shown((name, value) for name, value in facts if value)


def _shown(facts: Iterable[tuple[str, str]]) -> Facts:
    return [(name, visible(one_line(value, 500))) for name, value in facts]
