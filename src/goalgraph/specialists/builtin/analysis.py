"""Analyse tables by rules and statistics: profile, findings, method and a summary in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from goalgraph.specialists.builtin.columns import Roles, find_roles, profile
from goalgraph.specialists.builtin.comparisons import distributions, group_differences, outliers, relations
from goalgraph.specialists.builtin.describe import describe, season_finding
from goalgraph.specialists.builtin.findings import Finding
from goalgraph.specialists.builtin.request import Request, mentioned
from goalgraph.specialists.builtin.series import Series, build_series
from goalgraph.specialists.builtin.tables import Table, read_table
from goalgraph.specialists.builtin.trends import METHOD, family_of, rank

__all__ = ["Analysis", "analyse", "summarise"]

_USUAL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All that the rules found in one or several tables."""

    findings: tuple[Finding, ...]
    """Ranked, the most telling first."""
    profile: dict[str, JsonValue]
    """A profile for each file, by name."""
    method: str
    sources: tuple[dict[str, JsonValue], ...]
    """``file``, ``rows`` and ``columns`` of each."""
    degraded: tuple[str, ...] = ()
    """Why this is less than was asked for."""


def analyse(paths: Sequence[tuple[Path, str]], request: Request) -> Analysis:
    """Read the tables and find what the request asks for.

    Args:
        paths: Each file with the name that results show.
        request: What is wanted; without a number, up to five findings.

    Raises:
        InvalidData: A file cannot be read.
        MissingExtra: polars is not installed.
    """
    wanted = request.findings or _USUAL
    found: list[Finding] = []
    profiles: dict[str, JsonValue] = {}
    sources: list[dict[str, JsonValue]] = []
    lacking: list[str] = []
    made: dict[str, None] = {}
    for path, name in paths:
        table = read_table(path, name)
        roles = find_roles(table)
        series = build_series(table, roles, request.unit)
        profiles[name] = profile(table, roles)
        sources.append({"file": name, "rows": table.shape[0], "columns": table.shape[1]})
        made.update(dict.fromkeys(f"{item.column}: {item.made}" for item in series if item.made))
        if "trend" in request.topics and not series:
            lacking.append(
                f"{name} has no column of dates with three or more points in time, so it shows no trends over time"
            )
        found += _findings(table, roles, series, request, wanted)
    chosen = _merged(found, [name for _, name in paths], wanted)
    if request.findings and len(chosen) < request.findings:
        lacking.append(f"asked for {request.findings} findings, the data holds {len(chosen)}")
    unclear = [finding.title for finding in chosen if finding.kind == "flat"]
    if unclear and "trend" in request.topics:
        lacking.append(f"of the findings, {len(unclear)} only say that there is no clear trend")
    kinds = {finding.kind for finding in chosen}
    return Analysis(
        findings=tuple(chosen),
        profile=profiles,
        method=_method(kinds, made),
        sources=tuple(sources),
        degraded=tuple(lacking),
    )


def summarise(analysis: Analysis) -> str:
    """Say in a short text what was found."""
    where = "; ".join(f"{item['file']} ({item['rows']} rows, {item['columns']} columns)" for item in analysis.sources)
    if not analysis.findings:
        return f"Nothing of note was found in {where}."
    lines = [f"{len(analysis.findings)} finding{'s' * (len(analysis.findings) > 1)} from {where}:"]
    lines += [f"{place}. {item.title}. {item.detail}" for place, item in enumerate(analysis.findings, 1)]
    return "\n".join(lines)


def _findings(table: Table, roles: Roles, series: Sequence[Series], request: Request, wanted: int) -> list[Finding]:
    """Collect what one table has to say, best first, by the topics asked for or by what the table is like."""
    over_time = [*_over_time(table, series, request, wanted)] if not request.topics or "trend" in request.topics else []
    lists: dict[str, list[Finding]] = {
        "group": _best(group_differences(table, roles)),
        "relation": _best(relations(table, roles)) if not series or "relation" in request.topics else [],
        "outlier": _best(outliers(table, roles)),
        "distribution": _best(distributions(table, roles)),
    }
    asked = [topic for topic in lists if topic in request.topics]
    if request.topics:
        rest = [finding for topic in asked for finding in lists[topic]]
        if "trend" in request.topics and series:
            return _alternating([over_time, *([rest] if rest else [])]) if rest else over_time
        if rest and "trend" not in request.topics:
            return _focused(rest, table, request)
    if over_time:
        clear = [finding for finding in over_time if finding.kind != "flat"]
        return clear + lists["outlier"][:1] + [finding for finding in over_time if finding.kind == "flat"]
    usual = _alternating([lists["group"], lists["relation"], lists["outlier"]])
    return _focused(usual or lists["distribution"], table, request)


def _over_time(table: Table, series: Sequence[Series], request: Request, wanted: int) -> Iterable[Finding]:
    if not series:
        return
    names = mentioned({item.column for item in series} | {item.group for item in series if item.group}, request.text)
    focus = frozenset(item.key for item in series if (item.group or item.column) in names)
    wanted = len(focus) if focus and request.findings is None else wanted
    family = family_of(series)
    ranked = rank(family, wanted, focus)
    told = [describe(item, family, table.name) for item in ranked]
    yield from (finding for finding in told if finding.kind != "flat")
    yield from _best(season_finding(item, table.name) for item in series if item.season is not None)
    yield from (finding for finding in told if finding.kind == "flat")


def _best(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: finding.score, reverse=True)


def _focused(findings: list[Finding], table: Table, request: Request) -> list[Finding]:
    names = mentioned(table.frame.columns, request.text)
    return sorted(findings, key=lambda finding: not names & set(finding.columns)) if names else findings


def _alternating(lists: Sequence[list[Finding]]) -> list[Finding]:
    longest = max(map(len, lists), default=0)
    return [items[at] for at in range(longest) for items in lists if at < len(items)]


def _merged(findings: list[Finding], files: Sequence[str], wanted: int) -> list[Finding]:
    """Take from several files in turn, since scores of different tables do not compare."""
    return _alternating([[item for item in findings if item.file == file] for file in files])[:wanted]


def _method(kinds: set[str], made: Iterable[str]) -> str:
    texts: list[str] = []
    if kinds & {"growth", "decline", "shock_and_recovery", "partial_recovery", "rise_and_fall", "flat"}:
        texts.append(METHOD)
    if "seasonal_pattern" in kinds:
        texts.append(
            "Patterns that repeat each year are found by classical decomposition (centred moving average of a year)."
        )
    if "group_difference" in kinds:
        texts.append("Group differences are ranked by eta squared, the part of the variance that the groups explain.")
    if "relation" in kinds:
        texts.append("Relations are Pearson correlations of 0.5 and more, ranked by r squared.")
    if "outliers" in kinds:
        texts.append(
            "Outliers lie more than 3.5 robust standard deviations (median absolute deviation) from the median."
        )
    if "distribution" in kinds:
        texts.append("Distributions are described by quartiles and ranked by quartile skewness.")
    points = list(made)
    if points:
        texts.append(
            f"Points were made from rows as follows: {'; '.join(points[:8])}{' and more' if len(points) > 8 else ''}."
        )
    return " ".join(texts) or "No finding met its threshold."
