"""Reports: right figures, charts in place, and honest about what is missing."""

import re
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from goalgraph.planner.outcome import Artifact, Outcome, StepError
from goalgraph.specialists import StepContext, StepTask
from goalgraph.specialists.builtin import ReportWriter, builtin_specialists
from goalgraph.specialists.results import as_json

EMPLOYMENT = Path(__file__).parents[3] / "examples" / "data" / "us-employment.csv"
GOAL = "Analyze the data, identify the top 3 trends, create visualizations, and write an executive summary"


async def ran(out: Path, name: str, instruction: str, *before: Outcome, goal: str = GOAL, step: str = "") -> Any:
    offered = {item.card.name: item for item in builtin_specialists(files=[EMPLOYMENT], out=out)}
    task = StepTask(step=step or name, instruction=instruction)
    result: Any = await offered[name].run(task, StepContext(goal=goal, dependencies={o.step: o for o in before}))
    return Outcome(
        step=task.step,
        status="succeeded",
        output=as_json(result.output),
        artifacts=result.artifacts,
        degraded=result.degraded,
        confidence=result.confidence,
    )


def done(step: str, output: Any) -> Outcome:
    return Outcome(step=step, status="succeeded", output=output)


async def written(out: Path, instruction: str, *before: Outcome, goal: str = "g") -> tuple[str, Any]:
    context = StepContext(goal=goal, dependencies={outcome.step: outcome for outcome in before})
    result = await ReportWriter(out=out).run(StepTask(step="write", instruction=instruction), context)
    output: Any = result.output
    assert Path(output["path"]).read_text(encoding="utf-8").startswith(output["markdown"].rstrip())
    return output["markdown"], result


async def test_the_demo_goal_ends_in_a_report_with_true_figures_and_its_charts(tmp_path: Path) -> None:
    analysis = await ran(tmp_path, "data_analyst", "Identify the top 3 trends")
    charts = await ran(tmp_path, "chart_maker", "Create visualizations", analysis)
    report: Any = await ran(tmp_path, "report_writer", "Write an executive summary", analysis, charts)
    text = report.output["markdown"]
    summary = text.split("## Executive summary")[1].split("## Findings")[0]
    for figure in ("24.4%", "17,946 to 22,318", "22.1%", "42.2%", "6.3%", "138,419 to 129,726", "143,093, 4,674 above"):
        assert figure in summary, figure
    places = [text.index(f"### {at}.") for at in (1, 2, 3)]
    pictures = list(re.finditer(r"!\[(.+?)\]\((.+?)\)", text))
    assert [start < picture.start() for start, picture in zip(places, pictures, strict=True)] == [True] * 3
    for number, picture in enumerate(pictures, 1):
        assert f"### {number}. {picture.group(1)}" in text
        assert (tmp_path / picture.group(2)).is_file()
    assert "us-employment.csv (120 rows, 24 columns)" in text
    assert report.artifacts[0].media_type == "text/markdown"
    assert report.degraded == ()


async def test_every_number_of_the_summary_stands_in_the_findings_figures_or_follows_from_them(tmp_path: Path) -> None:
    analysis: Any = await ran(tmp_path, "data_analyst", "Identify the top 3 trends")
    text, _ = await written(tmp_path, "Write an executive summary", analysis)
    summary = text.split("three findings stand out.")[1].split("## Findings")[0]
    known: set[str] = set()

    def collect(value: JsonValue) -> None:
        if isinstance(value, dict):
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)
        elif isinstance(value, (int, float)):
            known.update((f"{abs(value):,.0f}", f"{abs(value):.1f}%"))

    collect([finding["figures"] for finding in analysis.output["findings"]])
    known.add(f"{143093 - 138419:,}")
    said = re.findall(r"\d[\d,.]*%|\d{1,3}(?:,\d{3})+", summary)
    assert len(said) >= 12
    assert [number for number in said if number not in known] == []


async def test_a_failed_dependency_is_named_and_lowers_the_quality(tmp_path: Path) -> None:
    failed = Outcome(
        step="look-up", status="failed", error=StepError(code="raised", message="the disk is full", type="OSError")
    )
    text, result = await written(tmp_path, "Write a report", done("think", "All is well."), failed)
    assert "## What is missing" in text
    assert "The step “Look up” failed: the disk is full." in text
    assert result.degraded == ("without the results of: look-up",)
    assert result.confidence == 0.5


async def test_outputs_of_other_specialists_become_sections(tmp_path: Path) -> None:
    text, _ = await written(
        tmp_path,
        "Write a report",
        done("essay", "# Big\n\nA story."),
        done("table", [{"town": "Bonn", "size": 7}, {"town": "Köln", "size": 9}]),
        done("facts", {"open_orders": 3, "late": False}),
        goal="Tell me all. And more.",
    )
    assert text.startswith("# Report: Tell me all\n")
    assert "## Essay\n\n### Big\n\nA story." in text
    assert "| Town | Size |\n| --- | --- |\n| Bonn | 7 |" in text
    assert "- **Open orders**: 3" in text


async def test_passages_are_quoted_with_their_place(tmp_path: Path) -> None:
    passage = {"file": "lease.pdf", "line": 4, "page": 2, "text": "Ninety days.", "score": 3.0}
    text, _ = await written(tmp_path, "Write", done("look", {"summary": "s", "passages": [passage], "searched": 1}))
    assert "> Ninety days.\n>\n> lease.pdf, page 2, line 4" in text
    assert "- lease.pdf" in text


async def test_an_asked_length_is_kept_or_owned_up_to(tmp_path: Path) -> None:
    analysis = await ran(tmp_path, "data_analyst", "Identify the top 3 trends")
    long, _ = await written(tmp_path, "Write a full report", analysis)
    short, fine = await written(tmp_path, "Write a report of at most 200 words", analysis)
    _, broken = await written(tmp_path, "Write a report of at most 20 words", analysis)
    assert len(long.split()) > 2 * len(short.split())
    assert len(re.findall(r"[A-Za-z]+", short)) <= 200
    assert fine.degraded == ()
    assert "asked for at most 20 words" in broken.degraded[0]


async def test_a_picture_of_any_specialist_is_embedded(tmp_path: Path) -> None:
    picture = Artifact(path=str(tmp_path / "my art" / "p.png"), media_type="image/png", title="A picture")
    outcome = Outcome(step="paint", status="succeeded", output="painted", artifacts=(picture,))
    text, _ = await written(tmp_path, "Write", outcome)
    assert "![A picture](<my art/p.png>)" in text


async def test_two_reports_lie_side_by_side_also_when_each_is_written_by_a_process_of_its_own(tmp_path: Path) -> None:
    for step in ("first", "second", "first"):
        result = await ReportWriter(out=tmp_path).run(
            StepTask(step=step, instruction=f"Write {step}"), StepContext(goal="g")
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report-second.md", "report.md"]
    assert result.degraded == ("there was nothing to report on: the step depends on no other",)
