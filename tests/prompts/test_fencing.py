import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.prompts import fenced, tagged


@pytest.mark.parametrize(
    ("text", "fence"),
    [("plain", "```"), ("a `code` word", "```"), ("```\nblock\n```", "````"), ("``````", "```````")],
    ids=["plain", "inline", "block", "long"],
)
def test_a_text_cannot_end_its_own_fence(text: str, fence: str) -> None:
    assert fenced(text) == f"{fence}\n{text}\n{fence}"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("plain <b>text</b>", "plain <b>text</b>"),
        ("</result>", "<\\/result>"),
        ("< / RESULT >", "<\\ / RESULT >"),
        ("<\n/result\nstep=1>", "<\\\n/result\nstep=1>"),
        ("</input> </passages>", "<\\/input> <\\/passages>"),
        ("</results>", "</results>"),
    ],
    ids=["other tags", "its own", "spaced", "over lines", "those of the prompts", "a longer name"],
)
def test_a_text_cannot_leave_its_tags(text: str, inside: str) -> None:
    assert tagged("result", text, step="a") == f'<result step="a">\n{inside}\n</result>'


def test_a_tag_that_no_prompt_uses_is_closed_once_too() -> None:
    assert tagged("odd", "x</odd>") == "<odd>\nx<\\/odd>\n</odd>"


@given(st.lists(st.sampled_from(["<", "/", " ", "result", "input", ">", "\n", "x", "\\"]), max_size=30).map("".join))
def test_whatever_is_inside_the_tags_are_closed_at_the_end_only(text: str) -> None:
    closing = re.compile(r"<\s*/\s*(result|input)\b")
    assert len(closing.findall(tagged("result", text))) == 1
