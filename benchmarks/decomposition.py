"""Measures the offline planner against plans that people and models wrote, next to two baselines.

    python benchmarks/decomposition.py plans.jsonl

Each line of the file is a JSON object with ``id``, ``source``, ``goal``, ``tools`` (``name``, ``description``)
and ``steps`` (``id``, ``instruction``, ``depends_on``). Predicted steps are matched to gold steps one to one,
so that the sum of their token F1 over stemmed words is the largest; pairs below ``--threshold`` do not count.
Edges count where both ends are matched. The halves are drawn by the SHA-256 of the id: half ``dev`` was worked
on, half ``test`` was not, though some of its goals were seen before the rules were written, so that it is not a
clean hold-out.
"""

import argparse
import asyncio
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from goalgraph.errors import InvalidGoal
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.offline import OfflineDecomposer
from goalgraph.planner.offline.vocabulary import stems

_GENERIC = SpecialistCard(name="assistant", description="Does anything it is asked to")


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class GoldTool(_Read):
    """What the gold plan may use."""

    name: str
    description: str = ""


class GoldStep(_Read):
    """A step of the gold plan."""

    id: str
    instruction: str
    depends_on: tuple[str, ...] = ()


class GoldPlan(_Read):
    """One line of the file."""

    id: str
    source: str
    goal: str
    tools: tuple[GoldTool, ...] = ()
    steps: tuple[GoldStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A plan reduced to what is measured."""

    texts: tuple[str, ...]
    edges: frozenset[tuple[int, int]]
    """Pairs of positions: what is needed, and what needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Sums over plans, from which every figure follows."""

    plans: int = 0
    refused: int = 0
    """Goals that fit none of the tools' descriptions; they count as plans without steps."""
    same_size: int = 0
    size_error: int = 0
    steps: tuple[int, int, int] = (0, 0, 0)
    """Matched, predicted, gold; the same for the two below."""
    edges: tuple[int, int, int] = (0, 0, 0)
    closure: tuple[int, int, int] = (0, 0, 0)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            plans=self.plans + other.plans,
            refused=self.refused + other.refused,
            same_size=self.same_size + other.same_size,
            size_error=self.size_error + other.size_error,
            steps=_sum(self.steps, other.steps),
            edges=_sum(self.edges, other.edges),
            closure=_sum(self.closure, other.closure),
        )


def _sum(left: tuple[int, int, int], right: tuple[int, int, int]) -> tuple[int, int, int]:
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


def offline(gold: GoldPlan) -> Shape:
    """Plan with the offline planner; a goal that it refuses is an empty plan."""
    cards = tuple(SpecialistCard(name=tool.name, description=tool.description) for tool in gold.tools) or (_GENERIC,)
    try:
        plan = asyncio.run(OfflineDecomposer().decompose(PlanRequest(goal=gold.goal, cards=cards)))
    except InvalidGoal:
        return Shape(texts=(), edges=frozenset())
    at = {step.id: number for number, step in enumerate(plan.steps)}
    return Shape(
        texts=tuple(step.task for step in plan.steps),
        edges=frozenset((at[need], at[step.id]) for step in plan.steps for need in step.depends_on),
    )


def offline_alone(gold: GoldPlan) -> Shape:
    """Plan with the offline planner and one specialist who takes everything, so that no clause is merged or refused."""
    return offline(gold.model_copy(update={"tools": ()}))


def whole(gold: GoldPlan) -> Shape:
    """Baseline: the goal as one step."""
    return Shape(texts=(gold.goal,), edges=frozenset())


def sentence_chain(gold: GoldPlan) -> Shape:
    """Baseline: one step for each sentence, each after the one before."""
    texts = tuple(part for part in re.split(r"(?<=[.!?])\s+", gold.goal) if part.strip())
    return Shape(texts=texts, edges=frozenset((number - 1, number) for number in range(1, len(texts))))


METHODS: dict[str, Callable[[GoldPlan], Shape]] = {
    "offline": offline,
    "offline, 1 card": offline_alone,
    "one step": whole,
    "sentence chain": sentence_chain,
}


def token_f1(left: str, right: str) -> float:
    """Return the F1 of two texts' stemmed words as multisets, from 0 to 1."""
    a, b = Counter(stems(left)), Counter(stems(right))
    shared = (a & b).total()
    return 2 * shared / (a.total() + b.total()) if shared else 0.0


def assign(scores: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Return the one-to-one pairs (row, column) with the largest sum of scores.

    The Hungarian method with potentials, in O(rows^2 * columns); E. Maxim's form of Kuhn and Munkres.
    """
    if not scores or not scores[0]:
        return []
    if len(scores) > len(scores[0]):
        return [(row, column) for column, row in assign([list(line) for line in zip(*scores, strict=True)])]
    rows, columns = len(scores), len(scores[0])
    row_price, column_price = [0.0] * (rows + 1), [0.0] * (columns + 1)
    holder = [0] * (columns + 1)
    for row in range(1, rows + 1):
        holder[0], at = row, 0
        slack, back, done = [float("inf")] * (columns + 1), [0] * (columns + 1), [False] * (columns + 1)
        while holder[at]:
            done[at] = True
            current, step, following = holder[at], float("inf"), 0
            for column in range(1, columns + 1):
                if done[column]:
                    continue
                cost = -scores[current - 1][column - 1] - row_price[current] - column_price[column]
                if cost < slack[column]:
                    slack[column], back[column] = cost, at
                if slack[column] < step:
                    step, following = slack[column], column
            for column in range(columns + 1):
                if done[column]:
                    row_price[holder[column]] += step
                    column_price[column] -= step
                else:
                    slack[column] -= step
            at = following
        while at:
            holder[at], at = holder[back[at]], back[at]
    return [(holder[column] - 1, column - 1) for column in range(1, columns + 1) if holder[column]]


def closed(edges: Iterable[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """Return the transitive closure."""
    found = set(edges)
    while new := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= new
    return frozenset(found)


def measure(gold: GoldPlan, found: Shape, threshold: float) -> Counts:
    """Compare one plan with its gold plan."""
    at = {step.id: number for number, step in enumerate(gold.steps)}
    gold_edges = frozenset((at[need], at[step.id]) for step in gold.steps for need in step.depends_on)
    scores = [[token_f1(text, step.instruction) for step in gold.steps] for text in found.texts]
    pairs = {row: column for row, column in assign(scores) if scores[row][column] >= threshold}

    def shared(mine: frozenset[tuple[int, int]], theirs: frozenset[tuple[int, int]]) -> tuple[int, int, int]:
        hits = sum((pairs.get(a), pairs.get(b)) in theirs for a, b in mine)
        return hits, len(mine), len(theirs)

    return Counts(
        plans=1,
        refused=int(not found.texts),
        same_size=int(len(found.texts) == len(gold.steps)),
        size_error=abs(len(found.texts) - len(gold.steps)),
        steps=(len(pairs), len(found.texts), len(gold.steps)),
        edges=shared(found.edges, gold_edges),
        closure=shared(closed(found.edges), closed(gold_edges)),
    )


def _prf(counts: tuple[int, int, int]) -> str:
    hits, mine, theirs = counts
    precision, recall = hits / mine if mine else 0.0, hits / theirs if theirs else 0.0
    f1 = 2 * hits / (mine + theirs) if mine + theirs else 0.0
    return f"{precision:5.2f} {recall:5.2f} {f1:5.2f}"


def _print(title: str, rows: Sequence[tuple[str, Counts]]) -> None:
    print(f"\n{title} ({rows[0][1].plans} plans)")
    heads = "   ".join(f"{head + ' P/R/F1':>17}" for head in ("steps", "edges", "closure"))
    print(f"  {'':15} {heads}   same size  size error  refused")
    for name, counts in rows:
        figures = "   ".join(map(_prf, (counts.steps, counts.edges, counts.closure)))
        means = f"{counts.same_size / counts.plans:9.2f}  {counts.size_error / counts.plans:10.2f}"
        print(f"  {name:15} {figures}   {means}  {counts.refused:7}")


def main() -> None:
    """Read the file, run every method on every plan, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="JSON lines of goals with their plans")
    parser.add_argument(
        "--threshold", type=float, default=0.3, help="token F1 from which steps may match (default %(default)s)"
    )
    arguments = parser.parse_args()
    with arguments.path.open(encoding="utf-8") as lines:
        plans = [GoldPlan.model_validate(json.loads(line)) for line in lines if line.strip()]
    totals: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(Counts))
    for plan in plans:
        half = "test" if hashlib.sha256(plan.id.encode()).digest()[0] % 2 else "dev"
        for name, method in METHODS.items():
            counts = measure(plan, method(plan), arguments.threshold)
            for title in (f"source {plan.source}", f"half {half}", "overall"):
                totals[title][name] += counts
    for title in sorted(totals, key=lambda title: (title == "overall", title.startswith("half"), title)):
        _print(title, list(totals[title].items()))


if __name__ == "__main__":
    main()
