"""What a plan will do, as Markdown for whoever is to approve it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from goalgraph.errors import PlanProblem
from goalgraph.graph.humans.markdown import code, escaped
from goalgraph.planner import dag
from goalgraph.planner.approvals import agent_steps
from goalgraph.planner.approvals import doers as named_doers
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.estimate import Estimate
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.ranges import worded
from goalgraph.planner.wording import doer_of, title_of

__all__ = ["described"]

_MOST_STEPS = 40
_MOST_OF_LAYER = 12
_MOST_NAMES = 20
_MOST_PROBLEMS = 20
_MOST_TOLD = 1_000
"""Characters of a role's instructions; the plan beside it has all of them."""


def described(
    plan: Plan,
    estimate: Estimate,
    *,
    goal: str = "",
    cards: Iterable[SpecialistCard] = (),
    doers: Mapping[str, str] | None = None,
    problems: Sequence[PlanProblem] = (),
) -> str:
    """Write what a plan is to reach, in which order, by whom, what is known beforehand, and where it asks people.

    Names and tasks show as they are: no marks in them mean anything. Of large plans the first steps are shown.

    Args:
        plan: Valid, as it is written or flat.
        estimate: Of this plan.
        goal: In the words of whoever gave it.
        cards: The specialists with which the estimate was made.
        doers: Names of specialists by step id, for steps that leave open who does them.
        problems: Why the last edit could not be used.
    """
    flat = compile_plan(plan, cards)
    parts = (
        _refused(problems),
        _head(plan, estimate, goal),
        _roles(flat),
        *_layers(flat, estimate, doers),
        "\n".join(_known(estimate)),
    )
    return "\n\n".join(filter(None, parts))


def _refused(problems: Sequence[PlanProblem]) -> str:
    if not problems:
        return ""
    lines = [f"- {escaped(str(problem), 500)}" for problem in problems[:_MOST_PROBLEMS]]
    more = [f"- and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
    return "\n".join(["**The last edit could not be used:**", "", *lines, *more])


def _head(plan: Plan, estimate: Estimate, goal: str) -> str:
    told = {"Goal": goal, "Plan": plan.name, "About": plan.description}
    seen: set[str] = set()
    lines: list[str] = []
    for name, text in told.items():
        if text.strip() and text not in seen:
            lines.append(f"**{name}:** {escaped(text, 1_000)}")
        seen.add(text)
    return "  \n".join([*lines, f"**Steps:** {estimate.steps}"])


def _roles(flat: Plan) -> str:
    """Each role that the plan proposes: what it is for, its tools, and the beginning of what it is told."""
    if not flat.roles:
        return ""
    named = {name for step in flat.steps for one in agent_steps(step) for name in named_doers(one, ())}
    lines = ["**Specialists that are made for this plan:**", ""]
    for role in flat.roles:
        tools = _capped([code(name) for name in role.tools[:_MOST_NAMES]], len(role.tools)) or "none"
        about = f": {escaped(role.description, 500)}" if role.description else ""
        lines.append(f"- {code(role.name)}{about}{'' if role.name in named else ' (no step names it)'}")
        lines += [f"  - **Tools:** {tools}", f"  - **Told:** {escaped(role.instructions, _MOST_TOLD)}"]
    return "\n".join(lines)


def _layers(flat: Plan, estimate: Estimate, doers: Mapping[str, str] | None) -> Iterator[str]:
    """Each layer as a list, as far as there is room."""
    steps = {step.id: step for step in flat.steps if step.type != "parallel"}
    guards = dag.guards(flat.steps)
    layers = [found for layer in estimate.layers if (found := [steps[one] for one in layer if one in steps])]
    left = _MOST_STEPS
    for number, layer in enumerate(layers):
        if left <= 0:
            count = sum(map(len, layers[number:]))
            yield f"**Then {count} more step{'s' * (count > 1)}, one layer after the other.**"
            return
        shown = layer[: min(left, _MOST_OF_LAYER)]
        left -= len(shown)
        lines = [_line(step, guards.get(step.id, ()), doers) for step in shown]
        lines += [f"- and {len(layer) - len(shown)} more"] if len(layer) > len(shown) else []
        when = "Then" if number else "First"
        yield "\n".join([f"**{when}{', at the same time' if len(layer) > 1 else ''}:**", "", *lines])


def _line(step: Step, guards: Sequence[tuple[str, bool]], doers: Mapping[str, str] | None) -> str:
    notes = [f"only if {code(fork)} is {'true' if value else 'false'}" for fork, value in guards]
    notes += [f"only if {code(step.when)}"] if step.when is not None else []
    notes += ["optional"] if step.optional else []
    who = escaped(doer_of(step, doers), 100) if step.type not in ("condition", "transform", "wait", "sub_plan") else ""
    by = "; ".join(filter(None, (who, *notes)))
    return f"- {code(step.id)}{f' ({by})' if by else ''}: {escaped(title_of(step))}"


def _known(estimate: Estimate) -> Iterator[str]:
    """What is known beforehand, a line for each thing."""
    if len(estimate.critical_path) > 1:
        yield f"- **Longest way:** {_names(estimate.critical_path)}"
    if estimate.specialists:
        counts = [f"{escaped(name, 100)} ({count})" for name, count in estimate.specialists.items()]
        yield f"- **Steps by specialist:** {_capped(counts)}"
    if estimate.open_maps:
        yield f"- **Number of items known only when their turn comes:** {_names(estimate.open_maps)}"
    if estimate.effects:
        yield f"- **Effects outside of the run:** {_names(estimate.effects)}"
    asked = {"Approvals": estimate.approvals, "Questions": estimate.inputs, "Events": estimate.events}
    for name, ids in asked.items():
        if ids:
            yield f"- **{name} ahead:** {len(ids)}: {_names(ids)}"
    if not any(asked.values()):
        yield "- **Approvals, questions and events ahead:** none in the plan"
    if estimate.waits:
        yield f"- **Waits of unknown length:** {_names(estimate.waits)}"
    known = {"Cost": estimate.cost_usd, "Tokens": estimate.tokens, "Time": estimate.seconds}
    units = {"Cost": "USD", "Tokens": "tokens", "Time": "seconds"}
    waits = any(asked.values()) or estimate.waits
    for name, found in known.items():
        if found is not None:
            without = ", without what is waited for" if name == "Time" and waits else ""
            yield f"- **{name}:** {worded(found, units[name])}{without}"
    unknown = [name for name, found in known.items() if found is None]
    if unknown:
        yield f"- **Not known beforehand:** {', '.join(unknown).lower()}"
    for names, what in estimate.missing.items():
        yield f"- **Nobody knows the {', '.join(what)} of:** {_capped([escaped(name, 100) for name in names])}"


def _names(ids: Sequence[str]) -> str:
    return _capped([code(one) for one in ids[:_MOST_NAMES]], len(ids))


def _capped(texts: Sequence[str], count: int | None = None) -> str:
    more = (count if count is not None else len(texts)) - _MOST_NAMES
    return ", ".join(texts[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
