"""The library of plans: what any library can do, how plans are named in it, and one that lives in memory."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol, runtime_checkable

from goalgraph.errors import InvalidAlias, UnknownPlan
from goalgraph.planner.diff import diff_plans
from goalgraph.planner.plan import Plan

__all__ = [
    "InMemoryLibrary",
    "PlanEntry",
    "PlanLibrary",
    "PlanVersion",
    "checked_alias",
    "parse_reference",
    "unknown_plan",
    "unknown_version",
]

_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}", re.ASCII)
_VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """One saved version of a plan."""

    version: int
    """From 1."""
    saved_at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEntry:
    """What a library says of an alias, without the plan itself."""

    alias: str
    version: int
    """The newest one."""
    versions: int
    """How many there are."""
    name: str = ""
    """The newest plan's own."""
    description: str = ""
    saved_at: str
    """When the newest one was saved: ISO 8601, UTC."""
    problem: str | None = None
    """Why the newest plan cannot be read; None where it can."""


@runtime_checkable
class PlanLibrary(Protocol):
    """Keeps plans under aliases, every version of them."""

    def save(self, alias: str, plan: Plan) -> int:
        """Save a plan as the newest version and return its number.

        A plan that does not differ from the newest version is that version.

        Args:
            alias: Name under which it is found again: letters, digits, ``_``, ``-`` and ``.``.
            plan: As it is to be kept.

        Raises:
            InvalidAlias: The alias cannot be used, or differs from another one by case alone.
        """
        ...

    def load(self, alias: str, version: int | None = None) -> Plan:
        """Return a version of a plan.

        Args:
            alias: As it was saved.
            version: From 1; the newest where absent.

        Raises:
            UnknownPlan: There is no such alias or version.
            InvalidPlan: What is saved there cannot be read.
        """
        ...

    def aliases(self) -> tuple[PlanEntry, ...]:
        """List all plans by alias, also those that cannot be read."""
        ...

    def versions(self, alias: str) -> tuple[PlanVersion, ...]:
        """List the versions of the plan under ``alias``, the oldest first.

        Raises:
            UnknownPlan: There is no such alias.
        """
        ...


def parse_reference(text: str) -> tuple[str, int | None]:
    """Read ``"alias"`` or ``"alias@3"`` into the alias and the version.

    Raises:
        InvalidAlias: It is neither.
    """
    alias, at, number = text.partition("@")
    if at and not _VERSION.fullmatch(number):
        raise InvalidAlias(
            f"expected a version from 1 after the @, found {_shown(text)}", hint="write it like 'intake@2'"
        )
    return checked_alias(alias), int(number) if at else None


def checked_alias(alias: str, existing: Iterable[str] = ()) -> str:
    """Return the alias, if a plan can be saved under it beside the existing ones.

    Raises:
        InvalidAlias: It cannot be used on every file system, or differs from an existing one by case alone.
    """
    if not _ALIAS.fullmatch(alias) or alias.endswith("."):
        raise InvalidAlias(
            f"expected an alias of letters, digits, '_', '.' and '-', at most 128, found {_shown(alias)}",
            hint="begin it with a letter or digit, and do not end it with a '.'",
        )
    known = set(existing)
    if alias not in known and (twin := next((name for name in known if name.lower() == alias.lower()), None)):
        raise InvalidAlias(f"the alias {alias!r} differs from {twin!r} by case alone", hint=f"use {twin!r}")
    return alias


def unknown_plan(alias: str, existing: Iterable[str]) -> UnknownPlan:
    """Make the error for an alias that is not there, with the one that may have been meant."""
    names = sorted(existing)
    close = difflib.get_close_matches(alias[:128], names[:2000], n=1, cutoff=0.5)
    there = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {there}" if names else "the library is empty"
    return UnknownPlan(f"no plan is saved as {_shown(alias)}", hint=hint)


def unknown_version(alias: str, version: int, existing: Iterable[int]) -> UnknownPlan:
    """Make the error for a version that is not there."""
    there = ", ".join(map(str, sorted(existing)[-10:]))
    return UnknownPlan(f"the plan {alias!r} has no version {version}", hint=f"the newest are: {there}")


class InMemoryLibrary:
    """A library that ends with the process, for tests and servers; safe to use from several threads."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = Lock()
        self._plans: dict[str, list[tuple[Plan, str]]] = {}

    def save(self, alias: str, plan: Plan) -> int:
        """Save a plan; see `PlanLibrary`."""
        with self._lock:
            kept = self._plans.get(checked_alias(alias, self._plans), [])
            if not kept or diff_plans(kept[-1][0], plan):
                # A copy: what the caller later does to a dict of the plan must not reach the saved one.
                saved_at = self._clock().astimezone(UTC).isoformat(timespec="seconds")
                self._plans[alias] = kept = [*kept, (plan.model_copy(deep=True), saved_at)]
            return len(kept)

    def load(self, alias: str, version: int | None = None) -> Plan:
        """Return a plan; see `PlanLibrary`."""
        kept = self._kept(alias)
        number = len(kept) if version is None else version
        if not 1 <= number <= len(kept):
            raise unknown_version(alias, number, range(1, len(kept) + 1))
        return kept[number - 1][0].model_copy(deep=True)

    def aliases(self) -> tuple[PlanEntry, ...]:
        """List all plans; see `PlanLibrary`."""
        with self._lock:
            newest = sorted((alias, len(kept), *kept[-1]) for alias, kept in self._plans.items())
        return tuple(
            PlanEntry(
                alias=alias,
                version=count,
                versions=count,
                name=plan.name,
                description=plan.description,
                saved_at=saved_at,
            )
            for alias, count, plan, saved_at in newest
        )

    def versions(self, alias: str) -> tuple[PlanVersion, ...]:
        """List the versions of a plan; see `PlanLibrary`."""
        return tuple(
            PlanVersion(version=number, saved_at=saved_at) for number, (_, saved_at) in enumerate(self._kept(alias), 1)
        )

    def _kept(self, alias: str) -> list[tuple[Plan, str]]:
        with self._lock:
            if alias not in self._plans:
                raise unknown_plan(alias, self._plans)
            return self._plans[alias]


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
