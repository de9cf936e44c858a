"""Put drafted steps in order, and say what their conditions mean for the others."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from goalgraph.planner import dag
from goalgraph.planner.naming import free_id
from goalgraph.planner.plan import ParallelStep, Step
from goalgraph.planner.templates import ExpressionError

__all__ = ["arranged", "guarded"]


def arranged(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return drafted steps in a plan's order, each after what it needs; where there is a cycle, as they were drafted.

    A step that a condition names waits for it. Where a step depends on both branches of a condition, a group of its
    dependencies there takes their place: it is over when the branches are, and succeeds with the one that was taken.
    """
    if not any(step.type == "condition" for step in steps):
        return tuple(_ordered(steps))
    return tuple(_with_ends(_ordered(guarded(steps, steps))))


def guarded(steps: Iterable[Step], among: Iterable[Step]) -> list[Step]:
    """Let steps depend on the conditions that name them.

    Args:
        steps: Of a draft, all or some.
        among: Where its conditions are.
    """
    guards = dag.guards(among)
    found: list[Step] = []
    for step in steps:
        own = [name for name, _ in guards.get(step.id, ()) if name != step.id]
        needs = tuple(dict.fromkeys((*step.depends_on, *own)))
        found.append(step if needs == step.depends_on else step.model_copy(update={"depends_on": needs}))
    return found


def _ordered(steps: Sequence[Step]) -> list[Step]:
    """Depth first, so that what is drafted in a list of its own stands right before the first step that needs it."""
    place = {step.id: at for at, step in reversed(list(enumerate(steps)))}
    needs = [sorted({place[need] for need in _needs(step) if need in place} - {at}) for at, step in enumerate(steps)]
    begun: set[int] = set()
    done: dict[int, Step] = {}
    for start in range(len(steps)):
        path = [(start, iter(needs[start]))] if start not in begun else []
        begun.add(start)
        while path:
            at, left = path[-1]
            inner = next((need for need in left if need not in done), None)
            if inner in begun:
                return list(steps)
            if inner is None:
                done[at] = steps[at]
                path.pop()
            else:
                begun.add(inner)
                path.append((inner, iter(needs[inner])))
    return list(done.values())


def _with_ends(steps: Sequence[Step]) -> list[Step]:
    """Group the dependencies that cannot all run.

    What must hold for a step to run is kept as a number with two bits for every condition, as in `checks.exclusion`.
    """
    conditions = [step for step in steps if step.type == "condition"]
    number = {fork.id: at for at, fork in enumerate(conditions)}
    true_bits = sum(1 << 2 * at for at in range(len(conditions)))
    guards = {
        name: [(fork, (1 if value else 2) << 2 * number[fork]) for fork, value in among if fork != name]
        for name, among in dag.guards(conditions).items()
    }
    taken = {step.id for step in steps}
    facts: dict[str, int] = {}
    groups: dict[tuple[str, ...], str] = {}
    found: list[Step] = []
    for step in steps:
        together = _union(facts.get(need, 0) for need in step.depends_on)
        clash = together & (together >> 1) & true_bits
        parts = tuple(need for need in step.depends_on if facts.get(need, 0) & (clash | clash << 1))
        if clash and len(parts) > 1 and not any(_both(facts[need], true_bits) for need in parts):
            if parts not in groups:
                fork = conditions[((clash & -clash).bit_length() - 1) // 2].id
                groups[parts] = free_id(f"{fork}_end", taken)
                taken.add(groups[parts])
                found.append(ParallelStep(id=groups[parts], branches=parts))
                facts[groups[parts]] = _common(facts[need] for need in parts)
            rest = (need for need in step.depends_on if need not in parts)
            step = step.model_copy(update={"depends_on": (groups[parts], *rest)})
        own = _union(facts.get(fork, 0) | bit for fork, bit in guards.get(step.id, ()))
        facts.setdefault(step.id, own | _union(facts.get(need, 0) for need in _needs(step)))
        found.append(step)
    return found


def _needs(step: Step) -> Collection[str]:
    with suppress(ExpressionError):  # told by validation
        return dag.needs(step)
    return step.depends_on


def _both(fact: int, true_bits: int) -> int:
    return fact & (fact >> 1) & true_bits


def _union(facts: Iterable[int]) -> int:
    found = 0
    for fact in facts:
        found |= fact
    return found


def _common(facts: Iterable[int]) -> int:
    first, *rest = facts
    for fact in rest:
        first &= fact
    return first
