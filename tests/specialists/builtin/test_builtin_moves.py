"""Falls, rises, lines, sums and requests: the pure parts."""

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.specialists.builtin.additive import find_changes, find_sums
from goalgraph.specialists.builtin.moves import fit, largest_fall, largest_rise, robust_scores, turning_points
from goalgraph.specialists.builtin.request import mentioned, read_request
from goalgraph.specialists.builtin.wording import number, words

VALUES = st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)), min_size=2, max_size=30)


@given(VALUES)
def test_no_pair_of_points_falls_farther_than_the_largest_fall(values: list[float]) -> None:
    fall, rise = largest_fall(values), largest_rise(values)
    drops = [values[i] - values[j] for i in range(len(values)) for j in range(i, len(values))]
    assert values[fall.start] - values[fall.end] == max(drops)
    assert values[rise.end] - values[rise.start] == -min(drops)
    assert fall.start <= fall.end
    assert rise.start <= rise.end


@given(VALUES.filter(lambda values: len(set(values)) > 1))
def test_a_fitted_line_is_that_of_the_standard_library(values: list[float]) -> None:
    xs = [float(at) for at in range(len(values))]
    line, known = fit(xs, values), statistics.linear_regression(xs, values)
    size = max(map(abs, values))
    assert math.isclose(line.slope, known.slope, abs_tol=1e-6 * size)
    assert math.isclose(line.start, known.intercept, abs_tol=1e-6 * size)
    assert 0 <= line.r2 <= 1


def test_turning_points_are_the_highs_and_lows_without_small_swings() -> None:
    assert turning_points([0, 10, 9.5, 10.5, 2, 3, 12]) == [3, 4]
    assert turning_points([1, 2, 3]) == []
    assert turning_points([5, 5, 5]) == []


def test_robust_scores_do_not_let_an_outlier_hide_itself() -> None:
    scores = robust_scores([1, 2, 3, 4, 5, 1000])
    assert scores[-1] > 100
    assert max(map(abs, scores[:-1])) < 3.5


def test_totals_are_found_through_several_levels() -> None:
    a, b, c, d = ([float(7 * at % 13 + size) for at in range(1, 20)] for size in (10, 40, 90, 200))
    b = [value + at * at for at, value in enumerate(b)]
    d = [value + 3 * at % 11 for at, value in enumerate(d)]
    low = [x + y for x, y in zip(a, b, strict=True)]
    top = [x + y + z for x, y, z in zip(low, c, d, strict=True)]
    sums = find_sums({"top": top, "a": a, "b": b, "c": c, "d": d, "low": low})
    assert set(sums) == {"top", "low"}
    assert {frozenset(parts) for parts in sums["top"]} == {
        frozenset({"low", "c", "d"}),
        frozenset({"a", "b", "c", "d"}),
    }
    assert sums["low"] == (("a", "b"),)
    top[7] *= 1.01
    assert "top" not in find_sums({"top": top, "a": a, "b": b, "c": c, "d": d, "low": low})


def test_a_column_of_differences_is_traced_to_its_level() -> None:
    level = [float(at * at % 17) for at in range(20)]
    change = [0.0, *(later - earlier for earlier, later in pairwise(level))]
    assert find_changes({"level": level, "change": change}) == {"change": "level"}


@pytest.mark.parametrize(
    ("text", "findings", "charts"),
    [
        ("Identify the top 3 trends", 3, None),
        ("find the five most important insights", 5, None),
        ("Analyze the top 4", 4, None),
        ("create two charts of the 3 trends", 3, 2),
        ("write 500 words on sales of 2024", None, None),
    ],
    ids=["digit", "word", "top-only", "charts", "other-numbers"],
)
def test_numbers_are_read_from_an_instruction(text: str, findings: int | None, charts: int | None) -> None:
    request = read_request(text)
    assert (request.findings, request.charts) == (findings, charts)


def test_a_count_in_the_goal_is_not_for_a_step_about_something_else() -> None:
    goal = "identify the top 3 trends and list the outliers"
    assert read_request("analyze the data", goal).findings == 3
    assert read_request("describe the distribution of sales", goal).findings is None


def test_a_common_word_alone_does_not_name_a_column() -> None:
    names = ["information", "retail_trade"]
    assert mentioned(names, "Provide information about trends") == set()
    assert mentioned(names, "the trend in information") == {"information"}
    assert mentioned(names, "plot `information` and retail_trade") == set(names)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (138419.0, "138,419"),
        (0.05417, "0.05417"),
        (26.114, "26.11"),
        (-2772.6, "-2,773"),
        (3.0, "3"),
        (549.84, "549.8"),
    ],
    ids=str,
)
def test_numbers_are_written_for_reading(value: float, text: str) -> None:
    assert number(value) == text


def test_column_names_become_words() -> None:
    assert words("education_and_health_services") == "Education and health services"
    assert words("netProfit") == "Net Profit"
