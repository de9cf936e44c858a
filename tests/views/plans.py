"""Plans and runs that several tests of views draw."""

from collections.abc import Mapping, Sequence

from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.outcome import Outcome, Status, StepError
from goalgraph.planner.plan import AgentStep, Plan

HOSTILE = (
    '"]; click n0 "javascript:alert(1)"',
    '%%{init: {"securityLevel": "loose"}}%%',
    "<script>alert(1)</script>",
    "</text></svg><img src=x onerror=alert(1)>",
    "]]> <![CDATA[ --> &amp; &#60;",
    "\x1b[31mred\x07 \u202eesrever \u200b\ufeff \ud800 \ufffe",
    'a\n%% b\nclick n1 href "javascript:alert(2)"',
    "#quot;#60;img#62; `**bold**` $$x$$ [a](b)",
)
"""Texts that would do something where they are not taken as text."""


def hostile_plan() -> Plan:
    """Make a plan whose tasks and specialists are such texts; built past validation, as none of them can be an id."""
    steps = [
        AgentStep.model_construct(id=f"s{number}", agent=text, task=text, depends_on=("s0",) if number else ())
        for number, text in enumerate(HOSTILE)
    ]
    return Plan.model_construct(name=HOSTILE[2], steps=tuple(steps))


def fan_plan(width: int) -> Plan:
    """Make a plan of a beginning, so many steps of three specialists, a merger, and a check."""
    names = ("reader", "searcher", "coder")
    middle = [AgentStep(id=f"work_{n}", agent=names[n % 3], depends_on=("goal",)) for n in range(width)]
    ids = tuple(step.id for step in middle)
    return Plan(
        name="Fan",
        steps=(
            AgentStep(id="goal", agent="planner"),
            *middle,
            AgentStep(id="merge", agent="writer", depends_on=ids),
            AgentStep(id="check", agent="judge", depends_on=("merge",)),
        ),
    )


def mostly(count: int) -> list[Status]:
    """Return so many statuses of success, then one of failure."""
    return ["failed" if number == count else "succeeded" for number in range(count + 1)]


def ran(plan: Plan, statuses: Sequence[Status], texts: Sequence[str] = ("no such host",)) -> Mapping[str, Outcome]:
    """Make outcomes of a plan's steps, with these statuses in turn; as many steps as there are statuses, or all."""
    return {
        step.id: Outcome(
            step=step.id,
            status=statuses[number % len(statuses)],
            seconds=1.25,
            output=texts[number % len(texts)],
            error=StepError(code="raised", message=texts[number % len(texts)])
            if statuses[number % len(statuses)] == "failed"
            else None,
        )
        for number, step in enumerate(compile_plan(plan).steps)
    }
