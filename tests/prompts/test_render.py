import pytest

from goalgraph.errors import InvalidPrompt
from goalgraph.prompts import fenced, render


def repair(**changes: object) -> str:
    values: dict[str, object] = {"drafted": True, "problems": ["first", "second"], "more": 0}
    return render("repair", **(values | changes))


def test_a_template_is_filled_in_with_its_values() -> None:
    assert repair() == (
        "Your last plan cannot be used:\n- first\n- second\n\n"
        "Write the whole plan again, with all of this corrected, and keep what was right."
    )


def test_braces_and_markup_in_a_value_stay_as_they_are() -> None:
    assert "- {{ 7 * 7 }} {% raw %} <b>&amp;" in repair(problems=["{{ 7 * 7 }} {% raw %} <b>&amp;"])


def test_all_missing_and_surplus_values_are_named_at_once() -> None:
    with pytest.raises(InvalidPrompt) as caught:
        render("repair", problems=[], extra=1, other=2)
    assert "missing ['drafted', 'more'] and surplus ['extra', 'other']" in str(caught.value)


@pytest.mark.parametrize("values", [{"schema": 1, "extra": 2}, {}], ids=["surplus", "missing"])
def test_a_surplus_or_missing_value_alone_is_an_invalid_prompt(values: dict[str, object]) -> None:
    with pytest.raises(InvalidPrompt, match=r"takes the values \['schema'\]"):
        render("plan_json", **values)


@pytest.mark.parametrize("name", ["nowhere", "../plan", "", "templates/plan"])
def test_a_template_that_does_not_exist_is_an_invalid_prompt(name: str) -> None:
    with pytest.raises(InvalidPrompt, match="cannot be read"):
        render(name)


def test_a_value_of_the_wrong_shape_is_an_invalid_prompt() -> None:
    with pytest.raises(InvalidPrompt, match="cannot be rendered"):
        repair(problems=3)


def test_a_part_that_a_value_does_not_have_is_an_invalid_prompt() -> None:
    with pytest.raises(InvalidPrompt, match="cannot be rendered"):
        render("synthesize", goal="g", parts=[{"step": "a"}], missing=[])


@pytest.mark.parametrize(
    ("text", "fence"),
    [("plain", "```"), ("a `code` word", "```"), ("```\nblock\n```", "````"), ("``````", "```````")],
    ids=["plain", "inline", "block", "long"],
)
def test_a_text_cannot_end_its_own_fence(text: str, fence: str) -> None:
    assert fenced(text) == f"{fence}\n{text}\n{fence}"
