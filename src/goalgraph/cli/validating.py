"""The command ``validate``: all that is wrong with plans, and where; no model, no run."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue

from goalgraph.cli.endings import COMPLETE, FAILED, USAGE, BadInput, UnusablePlan, problem_line
from goalgraph.cli.sources import examined, library_at, read_file, read_given
from goalgraph.cli.terminal import as_json_text
from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.folder_library import FolderLibrary

__all__ = ["validate_plans"]

_UNREADABLE = ("unreadable", "not_found")


def validate_plans(
    given: Sequence[str], *, own: Sequence[str], any_specialist: bool, library: Path | None, as_json: bool
) -> int:
    """Examine files and aliases, and print what is wrong with them; see ``goalgraph validate --help``."""
    shelf = library_at(library)
    cards: tuple[SpecialistCard, ...] = ()
    if not any_specialist or own:
        from goalgraph.cli.crew import known_cards  # here, because it loads the specialists, which take their time

        cards = known_cards(own, Path.cwd())
    found = [(source, problems) for one in given for source, problems in [_examined(one, shelf, cards, any_specialist)]]
    if as_json:
        listed: list[JsonValue] = [{"file": source, **asdict(one)} for source, problems in found for one in problems]
        sys.stdout.write(as_json_text(listed))
    else:
        lines = [problem_line(source, one) for source, problems in found for one in problems]
        sys.stdout.writelines(f"{line}\n" for line in (*lines, _summary([len(problems) for _, problems in found])))
    every = [one for _, problems in found for one in problems]
    if any(one.code in _UNREADABLE for one in every):
        return USAGE
    return FAILED if every else COMPLETE


def _examined(
    given: str, library: FolderLibrary, cards: Sequence[SpecialistCard], any_specialist: bool
) -> tuple[str, tuple[PlanProblem, ...]]:
    """Find what is wrong with one plan; return also what its source is called."""
    try:
        plan = read_file(Path(given)) if _looks_like_path(given) else read_given(given, library)
    except UnusablePlan as error:
        return error.source, error.problems
    except BadInput as error:
        message = str(error).removesuffix(f"; {error.hint}")
        return given, (PlanProblem(code="not_found", message=message, hint=error.hint),)
    return plan.document.source, examined(plan, library, cards, any_specialist=any_specialist)[1]


def _looks_like_path(given: str) -> bool:
    return "/" in given or Path(given).suffix.lower() in (".yaml", ".yml", ".json")


def _summary(counts: Sequence[int]) -> str:
    """Say how many plans have how many problems."""
    plans = f"{len(counts)} plan{'s' * (len(counts) != 1)}"
    bad, total = sum(1 for count in counts if count), sum(counts)
    if not total:
        return f"{plans}: no problems"
    told = f"{total} problem{'s' * (total != 1)}"
    return f"{plans}: {told}" + (f" in {bad} of them" if len(counts) > 1 else "")
