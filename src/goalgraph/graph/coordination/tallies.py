"""What the records of a run tell of its specialists: how long they took, what they cost, how often they failed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from goalgraph.planner.outcome import Outcome
from goalgraph.planner.signals import ESCALATION

__all__ = ["Tally"]

_Set = frozenset[str]


@dataclass(slots=True)
class Tally:
    """Adds up outcomes, each once; so a run that is resumed knows what it knew."""

    spent_usd: float = 0.0
    """By all steps."""
    escalations: list[str] = field(default_factory=list[str])
    _steps: set[str] = field(default_factory=set[str])
    _done: Counter[str] = field(default_factory=Counter[str])
    _failed: Counter[str] = field(default_factory=Counter[str])
    _succeeded: Counter[str] = field(default_factory=Counter[str])
    _seconds: dict[str, float] = field(default_factory=dict[str, float])
    _usd: dict[str, float] = field(default_factory=dict[str, float])
    _priced: Counter[str] = field(default_factory=Counter[str])
    _chosen: dict[_Set, Counter[str]] = field(default_factory=dict[_Set, Counter[str]])

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Tally":
        """Add up what is recorded."""
        tally = cls()
        for outcome in outcomes:
            tally.take_in(outcome)
        return tally

    def take_in(self, outcome: Outcome, *, is_counted: bool = False) -> None:
        """Add an outcome; ``is_counted`` where its choice was counted as it was made."""
        if outcome.step in self._steps:
            return
        self._steps.add(outcome.step)
        self.spent_usd += outcome.usage.cost_usd
        if ESCALATION in outcome.signals:
            self.escalations.append(outcome.step)
        choice = next((one for one in outcome.decisions if one.kind == "assignment" and one.subject), None)
        if choice is not None and not is_counted:
            self.count(choice.chosen, (choice.chosen, *choice.alternatives))
        if (name := outcome.specialist) is None:
            return
        if choice is not None and choice.chosen != name:
            self._done[choice.chosen] += 1
            self._failed[choice.chosen] += 1
        self._done[name] += 1
        if outcome.usage.cost_usd:
            self._usd[name] = self._usd.get(name, 0.0) + outcome.usage.cost_usd
            self._priced[name] += 1
        if outcome.status == "succeeded":
            self._succeeded[name] += 1
            self._seconds[name] = self._seconds.get(name, 0.0) + outcome.seconds
        else:
            self._failed[name] += 1

    def count(self, chosen: str, candidates: Iterable[str]) -> None:
        """Take in that one of several was chosen."""
        self._chosen.setdefault(frozenset(candidates), Counter())[chosen] += 1

    def chosen(self, candidates: Iterable[str]) -> Mapping[str, int]:
        """How often each was chosen, out of just these."""
        return self._chosen.get(frozenset(candidates), Counter())

    def mean_seconds(self, name: str) -> float | None:
        """Of its steps that succeeded."""
        return self._seconds[name] / self._succeeded[name] if name in self._seconds else None

    def mean_usd(self, name: str) -> float | None:
        """Of its steps whose cost is known."""
        return self._usd[name] / self._priced[name] if name in self._usd else None

    def spent(self, name: str) -> float:
        """What its steps have cost, in USD."""
        return self._usd.get(name, 0.0)

    def errors(self, name: str) -> float:
        """The share of its steps that failed, or that another one had to take over."""
        return self._failed[name] / self._done[name] if self._done[name] else 0.0
