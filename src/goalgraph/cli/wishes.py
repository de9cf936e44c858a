"""What a plan is to be like, and how a run may change it, as the options of several commands say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from goalgraph.cli.endings import BadInput
from goalgraph.cli.records import RunOptions
from goalgraph.graph.policies import Limits, PlanningPolicy, RevisionPolicy
from goalgraph.planner.outcome import Usage

__all__ = ["Wishes", "limits_of", "planning_of", "revision_of"]

_MOST_DRAFTS = 10
_UNUSED = Usage()
_LEAST = ("full", "simple", "single")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the plan is to be like."""

    alternatives: int = 1
    """How many plans are drafted."""
    approval: bool = False
    """Whether it must ask a human."""
    constraints: tuple[str, ...] = ()
    available: str | None = None
    """Names of specialists, with commas between them."""
    least: str = "full"
    """What is good enough, see `PlanningPolicy.least`."""
    prompts: Path | None = None
    """Folder of templates in the caller's own words."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The specialists that may be used; None: all."""
        if self.available is None:
            return None
        return tuple(filter(None, map(str.strip, self.available.split(","))))

    @property
    def enough(self) -> Literal["full", "simple", "single"]:
        """What is good enough, once `check` has passed."""
        return cast("Literal['full', 'simple', 'single']", self.least)

    def check(self) -> None:
        """See that they can be met.

        Raises:
            BadInput: They cannot.
        """
        if not 1 <= self.alternatives <= _MOST_DRAFTS:
            raise BadInput(
                f"--alternatives takes a number from 1 to {_MOST_DRAFTS}, found {self.alternatives}",
                hint="leave it out for one plan",
            )
        if self.names == ():
            raise BadInput(f"--available names nobody: {self.available!r}", hint="write it like: reader,writer")
        if blank := [one for one in self.constraints if not one.strip()]:
            raise BadInput(f"--constraint is empty: {blank[0]!r}", hint="say what the plan must heed")
        if self.least not in _LEAST:
            raise BadInput(f"--least takes {', '.join(_LEAST)}, found {self.least!r}", hint="leave it out for full")

    def only_for_making(self) -> tuple[str, ...]:
        """Return the options among them that say nothing of a plan that is there already."""
        given = {
            "--alternatives": self.alternatives != 1,
            "--constraint": self.constraints,
            "--least": self.least != "full",
        }
        return tuple(name for name, value in given.items() if value)


def planning_of(options: RunOptions) -> PlanningPolicy:
    """Return what a run's options say of its plans."""
    return PlanningPolicy(
        constraints=options.constraints,
        require_approval=("*",) if options.require_approval else (),
        available=options.available,
    )


def limits_of(options: RunOptions, used: Usage = _UNUSED) -> Limits:
    """Return a run's limits.

    Args:
        options: Of the run.
        used: What was used before, outside of the run; where that is all there may be, as good as nothing is left.
    """
    cost, tokens = options.max_cost, options.max_tokens
    return Limits(
        max_cost_usd=max(cost - used.cost_usd, 1e-12) if cost is not None else None,
        max_tokens=max(tokens - used.input_tokens - used.output_tokens, 1) if tokens is not None else None,
    )


def revision_of(options: RunOptions) -> RevisionPolicy | None:
    """Return what a run's options say of changes of its plan; None: there are none."""
    return RevisionPolicy(max_revisions=options.revise) if options.revise is not None else None
