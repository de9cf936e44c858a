"""Charts: which ones, of what, and that threads do not disturb each other."""

import asyncio
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from goalgraph.planner.outcome import Artifact, Outcome
from goalgraph.specialists import StepContext, StepTask
from goalgraph.specialists.builtin import ChartMaker, DataAnalyst
from goalgraph.specialists.results import as_json

EMPLOYMENT = Path(__file__).parents[3] / "examples" / "data" / "us-employment.csv"
DATA = Path(__file__).parent / "data"


async def trends_of(path: Path, instruction: str = "identify the top 3 trends") -> Outcome:
    result = await DataAnalyst([(path, path.name)]).run(
        StepTask(step="analyse", instruction=instruction), StepContext(goal="")
    )
    return Outcome(step="analyse", status="succeeded", output=as_json(result.output))


async def drawn(path: Path, out: Path, instruction: str, *before: Outcome, step: str = "draw") -> tuple[Any, Any]:
    context = StepContext(goal="", dependencies={outcome.step: outcome for outcome in before})
    result = await ChartMaker([(path, path.name)], out=out).run(StepTask(step=step, instruction=instruction), context)
    return as_json(result.output), result


async def test_each_finding_gets_its_own_picture_under_its_own_title(tmp_path: Path) -> None:
    trends: Any = await trends_of(EMPLOYMENT)
    output, result = await drawn(EMPLOYMENT, tmp_path, "Create visualizations", trends)
    titles = [finding["title"] for finding in trends.output["findings"]]
    assert [chart["finding"] for chart in output["charts"]] == [chart["title"] for chart in output["charts"]] == titles
    assert [Artifact.model_validate(a).media_type for a in result.artifacts] == ["image/png"] * 3
    for chart in output["charts"]:
        content = Path(chart["path"]).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 20_000
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == sorted(
        Path(chart["path"]).name for chart in output["charts"]
    )


async def test_an_svg_shows_title_values_parts_axis_and_source(tmp_path: Path) -> None:
    trends = await trends_of(EMPLOYMENT, "identify the top 3 trends in thousands of jobs")
    output, _ = await drawn(EMPLOYMENT, tmp_path, "Draw SVG charts", trends)
    picture = Path(output["charts"][2]["path"]).read_text()
    assert "<dc:title>Nonfarm fell 6.3% from Jan 2008 to Feb 2010, then recovered</dc:title>" in picture
    text = "\n".join(re.findall(r"<!-- (.*?) -->", picture, re.DOTALL))
    for part in (
        "Nonfarm fell 6.3% from Jan 2008 to Feb 2010, then recovered",
        "Manufacturing",
        "−2,272",
        "Nonfarm (thousands of jobs)",
        "Source: us-employment.csv, 120 rows",
    ):
        assert part in text, part


async def test_the_same_step_writes_the_same_files(tmp_path: Path) -> None:
    trends = await trends_of(DATA / "iowa-electricity.csv")
    path = DATA / "iowa-electricity.csv"
    first, _ = await drawn(path, tmp_path / "a", "Draw charts as SVG", trends)
    second, _ = await drawn(path, tmp_path / "b", "Draw charts as SVG", trends)
    for one, other in zip(first["charts"], second["charts"], strict=True):
        assert Path(one["path"]).name == Path(other["path"]).name
        assert Path(one["path"]).read_bytes() == Path(other["path"]).read_bytes()


async def test_a_number_of_charts_is_kept_and_an_overview_fills_up(tmp_path: Path) -> None:
    trends = await trends_of(EMPLOYMENT)
    one, _ = await drawn(EMPLOYMENT, tmp_path, "make 1 chart", trends)
    four, _ = await drawn(EMPLOYMENT, tmp_path, "make 4 charts", trends)
    nine, result = await drawn(EMPLOYMENT, tmp_path, "make 9 charts", trends)
    assert [len(output["charts"]) for output in (one, four, nine)] == [1, 4, 4]
    assert "Education and health services +24.4%" in four["charts"][3]["alt"]
    assert result.degraded == ("asked for 9 charts, the data and findings gave 4",)


@pytest.mark.parametrize(
    ("instruction", "title"),
    [("a histogram of wind", "Distribution of wind"), ("show the seasonal pattern of the 3 trends", "Temp max rose")],
    ids=["histogram", "own-analysis"],
)
async def test_without_findings_it_looks_at_the_data_itself(tmp_path: Path, instruction: str, title: str) -> None:
    output, _ = await drawn(DATA / "seattle-weather.csv", tmp_path, instruction)
    assert output["charts"][0]["title"].startswith(title)


async def test_groups_relations_and_outliers_can_be_drawn(tmp_path: Path) -> None:
    rows = [
        f"{kind},{base + at},{3 * (base + at) + at % 3}" for kind, base in (("a", 0), ("b", 100)) for at in range(20)
    ]
    path = tmp_path / "t.csv"
    path.write_text("kind,size,cost\n" + "\n".join([*rows, "b,9000,1"]) + "\n")
    found: Any = await trends_of(path, "compare the groups, correlations, outliers and distributions")
    output, _ = await drawn(path, tmp_path, "draw SVG charts", found)
    assert len(output["charts"]) == len(found.output["findings"]) >= 3
    for chart in output["charts"]:
        assert ElementTree.parse(chart["path"]).getroot().tag.endswith("svg")


async def test_steps_that_draw_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    iowa, jobs = await trends_of(DATA / "iowa-electricity.csv"), await trends_of(EMPLOYMENT)
    alone, _ = await drawn(EMPLOYMENT, tmp_path / "alone", "SVG charts", jobs)
    several = await asyncio.gather(
        *(drawn(DATA / "iowa-electricity.csv", tmp_path / "x", "SVG charts", iowa, step=f"s{at}") for at in range(3)),
        drawn(EMPLOYMENT, tmp_path / "x", "SVG charts", jobs),
    )
    assert len({chart["path"] for output, _ in several for chart in output["charts"]}) == 12
    for one, other in zip(alone["charts"], several[3][0]["charts"], strict=True):
        assert Path(one["path"]).read_bytes() == Path(other["path"]).read_bytes()
