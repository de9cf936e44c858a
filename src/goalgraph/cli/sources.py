"""Plans that a command is given: as a file, or by an alias of the library; read, examined, and told what is wrong."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from goalgraph.cli.endings import BadInput, UnusablePlan
from goalgraph.cli.usable_inputs import unknown_inputs
from goalgraph.errors import InvalidAlias, InvalidPlan, PlanProblem, UnknownPlan
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.documents import PlanDocument, read_document
from goalgraph.planner.expansion import expand_plans
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.library import PlanLibrary, parse_reference, unknown_version
from goalgraph.planner.plan import Plan
from goalgraph.planner.validation import PlanPolicy, missing_inputs, validate_plan

__all__ = ["GivenPlan", "LibraryWithDraft", "checked_plan", "examined", "library_at", "read_file", "read_given"]

_LIBRARY = "goalgraph-plans"
_FREE = PlanPolicy()
_OF_SPECIALISTS = ("unknown_specialist", "missing_capability")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPlan:
    """A plan, and where it comes from."""

    document: PlanDocument
    name: str
    """Of the file without its ending, or the alias."""

    @property
    def plan(self) -> Plan:
        """As it is written; sub-plans may be aliases."""
        return self.document.plan


class LibraryWithDraft(FolderLibrary):
    """A library as it will be once a plan is saved in it, so that a plan that would contain itself is found before."""

    def __init__(self, root: Path, alias: str, draft: Plan) -> None:
        super().__init__(root)
        self._alias = alias
        self._draft = draft

    def load(self, alias: str, version: int | None = None) -> Plan:
        """Return a plan; see `PlanLibrary`."""
        return self._draft if (alias, version) == (self._alias, None) else super().load(alias, version)


def library_at(folder: Path | None) -> FolderLibrary:
    """Return the library in a folder; without one, in that of ``GOALGRAPH_PLANS``, or in ``goalgraph-plans``.

    Raises:
        BadInput: There is something, and it is no folder.
    """
    root = folder or Path(os.environ.get("GOALGRAPH_PLANS") or _LIBRARY)
    if root.exists() and not root.is_dir():
        raise BadInput(f"the library of plans {str(root)!r} is no folder", hint="give another --library")
    return FolderLibrary(root)


def read_given(reference: str, library: FolderLibrary) -> GivenPlan:
    """Read the plan that a command names; a file of that name comes before an alias.

    Raises:
        BadInput: There is neither.
        UnusablePlan: It cannot be read.
    """
    path = Path(reference)
    with suppress(OSError):
        if path.exists() and not path.is_dir():
            return read_file(path)
    try:
        alias, version = parse_reference(reference)
        numbers = [one.version for one in library.versions(alias)]
        if version is not None and version not in numbers:
            raise unknown_version(alias, version, numbers)
    except (InvalidAlias, UnknownPlan) as error:
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise BadInput(
            f"cannot use the plan {reference!r}: {what}, and in the library {str(library.root)!r} "
            f"{str(error).removesuffix(f'; {error.hint}')}",
            hint=error.hint if isinstance(error, UnknownPlan) else "give a path or an alias",
        ) from error
    return _read(library.root / alias / f"v{version or numbers[-1]}.yaml", alias)


def read_file(path: Path) -> GivenPlan:
    """Read a plan from its file.

    Raises:
        UnusablePlan: It cannot be read.
    """
    return _read(path, path.stem)


def _read(path: Path, name: str) -> GivenPlan:
    try:
        return GivenPlan(document=read_document(path), name=name)
    except InvalidPlan as error:
        raise UnusablePlan(error.problems, source=str(path)) from error


def examined(
    given: GivenPlan,
    library: PlanLibrary | None,
    cards: Iterable[SpecialistCard],
    inputs: Mapping[str, JsonValue] | None = None,
    *,
    policy: PlanPolicy = _FREE,
    any_specialist: bool = False,
) -> tuple[Plan, tuple[PlanProblem, ...]]:
    """Put the plans of the library in their places, and find all that is wrong, in the order of the document.

    Args:
        given: The plan.
        library: For the aliases in it.
        cards: The specialists there are.
        inputs: The run's, by name; None: they are not known yet.
        policy: What it must hold.
        any_specialist: Let names and capabilities of specialists that are not known pass.
    """
    plan, found = given.plan, list[PlanProblem]()
    try:
        plan = expand_plans(plan, library)
    except InvalidPlan as error:
        found += error.problems
    # What is wrong with aliases is known by now, and only in full where they were looked up.
    found += [one for one in validate_plan(plan, policy, cards) if not (found and one.code == "unknown_plan")]
    if any_specialist:
        found = [one for one in found if not _is_about_specialists(one)]
    if not found and inputs is not None:
        found += [*unknown_inputs(plan, inputs), *missing_inputs(plan, inputs)]
    located = given.document.located(found)
    return plan, tuple(sorted(located, key=lambda one: (one.line or 0, one.column or 0)))


def checked_plan(
    given: GivenPlan,
    library: PlanLibrary | None,
    cards: Iterable[SpecialistCard],
    inputs: Mapping[str, JsonValue] | None = None,
    policy: PlanPolicy = _FREE,
) -> Plan:
    """Return the plan with those of the library in their places, if it may run.

    Raises:
        UnusablePlan: It may not; see `examined`.
    """
    plan, problems = examined(given, library, cards, inputs, policy=policy)
    if problems:
        raise UnusablePlan(problems, source=given.document.source)
    return plan


def _is_about_specialists(problem: PlanProblem) -> bool:
    """Whether a problem comes from names or capabilities of specialists that are not known here."""
    in_guardrail = (problem.field or "").endswith("coordinator.guardrails")
    return problem.code in _OF_SPECIALISTS or (problem.code == "unknown_reference" and in_guardrail)
