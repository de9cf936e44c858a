"""What a report can be made of: findings, charts, passages and texts, read from the outcomes of earlier steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from pydantic import JsonValue

from goalgraph.planner.outcome import Outcome
from goalgraph.specialists.builtin.findings import Finding, read_findings
from goalgraph.specialists.builtin.wording import one_line, words

__all__ = ["Chart", "Material", "Quote", "Text", "gather"]

_PICTURES = ("image/png", "image/svg+xml", "image/jpeg", "image/gif", "image/webp")
_MAX_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture, with the title of the finding it shows."""

    path: str
    title: str
    alt: str
    finding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A passage of a document."""

    where: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Any other output, as Markdown."""

    step: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything that a report can be made of, in plan order."""

    findings: tuple[Finding, ...]
    charts: tuple[Chart, ...]
    quotes: tuple[Quote, ...]
    texts: tuple[Text, ...]
    summaries: tuple[str, ...]
    """Summaries of analyses and searches."""
    methods: tuple[str, ...]
    sources: tuple[str, ...]
    missing: tuple[str, ...]
    """A sentence for each thing that is not there or not whole."""


def gather(dependencies: Mapping[str, Outcome]) -> Material:
    """Read the outcomes of earlier steps; shapes that are not known become text."""
    findings: dict[str, Finding] = {}
    charts: dict[str, Chart] = {}
    quotes: list[Quote] = []
    texts: list[Text] = []
    summaries: list[str] = []
    methods: dict[str, None] = {}
    sources: dict[str, None] = {}
    missing: list[str] = []
    for step, outcome in dependencies.items():
        missing += _missing(step, outcome)
        if outcome.status != "succeeded":
            continue
        output = outcome.output
        known = False
        if _is_object(output):
            found, drawn, quoted = read_findings(output), list(_charts(output)), list(_quotes(output))
            known = bool(found or drawn or quoted or "findings" in output or "passages" in output or "charts" in output)
            for finding in found:
                findings.setdefault(finding.title, finding)
            charts |= {chart.path: chart for chart in drawn}
            quotes += quoted
            if known and isinstance(output.get("summary"), str):
                summaries.append(str(output["summary"]))
            if isinstance(output.get("method"), str):
                methods[str(output["method"])] = None
            sources |= dict.fromkeys(_sources(output))
        for artifact in outcome.artifacts:
            if artifact.media_type in _PICTURES and artifact.path not in charts:
                title = artifact.title or step
                charts[artifact.path] = Chart(path=artifact.path, title=title, alt=title)
        if not known and (body := _markdown(output)):
            texts.append(Text(step=step, body=body))
    return Material(
        findings=tuple(findings.values()),
        charts=tuple(charts.values()),
        quotes=tuple(quotes),
        texts=tuple(texts),
        summaries=tuple(summaries),
        methods=tuple(methods),
        sources=tuple(sources),
        missing=tuple(missing),
    )


def _is_object(value: object) -> TypeGuard[dict[str, JsonValue]]:
    return isinstance(value, dict)


def _missing(step: str, outcome: Outcome) -> Iterator[str]:
    name = words(step.replace("-", " "))
    if outcome.status != "succeeded":
        why = f": {one_line(outcome.error.message, 300)}" if outcome.error else ""
        became = "failed" if outcome.status == "failed" else f"was {outcome.status}"
        yield f"The step “{name}” {became}{why}. Its part is not in this report."
    for reason in outcome.degraded:
        yield f"{name}: {one_line(reason, 300)}."


def _charts(output: dict[str, JsonValue]) -> Iterator[Chart]:
    for item in _objects(output.get("charts")):
        if isinstance(item.get("path"), str):
            title = str(item.get("title") or "Chart")
            yield Chart(
                path=str(item["path"]),
                title=title,
                alt=str(item.get("alt") or title),
                finding=str(item.get("finding") or ""),
            )


def _quotes(output: dict[str, JsonValue]) -> Iterator[Quote]:
    for item in _objects(output.get("passages")):
        if isinstance(item.get("text"), str):
            page = f", page {item['page']}" if item.get("page") is not None else ""
            line = f", line {item['line']}" if item.get("line") is not None else ""
            yield Quote(where=f"{item.get('file') or 'unnamed'}{page}{line}", text=str(item["text"]))


def _sources(output: dict[str, JsonValue]) -> Iterator[str]:
    source = output.get("source")
    if _is_object(source):
        listed = _objects(source.get("files")) or [source]
        for item in listed:
            if item.get("file"):
                yield f"{item['file']} ({item.get('rows')} rows, {item.get('columns')} columns)"
    for item in _objects(output.get("passages")):
        if item.get("file"):
            yield str(item["file"])


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _markdown(output: JsonValue) -> str:
    """Write any output as Markdown: text as it is, flat lists of objects as tables, the rest as lists."""
    if output is None or output == "":
        return ""
    if isinstance(output, str):
        return output.strip()
    if _is_object(output):
        for key in ("markdown", "text", "answer", "summary", "content"):
            if isinstance(output.get(key), str):
                return str(output[key]).strip()
        return "\n".join(f"- **{words(key)}**: {one_line(value)}" for key, value in output.items())
    rows = _objects(output)
    if rows and isinstance(output, list) and len(rows) == len(output):
        columns = list(dict.fromkeys(key for row in rows for key in row))[:8]
        lines = ["| " + " | ".join(words(column) for column in columns) + " |", "|" + " --- |" * len(columns)]
        lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows[:_MAX_ROWS]]
        return "\n".join(lines) + (
            f"\n\n{len(rows) - _MAX_ROWS} more rows are left out." if len(rows) > _MAX_ROWS else ""
        )
    if isinstance(output, list):
        return "\n".join(f"- {one_line(item)}" for item in output)
    return str(output)


def _cell(value: JsonValue) -> str:
    return "" if value is None else one_line(value, 80).replace("|", "\\|")
