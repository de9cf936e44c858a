"""What of a run's outcomes can stand in an answer, in plan order."""

from collections.abc import Collection
from dataclasses import dataclass

from goalgraph.planner import dag
from goalgraph.planner.naming import reference
from goalgraph.planner.outcome import Outcome, text_of, was_decided
from goalgraph.planner.plan import ParallelStep, Plan, Step
from goalgraph.planner.signals import CONFLICT
from goalgraph.planner.wording import task_of, title_of
from goalgraph.synthesis.synthesizer import SynthesisRequest

__all__ = ["Gap", "Part", "ends", "gaps", "parts"]

_LONGEST_POINT = 200
"""Characters of an item's text that still make a point of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A usable outcome: its step succeeded, and there is text in it."""

    step: str
    task: str
    text: str
    weak: str
    """Says that, and how far, the outcome's confidence is too low; empty where it is not."""
    conflict: str
    """Says that its specialist reports results that contradict each other, and which; empty where it does not, or where
    that was decided."""
    notes: tuple[str, ...]
    """Why its specialist thinks it less than was asked for."""
    title: str
    """What the step was to do, on one line."""
    specialist: str | None

    @property
    def marks(self) -> tuple[str, ...]:
        """What stands beside it in an answer, and in the prompt for one."""
        return tuple(filter(None, (self.weak, self.conflict)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A step without a usable outcome."""

    step: str
    reason: str


def parts(request: SynthesisRequest, among: Collection[str] | None = None) -> tuple[Part, ...]:
    """Usable outcomes, in plan order; those below their step's ``min_confidence``, or the run's, are marked as weak.

    The work of specialists always counts. What humans filled in, what was computed and what a group says of itself
    counts at the plan's ends, and there only where it is not the same text once more. Decisions never do. Of several
    results that a vote, or a ruling, has settled, the one that holds stands for all.

    Args:
        request: The run.
        among: Ids of the steps to look at; None: all.
    """
    at_end = ends(request.plan)
    found: list[Part] = []
    texts: set[str] = set()
    settled = _settled(request)
    voters = frozenset(one for heads in settled.values() for one in heads)
    for step in request.plan.steps:
        is_looked_at = among is None or step.id in among or any(one in among for one in settled.get(step.id, ()))
        outcome = request.outcomes.get(step.id) if is_looked_at and step.id not in voters else None
        counts = step.id in settled or _has_content(step, at_end)
        if outcome is None or not counts or not (text := _usable(step, outcome)):
            continue
        if step.type in ("transform", "parallel") and text in texts:
            continue
        texts.add(text)
        task = task_of(step) if step.type == "agent" else title_of(step)
        found.append(
            Part(
                step=step.id,
                task=task,
                text=text,
                weak=_weakness(step, outcome, request.min_confidence),
                conflict=_conflict(step, outcome, request),
                notes=outcome.degraded,
                title=title_of(step),
                specialist=outcome.specialist,
            )
        )
    return tuple(found)


def gaps(request: SynthesisRequest) -> tuple[Gap, ...]:
    """Steps without a usable outcome, in plan order, but for those that were not wanted.

    A condition has skipped these, or what they were to decide is settled without them.

    A step that brings no content of its own is missed only where it failed.
    """
    at_end = ends(request.plan)
    found: list[Gap] = []
    voters = frozenset(one for heads in _settled(request).values() for one in heads)
    for step in request.plan.steps:
        outcome = request.outcomes.get(step.id)
        if step.id in voters or (outcome is not None and was_decided(outcome)):
            continue
        status = outcome.status if outcome is not None else None
        if _has_content(step, at_end):
            missed = status != "skipped" and (outcome is None or not _usable(step, outcome))
        else:
            missed = status == "failed"
        if missed:
            found.append(Gap(step=step.id, reason=_reason(outcome)))
    return tuple(found)


def ends(plan: Plan) -> frozenset[str]:
    """Ids of the steps whose content a flat plan leads to.

    These are the steps that nothing waits for. One that can have no content, such as an approval or the plain end of a
    group, stands for what it waits for itself.
    """
    graph = dag.graph(plan)
    by_id = {step.id: step for step in plan.steps}
    awaited = frozenset[str]().union(*graph.values())
    left, seen, found = [step_id for step_id in graph if step_id not in awaited], set[str](), set[str]()
    while left:
        step = by_id[left.pop()]
        if step.id in seen:
            continue
        seen.add(step.id)
        if _may_have_content(step):
            found.add(step.id)
        elif step.type == "parallel":
            lasts = [branch[-1] if isinstance(branch, tuple) else branch for branch in step.branches]
            left += [last for last in lasts if isinstance(last, str)]
        else:
            left += graph[step.id]
    return frozenset(found)


def _settled(request: SynthesisRequest) -> dict[str, tuple[str, ...]]:
    """Find the groups whose output is that of a vote or a ruling, with the steps that gave the results for it."""
    found: dict[str, tuple[str, ...]] = {}
    for step in request.plan.steps:
        outcome = request.outcomes.get(step.id) if step.type == "parallel" else None
        if step.type != "parallel" or outcome is None or outcome.status != "succeeded":
            continue
        if any(one.kind == "vote" and one.subject == step.id for one in outcome.decisions):
            lasts = [branch[-1] if isinstance(branch, tuple) else branch for branch in step.branches]
            found[step.id] = tuple(last for last in lasts if isinstance(last, str))
    return found


def _may_have_content(step: Step) -> bool:
    if step.type == "parallel":
        return step.is_voted or (step.output is not None and not _repeats(step))
    return step.type in ("agent", "map", "transform", "human_input", "sub_plan")


def _repeats(step: ParallelStep) -> bool:
    """Whether a group's output is that of its one branch and no more, as a sub-plan's is that of its last step."""
    lone = step.branches[0] if len(step.branches) == 1 else None
    return isinstance(lone, str) and step.output == f"{{{{ {reference(lone)}.output }}}}"


def _has_content(step: Step, at_end: Collection[str]) -> bool:
    return step.type in ("agent", "map") or step.id in at_end


def _usable(step: Step, outcome: Outcome) -> str:
    """Text of an outcome; empty where it has none, or its step did not succeed."""
    if outcome.status != "succeeded":
        return ""
    if step.type == "map" and isinstance(outcome.output, list):
        return _items_text([text_of(item).strip() for item in outcome.output])
    return text_of(outcome.output).strip()


def _items_text(items: list[str]) -> str:
    """Join the items' texts, as points where all are short, else as sections; items without text are left out."""
    told = [(number, text) for number, text in enumerate(items, 1) if text]
    if all("\n" not in text and len(text) <= _LONGEST_POINT for _, text in told):
        return "\n".join(f"- {text}" for _, text in told)
    return "\n\n".join(f"### {number}\n\n{text}" for number, text in told)


def _weakness(step: Step, outcome: Outcome, least: float | None) -> str:
    own = step.min_confidence if step.type == "agent" else None
    floor = own if own is not None else least
    if floor is None or outcome.confidence is None or outcome.confidence >= floor:
        return ""
    return f"low confidence: {outcome.confidence:g}"


def _conflict(step: Step, outcome: Outcome, request: SynthesisRequest) -> str:
    if CONFLICT not in outcome.signals or any(decision.kind == "conflict" for decision in outcome.decisions):
        return ""
    needs = dag.graph(request.plan)[step.id]
    known = [one.id for one in request.plan.steps if one.id in needs and one.id in request.outcomes]
    between = [one for one in known if request.outcomes[one].status == "succeeded"]
    if not between:
        return "reports a conflict"
    among = "in the result" if len(between) == 1 else "between the results"
    return f"reports a conflict {among} of {' and '.join(map(repr, between))}"


def _reason(outcome: Outcome | None) -> str:
    if outcome is None:
        return "did not run"
    if outcome.status == "succeeded":
        return "gave no output"
    return f"{outcome.status}: {outcome.error.message}" if outcome.error else outcome.status
