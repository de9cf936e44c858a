"""A finding: one thing that the data says, in words and in figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

__all__ = ["Finding", "read_findings", "rounded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found, where, and how strongly."""

    title: str
    detail: str
    kind: str
    """Such as ``"growth"``, ``"shock_and_recovery"``, ``"seasonal_pattern"`` or ``"group_difference"``."""
    file: str
    columns: tuple[str, ...]
    """Columns it is about, the main one first."""
    figures: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    score: float = 0.0
    """Rank order; comparable within one table only."""
    group: str | None = None
    """Value of the group column that it is about, in a long table."""
    brief: str = ""
    """The finding in one sentence, where the title alone says too little."""

    def as_json(self, rank: int) -> dict[str, JsonValue]:
        """Return it as JSON, with its place in the ranking, from 1."""
        return {
            "rank": rank,
            "title": self.title,
            "detail": self.detail,
            "brief": self.brief or f"{self.title}.",
            "kind": self.kind,
            "file": self.file,
            "columns": list(self.columns),
            "group": self.group,
            "figures": dict(self.figures),
            "score": rounded(self.score),
        }


def read_findings(output: JsonValue) -> tuple[Finding, ...]:
    """Read the findings in a step's output; what is not one, or not whole, is passed over."""
    listed = output.get("findings") if isinstance(output, dict) else None
    found: list[Finding] = []
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict) or not isinstance(item.get("title"), str):
            continue
        columns, figures, group = item.get("columns"), item.get("figures"), item.get("group")
        found.append(
            Finding(
                title=str(item["title"]),
                detail=str(item.get("detail") or ""),
                kind=str(item.get("kind") or ""),
                file=str(item.get("file") or ""),
                columns=tuple(str(name) for name in columns) if isinstance(columns, list) else (),
                figures=figures if isinstance(figures, dict) else {},
                group=group if isinstance(group, str) else None,
                brief=str(item.get("brief") or ""),
            )
        )
    return tuple(found)


def rounded(value: float) -> float:
    """Round to nine significant digits, so that figures show no binary dust."""
    return float(f"{value:.9g}")
