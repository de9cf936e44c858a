"""What earlier runs tell of specialists: how long their steps took, what they asked of models, what that cost."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from goalgraph.errors import GoalgraphError
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.ranges import Range

__all__ = ["Experience", "History"]

_MOST = 200
"""Of each kind of figure the last ones are kept."""

_ITEM = re.compile(r"\[(\d+)\]")
_LOW, _HIGH = 0.1, 0.9

_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0)]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Experience(_Stored):
    """Figures of a specialist, one for each attempt at a step, the oldest first.

    Of an outcome with several attempts, each is taken to be an equal part.
    """

    seconds: tuple[_Amount, ...] = ()
    input_tokens: tuple[_Count, ...] = ()
    output_tokens: tuple[_Count, ...] = ()
    cost_usd: tuple[_Amount, ...] = ()
    """Of those whose model calls were all priced."""

    def __add__(self, other: "Experience") -> "Experience":
        return Experience(
            seconds=(self.seconds + other.seconds)[-_MOST:],
            input_tokens=(self.input_tokens + other.input_tokens)[-_MOST:],
            output_tokens=(self.output_tokens + other.output_tokens)[-_MOST:],
            cost_usd=(self.cost_usd + other.cost_usd)[-_MOST:],
        )


class History(_Stored):
    """What earlier runs tell, to estimate the next one by; add them up: ``History.of(first) + History.of(second)``.

    Ranges leave out the lowest and the highest tenth of the figures.
    """

    specialists: dict[str, Experience] = {}
    """What is known of each, by name."""
    items: dict[str, tuple[_Count, ...]] = {}
    """Numbers of items that maps went through, by the map's step id; inside of another's items ``"outer[*].inner"``."""

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "History":
        """Take what the outcomes of a run tell.

        Only steps that succeeded count, and of those with a human in them not the time. Where no model's call was seen,
        nothing is known of tokens and cost: the specialist may have called one in its own way.

        Args:
            outcomes: Of one run, those of maps' items with them.
        """
        found: dict[str, Experience] = {}
        items: dict[str, int] = {}
        for outcome in outcomes:
            for match in _ITEM.finditer(outcome.step):
                map_id = _ITEM.sub("[*]", outcome.step[: match.start()])
                items[map_id] = max(items.get(map_id, 0), int(match[1]) + 1)
            if outcome.specialist is not None and outcome.status == "succeeded" and outcome.attempts:
                before = found.get(outcome.specialist, Experience())
                found[outcome.specialist] = before + _experience(outcome)
        return cls(specialists=found, items={name: (count,) for name, count in items.items()})

    def __add__(self, other: "History") -> "History":
        specialists, items = dict(self.specialists), dict(self.items)
        for name, one in other.specialists.items():
            specialists[name] = specialists.get(name, Experience()) + one
        for name, counts in other.items.items():
            items[name] = (items.get(name, ()) + counts)[-_MOST:]
        return History(specialists=specialists, items=items)

    def seconds(self, specialist: str) -> Range | None:
        """Seconds that an attempt of the ``specialist`` takes; None: not known, the same of what follows."""
        return _range(self._of(specialist).seconds)

    def input_tokens(self, specialist: str) -> Range | None:
        """Tokens that an attempt of the ``specialist`` sends to models."""
        return _range(self._of(specialist).input_tokens)

    def output_tokens(self, specialist: str) -> Range | None:
        """Tokens that models answer to an attempt of the ``specialist``."""
        return _range(self._of(specialist).output_tokens)

    def cost_usd(self, specialist: str) -> Range | None:
        """What an attempt of the ``specialist`` costs, in USD."""
        return _range(self._of(specialist).cost_usd)

    def count_of_items(self, map_id: str) -> Range | None:
        """How many items the map of the id ``map_id`` goes through."""
        return _range(self.items.get(map_id, ()))

    def as_json(self) -> dict[str, JsonValue]:
        """Return the same as plain JSON, for `read`."""
        found: dict[str, JsonValue] = self.model_dump(mode="json")
        return found

    @classmethod
    def read(cls, source: str | bytes | Mapping[str, JsonValue]) -> "History":
        """Read a ``source`` that `as_json` gave, as data or as text.

        Raises:
            GoalgraphError: It is something else.
        """
        try:
            if isinstance(source, (str, bytes)):
                return cls.model_validate_json(source)
            return cls.model_validate(dict(source))
        except ValidationError as error:
            found = [f"{'.'.join(map(str, one['loc'])) or 'the document'}: {one['msg']}" for one in error.errors()[:5]]
            raise GoalgraphError(
                f"this is no history of runs: {'; '.join(found)}", hint="give what History.as_json() returned"
            ) from error

    def _of(self, specialist: str) -> Experience:
        return self.specialists.get(specialist, _NONE)


_NONE = Experience()


def _experience(outcome: Outcome) -> Experience:
    """Take the figures of one attempt."""
    usage, times = outcome.usage, outcome.attempts
    is_priced = usage.calls > 0 and usage.cost_usd > 0 and not usage.unpriced_calls
    return Experience(
        seconds=() if outcome.decisions else (outcome.seconds / times,),
        input_tokens=(usage.input_tokens // times,) if usage.calls else (),
        output_tokens=(usage.output_tokens // times,) if usage.calls else (),
        cost_usd=(usage.cost_usd / times,) if is_priced else (),
    )


def _range(figures: Sequence[float]) -> Range | None:
    if not figures:
        return None
    ordered = sorted(figures)
    return Range(low=_quantile(ordered, _LOW), high=_quantile(ordered, _HIGH))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Interpolate between the nearest two (Hyndman and Fan 1996, type 7)."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
