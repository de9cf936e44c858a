"""The analyst's figures, checked against a computation of the tests' own."""

import csv
import statistics
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from goalgraph.errors import InvalidData
from goalgraph.specialists import StepContext, StepTask
from goalgraph.specialists.builtin import DataAnalyst
from goalgraph.specialists.results import as_json

ROOT = Path(__file__).parents[3]
EMPLOYMENT = ROOT / "examples" / "data" / "us-employment.csv"
DATA = Path(__file__).parent / "data"
DEMO = "Analyze the data, identify the top 3 trends, create visualizations, and write an executive summary"


async def analysed(path: Path, instruction: str, goal: str = "", **given: Any) -> tuple[Any, Any]:
    task = StepTask(step="analyse", instruction=instruction, input=given)
    result = await DataAnalyst([(path, path.name)]).run(task, StepContext(goal=goal))
    return as_json(result.output), result


def column(name: str) -> dict[str, float]:
    with EMPLOYMENT.open(newline="") as file:
        return {row["month"][:7]: float(row[name]) for row in csv.DictReader(file)}


async def test_asked_for_three_trends_it_finds_the_growth_the_collapse_and_the_shock() -> None:
    output, result = await analysed(EMPLOYMENT, "identify the top 3 trends")
    told = [(finding["columns"][0], finding["kind"]) for finding in output["findings"]]
    assert told == [
        ("education_and_health_services", "growth"),
        ("goods_producing", "partial_recovery"),
        ("nonfarm", "shock_and_recovery"),
    ]
    assert result.degraded == ()
    assert output["source"] == {"file": "us-employment.csv", "rows": 120, "columns": 24}


async def test_first_and_last_values_changes_and_growth_rates_are_those_of_the_file() -> None:
    output, _ = await analysed(EMPLOYMENT, DEMO)
    for finding in output["findings"]:
        values, figures = column(finding["columns"][0]), finding["figures"]
        first, last = values["2006-01"], values["2015-12"]
        assert (figures["first_date"], figures["last_date"]) == ("2006-01", "2015-12")
        assert (figures["first"], figures["last"]) == (first, last)
        assert figures["change"] == pytest.approx(last - first)
        assert figures["change_pct"] == pytest.approx(100 * (last - first) / first)
        years = (119 / 12 - 1e-3, 119 / 12 + 1e-2)
        rates = [100 * ((last / first) ** (1 / span) - 1) for span in years]
        assert min(rates) - 1e-2 <= figures["annual_growth_pct"] <= max(rates) + 1e-2
        assert figures["peak"] == max(values.values()) == values[figures["peak_date"]]
        assert figures["trough"] == min(values.values()) == values[figures["trough_date"]]


async def test_the_largest_fall_is_the_one_that_trying_all_pairs_of_months_finds() -> None:
    output, _ = await analysed(EMPLOYMENT, DEMO)
    falls = {
        finding["columns"][0]: finding["figures"] for finding in output["findings"] if "fall" in finding["figures"]
    }
    assert set(falls) == {"goods_producing", "nonfarm"}
    for name, figures in falls.items():
        series = list(column(name).items())
        pairs = [(end / start, one, other) for at, (one, start) in enumerate(series) for other, end in series[at:]]
        ratio, start, end = min(pairs)
        assert (figures["fall"]["from_date"], figures["fall"]["to_date"]) == (start, end)
        assert figures["fall"]["change_pct"] == pytest.approx(100 * (ratio - 1))
        high, low, last = column(name)[start], column(name)[end], series[-1][1]
        assert figures["recovered_pct"] == pytest.approx(100 * (last - low) / (high - low))
    back = next(month for month, value in column("nonfarm").items() if month > "2010-02" and value >= 138_419)
    assert falls["nonfarm"]["regained_date"] == back == "2014-05"
    assert falls["goods_producing"]["regained_date"] is None


async def test_slope_and_r2_are_those_of_the_standard_library() -> None:
    output, _ = await analysed(EMPLOYMENT, "the trend in education_and_health_services")
    [finding] = output["findings"]
    values = list(column("education_and_health_services").values())
    months = [at / 12 for at in range(len(values))]
    assert finding["figures"]["slope_per_year"] == pytest.approx(
        statistics.linear_regression(months, values).slope, rel=1e-3
    )
    assert finding["figures"]["r2"] == pytest.approx(statistics.correlation(months, values) ** 2, abs=1e-4)


async def test_the_drivers_of_a_fall_are_parts_that_sum_to_it() -> None:
    output, _ = await analysed(EMPLOYMENT, DEMO)
    for finding in output["findings"][1:]:
        fall, parts = finding["figures"]["fall"], finding["figures"]["drivers"]
        assert sum(part["change"] for part in parts) == pytest.approx(fall["change"], abs=1)
        assert sum(part["share_of_change_pct"] for part in parts) == pytest.approx(100, abs=0.1)
        for part in parts:
            values = column(part["column"])
            assert part["change"] == pytest.approx(values[fall["to_date"]] - values[fall["from_date"]])
    assert [part["name"] for part in output["findings"][1]["figures"]["drivers"]][:2] == [
        "Manufacturing",
        "Construction",
    ]


async def test_a_column_of_changes_is_not_told_beside_its_level() -> None:
    output, _ = await analysed(EMPLOYMENT, "identify the top 20 trends")
    assert "nonfarm_change" not in {finding["columns"][0] for finding in output["findings"]}
    assert len(output["findings"]) == 20


async def test_a_named_column_is_what_gets_told() -> None:
    output, _ = await analysed(EMPLOYMENT, "What is the trend in construction?", goal=DEMO.replace("3", "three"))
    assert output["findings"][0]["columns"][0] == "construction"


@pytest.mark.parametrize(
    "text", ["in thousands of jobs", "(figures are in thousands of jobs)"], ids=["plain", "brackets"]
)
async def test_a_unit_in_the_goal_goes_into_the_figures(text: str) -> None:
    output, _ = await analysed(EMPLOYMENT, "identify the top 3 trends", goal=f"Analyze employment {text}.")
    assert {finding["figures"]["unit"] for finding in output["findings"]} == {"thousands of jobs"}


async def test_a_long_table_is_told_by_group_with_shares_of_the_total() -> None:
    output, _ = await analysed(DATA / "iowa-electricity.csv", "identify the top three trends")
    told = [(finding["group"], finding["kind"]) for finding in output["findings"]]
    assert told == [("Renewables", "growth"), ("Fossil Fuels", "decline"), (None, "growth")]
    with (DATA / "iowa-electricity.csv").open(newline="") as file:
        rows = [(row["year"][:4], row["source"], float(row["net_generation"])) for row in csv.DictReader(file)]
    figures = output["findings"][0]["figures"]
    total = sum(value for year, _, value in rows if year == "2017")
    own = next(value for year, source, value in rows if (year, source) == ("2017", "Renewables"))
    assert figures["share_of_total_last_pct"] == pytest.approx(100 * own / total)
    assert output["findings"][2]["figures"]["last"] == total


async def test_daily_weather_is_told_by_yearly_means_without_percent_of_degrees() -> None:
    output, _ = await analysed(DATA / "seattle-weather.csv", "identify the top 3 trends")
    assert [finding["kind"] for finding in output["findings"]] == ["growth", "growth", "seasonal_pattern"]
    warm = output["findings"][0]
    with (DATA / "seattle-weather.csv").open(newline="") as file:
        rows = [(row["date"], float(row["temp_max"])) for row in csv.DictReader(file)]

    def mean_of_months(year: str) -> float:
        months = [[value for day, value in rows if day.startswith(f"{year}/{month:02}")] for month in range(1, 13)]
        return statistics.fmean(statistics.fmean(month) for month in months)

    assert warm["columns"][0] == "temp_max"
    assert warm["figures"]["first"] == pytest.approx(mean_of_months("2012"))
    assert warm["figures"]["last"] == pytest.approx(mean_of_months("2015"))
    assert warm["figures"]["change_pct"] is None
    assert "only 4 points" in warm["detail"]


async def test_asked_for_more_than_there_is_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("year,sales\n" + "".join(f"{2000 + at},{100 + 10 * at}\n" for at in range(10)))
    output, result = await analysed(path, "the top 3 trends")
    assert len(output["findings"]) == 1
    assert result.degraded == ("asked for 3 findings, the data holds 1",)


async def test_without_dates_groups_and_relations_are_compared_and_missing_trends_are_owned_up_to(
    tmp_path: Path,
) -> None:
    rows = [f"{kind},{base + at},{2 * (base + at)}" for kind, base in (("a", 0), ("b", 100)) for at in range(10)]
    path = tmp_path / "t.csv"
    path.write_text("kind,size,cost\n" + "\n".join(rows) + "\n")
    output, result = await analysed(path, "identify the top 2 trends")
    assert [finding["kind"] for finding in output["findings"]] == ["group_difference", "relation"]
    means = {item["group"]: item["mean"] for item in output["findings"][0]["figures"]["groups"]}
    assert output["findings"][1]["figures"]["r"] == pytest.approx(1)
    assert means[output["findings"][0]["figures"]["groups"][0]["group"]] == max(means.values())
    assert "shows no trends over time" in result.degraded[0]


async def test_outliers_are_found_by_robust_deviation(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,value\n" + "".join(f"n{at},{10 + at % 5}\n" for at in range(50)) + "odd,500\n")
    output, _ = await analysed(path, "list the outliers")
    [finding] = output["findings"]
    assert finding["figures"]["count"] == 1
    assert finding["figures"]["values"][0] == {"where": "odd", "value": 500, "robust_z": pytest.approx(488 / 1.4826)}


async def test_only_given_files_can_be_named() -> None:
    with pytest.raises(InvalidData, match="no file '/etc/passwd' was given"):
        await analysed(EMPLOYMENT, "trends", files=["/etc/passwd"])


async def test_the_profile_counts_missing_and_distinct_values(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("day,kind,x\n2024-01-01,a,1\n2024-01-02,a,\n2024-01-03,b,3\n2024-01-04,b,NA\n2024-01-05,b,9\n")
    output, _ = await analysed(path, "analyze")
    columns = {item["name"]: item for item in output["profile"]["t.csv"]["columns"]}
    assert columns["x"]["missing"] == 2
    assert (columns["x"]["min"], columns["x"]["median"], columns["x"]["max"]) == (1, 3, 9)
    assert columns["kind"]["most_frequent"] == [{"value": "b", "rows": 3}, {"value": "a", "rows": 2}]
    assert columns["day"]["type"] == "time"


async def test_months_that_the_file_cuts_short_do_not_become_points(tmp_path: Path) -> None:
    first, path = date(2020, 1, 30), tmp_path / "t.csv"
    days = [first + timedelta(days=at) for at in range(800)]
    rows = [f"{day},{1000 if day.month == 1 and day.year == 2020 else (day - first).days / 10}" for day in days]
    path.write_text("day,level\n" + "\n".join(rows) + "\n")
    output, _ = await analysed(path, "the top trend")
    figures = output["findings"][0]["figures"]
    assert (figures["first_date"], figures["point_is"]) == ("2020-02", "monthly means")
    assert figures["peak"] < 100
