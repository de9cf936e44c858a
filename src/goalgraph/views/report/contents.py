"""What stands in a report, put together from the parts; pure."""

from collections.abc import Iterator, Mapping, Sequence

from goalgraph.planner.decision import PEOPLES
from goalgraph.views.report.changes import revisions_of
from goalgraph.views.report.costs import costs_of
from goalgraph.views.report.facts import RunFacts
from goalgraph.views.report.pictures import File
from goalgraph.views.report.questions import questions_of
from goalgraph.views.report.steps import rows_of, run_scale
from goalgraph.views.report.timeline import timeline_of
from goalgraph.views.report.words import count, span, usd
from goalgraph.views.text import one_line

__all__ = ["contents_of"]

_LONG_GOAL = 240
"""Characters; a longer goal is folded."""
_WAITS = {"human": "somebody's answer", "revision": "another plan", "turn": "its turn"}


def contents_of(run: RunFacts, files: Sequence[File], *, has_graph: bool) -> dict[str, object]:
    """Give the values of the page's templates.

    Args:
        run: What is known of it.
        files: That its steps have written.
        has_graph: Whether the plan is drawn.
    """
    timeline = timeline_of(run.plan, run.outcomes, run.decisions, started_at=run.started_at)
    scale = run_scale(timeline, run.plan)
    questions = questions_of(run.asked)
    groups = rows_of(run, timeline, scale, (one.step for one in questions))
    rows = [row for group in groups for row in (group.rows or filter(None, (group.head,)))]
    revisions = revisions_of(run.decisions)
    approvals = [one for one in run.decisions if one.kind in PEOPLES or one.kind == "escalation"]
    costs = costs_of(run)
    is_long = len(run.goal) > _LONG_GOAL or "\n" in run.goal.strip()
    line = one_line(run.goal, _LONG_GOAL) or run.plan.name or "A run without a goal"
    waits = {one.wait for one in timeline.spans.values()}
    parts = (
        ("questions", "Waits for", len(questions)),
        ("missing", "Missing", len(run.degraded)),
        ("answer", "Answer", None),
        ("plan", "Plan", None if has_graph else 0),
        ("steps", "Steps", len(rows)),
        ("revisions", "Changes", len(revisions)),
        ("people", "People", len(approvals)),
        ("decisions", "Decisions", len(run.decisions)),
        ("costs", "Costs", None if costs else 0),
        ("sources", "Sources", len(run.sources)),
        ("signals", "Signals", len(run.signals)),
        ("files", "Files", len(files)),
    )
    return {
        "run": run,
        "heading": f"{one_line(line, 80)} - report of a run",
        "goal_line": line,
        "goal_is_long": is_long,
        "facts": tuple(_facts(run, timeline.seconds)),
        "parts": [part for part in parts if part[2] != 0],
        "questions": questions,
        "pictures": [file for file in files if file.uri],
        "plan_about": one_line(" - ".join(filter(None, (run.plan.name, run.plan.description))), 400),
        "groups": groups,
        "total": len(rows),
        "statuses": tuple(dict.fromkeys(row.status for row in rows)),
        "scale": scale,
        "began": timeline.began.isoformat() if timeline.began is not None else "",
        "revised": [scale.x(at) for at in timeline.revisions],
        "critical": timeline.critical,
        "waits": _WAITS,
        "wait_kinds": [kind for kind in _WAITS if kind in waits],
        "revisions": revisions,
        "approvals": approvals,
        "kinds": sorted({one.kind for one in run.decisions}),
        "costs": costs,
        "total_usd": _total_usd(run),
        "files": files,
    }


def _facts(run: RunFacts, seconds: float) -> Iterator[tuple[str, str, str]]:
    """Name, value, and a note on it, of what the page says first."""
    steps = [run.outcomes.get(step.id) for step in run.plan.steps]
    succeeded = sum(1 for one in steps if one is not None and one.status == "succeeded")
    yield "Steps succeeded", f"{succeeded} of {len(steps)}", _others(run)
    if seconds:
        yield "Time", span(seconds), f"{span(run.metrics.busy_seconds)} of work"
    if run.metrics.parallelism > 1:
        yield "At one time", f"{run.metrics.parallelism:.1f}", "steps on average"
    revisions = sum(1 for one in run.decisions if one.kind == "revision" and one.chosen == "revise")
    if revisions:
        yield "Plan changed", "once" if revisions == 1 else f"{revisions} times", ""
    usage = run.usage
    if usage.calls:
        yield "Model calls", count(usage.calls), ""
        yield "Tokens", count(usage.input_tokens + usage.output_tokens), f"{count(usage.output_tokens)} written"
        yield "Cost", f"{usd(_total_usd(run))} USD" if _total_usd(run) is not None else "not priced", ""


def _others(run: RunFacts) -> str:
    ends: Mapping[str, int] = {
        status: sum(1 for step in run.plan.steps if (one := run.outcomes.get(step.id)) and one.status == status)
        for status in ("failed", "blocked", "skipped", "cancelled")
    }
    return ", ".join(f"{number} {status}" for status, number in ends.items() if number)


def _total_usd(run: RunFacts) -> float | None:
    """USD of the whole run; None where models were called and nothing was priced."""
    return None if run.usage.calls and not run.usage.cost_usd else run.usage.cost_usd
