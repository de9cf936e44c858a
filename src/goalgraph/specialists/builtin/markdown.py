"""Lay a report out as Markdown, in the length that was asked for."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from goalgraph.specialists.builtin.findings import Finding
from goalgraph.specialists.builtin.material import Chart, Material
from goalgraph.specialists.builtin.wording import number, one_line, words

__all__ = ["Draft", "count_words", "layout", "summary_of", "title_of"]

_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Many")
_ORDER = ("First", "Second", "Third", "Fourth", "Fifth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A finished report."""

    title: str
    markdown: str
    words: int


def title_of(goal: str, material: Material) -> str:
    """Name the report after its data or its goal."""
    if material.sources:
        names = [re.sub(r" \(\d+ rows.*$", "", source) for source in material.sources]
        stems = list(dict.fromkeys(_stem(name) for name in names))
        topic = "main findings" if material.findings else "what the documents say"
        return f"{', '.join(stems[:3])}{' and others' if len(stems) > 3 else ''}: {topic}"
    first = re.split(r"[.\n]", goal.strip(), maxsplit=1)[0].strip()
    return f"Report: {one_line(first, 80)}" if first else "Report"


def summary_of(material: Material) -> str:
    """Write the executive summary by rules, from what the findings say."""
    parts: list[str] = []
    if material.findings:
        briefs = [finding.brief or f"{finding.title}." for finding in material.findings]
        several = len(briefs) > 1
        where = f"{', '.join(material.sources[:3])}: " if material.sources else ""
        parts.append(
            f"{where}{_COUNTS[min(len(briefs), 10)].lower()} finding{'s stand' if several else ' stands'} out."
        )
        parts += [f"{name}, {text}" if several else text for name, text in zip(_ORDER, briefs, strict=False)]
        parts += [" ".join(briefs[len(_ORDER) :])] if len(briefs) > len(_ORDER) else []
    elif material.quotes:
        parts.append(
            f"The documents hold {len(material.quotes)} passage{'s' * (len(material.quotes) > 1)} that bear on "
            f"the question."
        )
        parts.append(f"The closest, from {material.quotes[0].where}: “{one_line(material.quotes[0].text, 400)}”")
    elif material.summaries:
        parts += material.summaries
    elif material.texts:
        parts += [_opening(item.body) for item in material.texts]
    if material.missing:
        parts.append(f"Not everything could be done: see “What is missing” ({len(material.missing)}).")
    return "\n\n".join(parts) if parts else "The steps before this one gave nothing to report on."


def layout(title: str, summary: str, material: Material, folder: Path, *, brief: bool, max_words: int | None) -> Draft:
    """Put the sections together; where a number of words is given, the less important ones are left out until it fits.

    Args:
        title: The heading.
        summary: The executive summary, as paragraphs.
        material: What else goes in.
        folder: Where the report will lie; pictures are linked relative to it.
        brief: Details of the findings are left out from the start.
        max_words: The most words that the text may have.
    """
    short = [_join(title, summary, material, folder, level) for level in range(1 if brief else 0, 4)]
    chosen = next((text for text in short if max_words is None or count_words(text) <= max_words), short[-1])
    return Draft(title=title, markdown=chosen, words=count_words(chosen))


def count_words(markdown: str) -> int:
    """Count the words that a reader sees: no link targets, no picture texts, no table rules."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|\|[ -|]*---[ -|]*", " ", markdown)
    return len(re.findall(r"\w[\w.,%’'-]*", text))


def _join(title: str, summary: str, material: Material, folder: Path, level: int) -> str:
    """Level 0: all; 1: findings without details; 2: no method; 3: summary, charts and what is missing only."""
    parts = [f"# {title}", "## Executive summary", summary]
    parts += _findings(material, folder, details=level == 0, figures=level < 3)
    if level < 3:
        if material.quotes:
            parts.append("## Passages")
            parts += [
                f"> {_quoted(quote.text)}\n>\n> {quote.where}" for quote in material.quotes[: 8 if level == 0 else 4]
            ]
        for item in material.texts:
            parts += [f"## {words(item.step.replace('-', ' '))}", _lowered(item.body)]
    if level < 2 and material.methods:
        parts += ["## Data and method", *material.methods]
    if material.sources and level < 3:
        parts += ["## Sources", "\n".join(f"- {source}" for source in material.sources)]
    if material.missing:
        parts += ["## What is missing", "\n".join(f"- {line}" for line in material.missing)]
    return "\n\n".join(parts) + "\n"


def _findings(material: Material, folder: Path, *, details: bool, figures: bool) -> list[str]:
    parts: list[str] = []
    used: set[str] = set()
    if material.findings:
        parts.append("## Findings")
    for place, finding in enumerate(material.findings, 1):
        parts.append(f"### {place}. {finding.title}")
        if details and finding.detail:
            parts.append(finding.detail)
        if figures and (table := _figures(finding)):
            parts.append(table)
        for chart in material.charts:
            if chart.finding == finding.title:
                used.add(chart.path)
                parts.append(_picture(chart, folder))
    rest = [chart for chart in material.charts if chart.path not in used]
    if rest:
        parts.append("## Charts" if not material.findings else "## Further charts")
        for chart in rest:
            parts += [f"### {chart.title}", _picture(chart, folder)]
            parts += [chart.alt] if not material.findings and details and chart.alt != chart.title else []
    return parts


def _figures(finding: Finding) -> str:
    """Put the main figures of a movement into a small table; other kinds carry theirs in the text."""
    figures = finding.figures
    rows: list[tuple[str, JsonValue, JsonValue]] = []
    for key, name in (("fall", "Fall"), ("rise", "Rise")):
        move = figures.get(key)
        if isinstance(move, dict):
            rows += [
                (f"{name}: start", move.get("from_date"), move.get("from")),
                (f"{name}: end", move.get("to_date"), move.get("to")),
            ]
    if "first" in figures:
        rows = [
            ("First", figures.get("first_date"), figures.get("first")),
            *rows,
            ("Last", figures.get("last_date"), figures.get("last")),
        ]
    if not rows:
        return ""
    unit = f" ({figures['unit']})" if figures.get("unit") else ""
    lines = [f"| | Date | Value{unit} |", "| --- | --- | ---: |"]
    lines += [f"| {name} | {when} | {_value(value)} |" for name, when, value in rows]
    change, part = figures.get("change"), figures.get("change_pct")
    if isinstance(change, (int, float)):
        text = f"{'+' if change >= 0 else '−'}{number(abs(change))}"
        text += f" ({part:+.1f}%)".replace("-", "−") if isinstance(part, (int, float)) else ""
        lines.append(f"| Change, first to last | | {text} |")
    return "\n".join(lines)


def _value(value: JsonValue) -> str:
    return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _picture(chart: Chart, folder: Path) -> str:
    path = os.path.relpath(Path(chart.path).absolute(), folder.absolute()).replace(os.sep, "/")
    target = f"<{path}>" if re.search(r"[\s()]", path) else path
    return f"![{one_line(chart.title, 200).replace('[', '(').replace(']', ')')}]({target})"


def _quoted(text: str) -> str:
    return text.strip().replace("\n", "\n> ")


def _lowered(body: str) -> str:
    """Push a text's own headings below the report's."""
    return re.sub(r"^(#{1,4}) ", r"##\1 ", body, flags=re.MULTILINE)


def _opening(body: str) -> str:
    paragraphs = [
        part.strip() for part in re.split(r"\n\s*\n", body) if part.strip() and not part.lstrip().startswith("#")
    ]
    return one_line(paragraphs[0], 600) if paragraphs else one_line(body, 600)


def _stem(name: str) -> str:
    return re.sub(r"\.[A-Za-z0-9]{1,8}$", "", name.rsplit("/", 1)[-1])
