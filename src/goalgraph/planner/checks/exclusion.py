"""Steps that can never run, because they need both branches of a condition."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from goalgraph.planner import dag
from goalgraph.planner.plan import Step

__all__ = ["Conflict", "conflicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A step, and what cannot both have run before it."""

    step: str
    condition: str
    if_true: str | None
    """The step that runs only where the condition is true; None: the condition names the step itself."""
    if_false: str | None


def conflicts(steps: Sequence[Step], graph: Mapping[str, frozenset[str]], order: Sequence[str]) -> Iterator[Conflict]:
    """Find the steps that can never run; not those that cannot because they need such a step.

    What must hold for a step to run is kept as a number with two bits for every condition: it was true, it was false.
    The union of such sets is ``|``, what they have in common ``&``; plans with thousands of conditions stay small.

    Args:
        steps: Of a flat plan without cycles.
        graph: Each id with all it waits for.
        order: Ids, every step after those it waits for.
    """
    by_id = {step.id: step for step in steps}
    conditions = [step for step in steps if step.type == "condition"]
    true_bits = sum(1 << 2 * number for number in range(len(conditions)))
    number_of = {fork.id: number for number, fork in enumerate(conditions)}
    guards = {
        name: [(fork, (1 if value else 2) << 2 * number_of[fork]) for fork, value in found]
        for name, found in dag.guards(conditions).items()
    }
    facts: dict[str, int] = {}
    for step_id in order:
        step = by_id[step_id]
        own = [(guard, bit) for guard, bit in guards.get(step_id, ()) if guard != step_id]
        sources: list[tuple[str | None, int]] = [(None, facts[guard] | bit) for guard, bit in own]
        needs = sorted(graph[step_id] - {guard for guard, _ in own})
        if step.type == "parallel" or step.join == "any_success":
            if needs:
                sources.append((None, _common(facts[need] for need in needs)))
        elif step.join == "all_success":
            sources += [(need, facts[need]) for need in needs if not by_id[need].optional]
        together = 0
        for _, fact in sources:
            together |= fact
        wrong = together & (together >> 1) & true_bits
        if wrong and not any(fact & (fact >> 1) & true_bits for _, fact in sources):
            bit = wrong & -wrong
            yield Conflict(
                step=step_id,
                condition=conditions[(bit.bit_length() - 1) // 2].id,
                if_true=next(name for name, fact in sources if fact & bit),
                if_false=next(name for name, fact in sources if fact & (bit << 1)),
            )
        facts[step_id] = together


def _common(facts: Iterable[int]) -> int:
    """What all of them have; there is at least one."""
    first, *rest = facts
    for fact in rest:
        first &= fact
    return first
