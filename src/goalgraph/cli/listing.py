"""The command ``plans``: what is in the library, the versions of a plan, and what is different between two of them."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from goalgraph.cli.endings import COMPLETE, FAILED, BadInput
from goalgraph.cli.sources import library_at
from goalgraph.cli.terminal import Terminal
from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.diff import FieldChange, diff_plans
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.library import PlanEntry, parse_reference
from goalgraph.planner.plan import Plan
from goalgraph.views import one_line, plan_text, plan_tree

__all__ = ["list_plans"]

_NUMBER = re.compile(r"v?([1-9][0-9]{0,8})", re.ASCII)
_MOST_TOLD = 300


def list_plans(given: Sequence[str], *, diff: str | None, library: Path | None, as_json: bool) -> int:
    """Show the library, a plan in it, or a difference; see ``goalgraph plans --help``.

    Args:
        given: Nothing, or an alias, with a version if wanted; after it the second version of a difference.
        diff: The first version.
        library: Its folder.
        as_json: Write JSON.
    """
    terminal = Terminal(as_json=as_json)
    shelf = library_at(library)
    if len(given) > (1 if diff is None else 2):
        raise BadInput(f"did not expect {given[-1]!r}", hint="give one alias, and versions with --diff V1 V2")
    if diff is not None:
        if not given:
            raise BadInput("--diff needs an alias", hint="write it like: goalgraph plans ALIAS --diff 1 2")
        return _show_diff(shelf, given[0], [diff, *given[1:]], terminal)
    return _show_plan(shelf, given[0], terminal) if given else _show_all(shelf, terminal)


def _show_all(library: FolderLibrary, terminal: Terminal) -> int:
    entries = library.aliases()
    if terminal.as_json:
        terminal.document([cast("dict[str, JsonValue]", asdict(entry)) for entry in entries])
        return COMPLETE
    if not entries:
        terminal.text(f"no plans in {library.root}; save one with: goalgraph plan GOAL --save ALIAS")
        return COMPLETE
    rows = [("alias", "version", "saved", "name"), *map(_row, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        terminal.text("  ".join((*cells, row[3])).rstrip())
    return COMPLETE


def _row(entry: PlanEntry) -> tuple[str, str, str, str]:
    name = one_line(entry.name or entry.description, 80)
    if entry.problem is not None:
        name = f"damaged: {one_line(entry.problem, _MOST_TOLD)}"
    return entry.alias, str(entry.version), _when(entry.saved_at), name


def _when(saved_at: str) -> str:
    """Shorten a time in UTC to the minute."""
    return f"{saved_at[:16].replace('T', ' ')} UTC"


def _show_plan(library: FolderLibrary, reference: str, terminal: Terminal) -> int:
    alias, wanted = parse_reference(reference)
    versions = library.versions(alias)
    version = versions[-1].version if wanted is None else wanted
    plan: Plan | None = None
    problems: tuple[PlanProblem, ...] = ()
    try:
        plan = library.load(alias, version)
    except InvalidPlan as error:
        problems = error.problems
    if terminal.as_json:
        terminal.document(
            {
                "alias": alias,
                "versions": [cast("dict[str, JsonValue]", asdict(one)) for one in versions],
                "version": version,
                "plan": plan.model_dump(mode="json") if plan is not None else None,
                "problems": [cast("dict[str, JsonValue]", asdict(one)) for one in problems],
            }
        )
        return FAILED if problems else COMPLETE
    terminal.line(f"{alias}: {len(versions)} version{'s' * (len(versions) != 1)}")
    for one in versions:
        terminal.line(f"  {one.version}  {_when(one.saved_at)}" + ("  (shown below)" if one.version == version else ""))
    terminal.line()
    if plan is None:
        terminal.text(f"version {version} is damaged:")
        for problem in problems:
            terminal.text(f"  {one_line(str(problem), _MOST_TOLD)}")
        return FAILED
    if terminal.rich:
        terminal.show(plan_tree(plan))
    else:
        terminal.line(plan_text(plan))
    return COMPLETE


def _show_diff(library: FolderLibrary, alias: str, wanted: Sequence[str], terminal: Terminal) -> int:
    newest = library.versions(alias)[-1].version
    numbers = [_number(text) for text in wanted]
    first, second = numbers[0], numbers[1] if len(numbers) > 1 else newest
    found = diff_plans(library.load(alias, first), library.load(alias, second))
    if terminal.as_json:
        terminal.document(
            {
                "alias": alias,
                "old": first,
                "new": second,
                "plan": [_change(change) for change in found.plan],
                "removed": list(found.removed),
                "added": [{"step": path, "fields": step.model_dump(mode="json")} for path, step in found.added],
                "changed": [
                    {"step": change.step, "fields": [_change(one) for one in change.fields]} for change in found.changed
                ],
                "reordered": found.reordered,
            }
        )
        return COMPLETE
    terminal.line(f"{alias}: version {first} -> version {second}")
    terminal.text(found.text or "no difference")
    return COMPLETE


def _change(change: FieldChange) -> dict[str, JsonValue]:
    return {"field": change.field, "old": change.old, "new": change.new}


def _number(text: str) -> int:
    if (match := _NUMBER.fullmatch(text)) is None:
        raise BadInput(f"--diff takes numbers of versions, found {text!r}", hint="write it like --diff 1 2")
    return int(match[1])
