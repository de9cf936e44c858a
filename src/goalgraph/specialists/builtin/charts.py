"""The chart maker: one picture for each finding, or the pictures that the instruction asks for."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Artifact
from goalgraph.specialists.builtin.analysis import analyse
from goalgraph.specialists.builtin.choice import chosen_files, unit_of
from goalgraph.specialists.builtin.drawing import save
from goalgraph.specialists.builtin.findings import Finding, read_findings
from goalgraph.specialists.builtin.pictures import Drawable, Shelf
from goalgraph.specialists.builtin.request import Request, mentioned, read_request
from goalgraph.specialists.builtin.wording import slug
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

__all__ = ["ChartMaker"]

_MAX_CHARTS = 20


class ChartMaker:
    """Draws what an analysis found, straight from the data."""

    def __init__(self, files: Sequence[tuple[Path, str]], *, out: Path) -> None:
        self._files = tuple(files)
        self._out = out

    @property
    def card(self) -> SpecialistCard:
        """How planners see it."""
        return SpecialistCard(
            name="chart_maker",
            description=(
                "Draws charts of the given tables as PNG or SVG files: lines over time, bars for comparisons, "
                "histograms, scatter "
                "plots. Depends best on a step of data_analyst and makes one chart for each of its findings."
            ),
            capabilities=("charts", "data_visualization"),
            cost_usd=0.0,
        )

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Draw the charts of the dependencies' findings; without any, analyse first.

        Raises:
            InvalidData: A table cannot be read, or nothing in it can be drawn.
            MissingExtra: polars or matplotlib is not installed.
        """
        files = chosen_files(self._files, task)
        request = read_request(task.instruction, context.goal, unit=unit_of(task))
        findings = [
            finding
            for outcome in context.dependencies.values()
            if outcome.status == "succeeded"
            for finding in read_findings(outcome.output)
        ]
        context.progress("drawing charts")
        return await asyncio.to_thread(self._draw, files, request, findings, task.step)

    def _draw(
        self, files: Sequence[tuple[Path, str]], request: Request, findings: list[Finding], step: str
    ) -> StepResult:
        given = {finding.file for finding in findings}
        shelf = Shelf([item for item in self._files if item in files or item[1] in given], _unit(request, findings))
        wanted = min(request.charts or _MAX_CHARTS, _MAX_CHARTS)
        drawables, lacking = _choose(shelf, files, request, findings, wanted)
        folder = self._out / "charts"
        folder.mkdir(parents=True, exist_ok=True)
        suffix, media = (".svg", "image/svg+xml") if request.svg else (".png", "image/png")
        charts: list[JsonValue] = []
        artifacts: list[Artifact] = []
        for place, drawable in enumerate(drawables, 1):
            path = folder / f"{slug(step, 40)}-{place}-{slug(drawable.picture.title)}{suffix}"
            save(drawable.picture, path)
            title = drawable.picture.title
            charts.append({"path": str(path), "title": title, "alt": drawable.alt, "finding": drawable.finding})
            artifacts.append(Artifact(path=str(path), media_type=media, title=title))
        return StepResult(
            output={"charts": charts},
            confidence=0.9 if charts and not lacking else 0.5 if charts else 0.1,
            artifacts=tuple(artifacts),
            degraded=tuple(lacking),
        )


def _unit(request: Request, findings: Sequence[Finding]) -> str:
    units = (finding.figures.get("unit") for finding in findings)
    return request.unit or next((unit for unit in units if isinstance(unit, str) and unit), "")


def _choose(
    shelf: Shelf, files: Sequence[tuple[Path, str]], request: Request, findings: list[Finding], wanted: int
) -> tuple[list[Drawable], list[str]]:
    """Pick what to draw: named histograms, then the findings, then overviews where more was asked for."""
    drawn: list[Drawable] = []
    lacking: list[str] = []
    if request.histogram:
        columns = shelf.measures()
        named = [column for column in columns if column in mentioned(columns, request.text)]
        drawn += [item for column in (named or columns[: request.charts or 4]) if (item := shelf.histogram(column))]
    if not drawn or findings:
        for finding in findings or analyse(files, request).findings:
            picture = shelf.draw(finding)
            if picture is None:
                lacking.append(f"no chart of {finding.title!r}: its data is not among the given tables")
            else:
                drawn.append(picture)
    if request.overview or not drawn or (request.charts is not None and len(drawn) < wanted):
        drawn += list(shelf.overviews())
    if not drawn:
        drawn = [item for column in shelf.measures()[:wanted] if (item := shelf.histogram(column))]
    if not drawn:
        lacking.append("the tables hold no numbers to draw")
    if request.charts is not None and len(drawn) < wanted:
        lacking.append(f"asked for {request.charts} charts, the data and findings gave {len(drawn)}")
    return drawn[:wanted], lacking
