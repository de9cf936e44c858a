"""The text of a plan's review: what it says, what it leaves out of large plans, and that names in it are only text."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.planner.plan_strategies import HARD, examples

from goalgraph import AgentStep, HumanApprovalStep, Plan, PlanProblem, SpecialistCard
from goalgraph.graph.humans.markdown import code, escaped
from goalgraph.graph.humans.review import described
from goalgraph.planner.documents import read_document
from goalgraph.planner.estimate import Range, estimate_plan

Data = dict[str, Any]
CARDS = (SpecialistCard(name="writer", capabilities=("write",)), SpecialistCard(name="reader"))
SCREEN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""What screens show Markdown with, HTML allowed."""


def text_of(plan: Plan, **fields: Any) -> str:
    return described(plan, estimate_plan(plan, CARDS), cards=CARDS, **fields)


def plan_of(*steps: Data, **fields: Any) -> Plan:
    return read_document({"steps": list(steps), **fields}).plan


def agent(step_id: str, *needs: str, **fields: Any) -> Data:
    return {"id": step_id, "agent": "writer", "depends_on": list(needs), **fields}


def tokens(markdown: str) -> list[Token]:
    return [inner for token in SCREEN.parse(markdown) for inner in (token, *(token.children or ()))]


def shown(markdown: str) -> str:
    """What a reader sees."""
    return "".join(
        token.content
        if token.type in ("text", "code_inline")
        else "\n"
        if token.type.endswith(("break", "close"))
        else ""
        for token in tokens(markdown)
    )


def test_a_plan_is_told_in_the_order_in_which_it_runs() -> None:
    plan = plan_of(
        agent("read", task="Read the files"),
        {"id": "ask", "type": "human_input", "prompt": "How long?", "assignee": "anna"},
        {"id": "fork", "type": "condition", "if": "steps.read.output", "then": [agent("yes", when="input.x")]},
        {"id": "each", "type": "map", "over": "{{ input.rows }}", "step": agent("row", task="Check it")},
        {"id": "ok", "type": "human_approval", "prompt": "Fine?", "depends_on": ["fork", "each"]},
        agent("last", "ok", task="Write it", optional=True),
        name="Report",
        description="What happened in May.",
    )
    assert text_of(plan, goal="Tell me about May", doers={"read": "reader"}) == (
        """\
**Goal:** Tell me about May  
**Plan:** Report  
**About:** What happened in May.  
**Steps:** 7

**First, at the same time:**

- `read` (reader): Read the files
- `ask` (a human (anna)): How long?
- `each` (writer): for each item of input.rows: Check it

**Then:**

- `fork`: if steps.read.output

**Then, at the same time:**

- `fork.yes` (writer; only if `fork` is true; only if `input.x`): fork: yes
- `ok` (a human): Fine?

**Then:**

- `last` (writer; optional): Write it

- **Longest way:** `read`, `fork`, `ok`, `last`
- **Steps by specialist:** writer (4)
- **Number of items known only when their turn comes:** `each`
- **Approvals ahead:** 1: `ok`
- **Questions ahead:** 1: `ask`
- **Not known beforehand:** cost, tokens, time
- **Nobody knows the tokens, cost, time of:** writer"""  # noqa: W291 (Markdown's own line breaks)
    )


def test_a_plan_that_asks_nobody_says_so_and_ends_of_groups_are_not_told() -> None:
    text = text_of(plan_of({"id": "g", "type": "parallel", "branches": [agent("a"), agent("b")]}))
    assert "- **Approvals, questions and events ahead:** none in the plan" in text
    assert "**Steps:** 2" in text
    assert "`g`" not in text


def test_an_approval_that_a_guardrail_asks_for_is_told_too() -> None:
    guarded = {"guardrails": [{"type": "approval", "require_for": ["write"]}]}
    text = text_of(plan_of(agent("a"), coordinator=guarded))
    assert "- **Approvals ahead:** 1: `a.approval`" in text
    assert "- `a.approval` (a human): May step 'a' run?" in text


def test_what_is_known_of_cost_and_time_is_told() -> None:
    plan = plan_of(agent("a"))
    estimate = replace(
        estimate_plan(plan, CARDS), cost_usd=Range(low=0.5, high=1200), seconds=Range(low=60, high=60), tokens=None
    )
    text = described(plan, estimate)
    assert "- **Cost:** 0.50 to 1,200.00 USD\n- **Time:** 60 seconds\n- **Not known beforehand:** tokens" in text


def test_why_the_last_edit_could_not_be_used_comes_first() -> None:
    problems = [
        PlanProblem(code="invalid_value", step="a", field="agent", message="no *such*", hint="b") for _ in range(25)
    ]
    text = text_of(plan_of(agent("a")), problems=problems)
    assert text.startswith("**The last edit could not be used:**\n\n- step 'a' agent: no \\*such\\* (b)\n")
    assert text.count("no \\*such\\*") == 20
    assert "- and 5 more\n\n" in text


@pytest.mark.parametrize("wide", [True, False])
def test_a_large_plan_stays_readable(wide: bool) -> None:
    ids = [f"s{number}" for number in range(300)]
    asks: Data = {"id": "ok", "type": "human_approval", "prompt": "?", "depends_on": [ids[-1]]}
    plan = plan_of(
        *(agent(one, *([] if wide or not number else [ids[number - 1]])) for number, one in enumerate(ids)), asks
    )
    text = text_of(plan)
    assert len(text.splitlines()) < 200
    assert len(text) < 6_000
    assert "**Steps:** 301" in text
    assert ("- and 288 more" if wide else "**Then 261 more steps, one layer after the other.**") in text
    assert "**Approvals ahead:** 1: `ok`" in text


def test_many_names_are_cut_and_counted() -> None:
    steps = [{"id": f"ok{number}", "type": "human_approval", "prompt": "?"} for number in range(50)]
    assert "- **Approvals ahead:** 50: `ok0`, `ok1`" in text_of(plan_of(*steps))
    assert "`ok19` and 30 more" in text_of(plan_of(*steps))


EVIL = "\n\n# Approved **already** <script>alert(1)</script> [x](http://evil) `code` \u202e\u2028&lt; ![i](u) \\`"


def test_marks_in_names_and_tasks_mean_nothing() -> None:
    plan = Plan(
        name=EVIL,
        description=f"- {EVIL}",
        steps=(
            AgentStep(id="a", agent=f"x{EVIL}"[:100], task=f"x{EVIL}", when=f"'{EVIL}'"),
            HumanApprovalStep(id="b", prompt=f"1. x{EVIL}", assignee=f"x{EVIL}", depends_on=("a",)),
        ),
    )
    text = text_of(plan, goal=f"> {EVIL}", doers={}, problems=[PlanProblem(code="invalid_value", message=f"# {EVIL}")])
    kinds = {token.type for token in tokens(text)}
    assert kinds <= {
        *("paragraph_open", "paragraph_close", "inline", "text", "strong_open", "strong_close", "code_inline"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close", "hardbreak", "softbreak"),
    }
    assert not re.search("[\u202e\u2028]", text)
    assert shown(text).count("<script>alert(1)</script>") >= 6
    bold = [later.content for one, later in pairwise(tokens(text)) if one.type == "strong_open"]
    assert bold
    assert not any("already" in one for one in bold)


_TEXTS = st.lists(
    st.sampled_from((*HARD, "*a*", "_b_", "<b>", "](", "[", "![", "~~", "&amp;", "1.", "- ", "+ ", "***", "---", "==="))
    | st.text(max_size=5),
    max_size=10,
).map("".join)


@examples(300)
@given(_TEXTS)
def test_any_words_show_as_they_are_on_one_line(text: str) -> None:
    found = escaped(text, 10_000)
    words = " ".join(text.split())
    for before in ("", "- ", "is:"):
        seen = "".join(one.content for one in tokens(before + found) if one.type == "text").removeprefix("is:")
        assert len(seen) == len(words)
        assert all(one in (other, "\ufffd") for one, other in zip(seen, words, strict=True))


@pytest.mark.parametrize(
    "text",
    ["&amp; &lt;b> &#65;", "~~a~~", "**a** _b_ snake_case __init__", "[a](b) ![c](d)", "<b>", "`a`", "a\\*", "1. a"],
)
def test_words_that_look_like_markdown_are_words(text: str) -> None:
    assert shown(escaped(text)).strip() == text


@examples(300)
@given(_TEXTS)
def test_any_name_shows_as_code(text: str) -> None:
    found = code(text)
    kinds = [token.type for token in tokens(f"x {found} y") if token.type not in ("inline", "text")]
    assert kinds == ["paragraph_open", "code_inline", "paragraph_close"]


def test_long_texts_are_cut() -> None:
    assert escaped("x" * 300, 20) == "x" * 17 + "..."
    assert code("word " * 300_000, 20) == "`word word word wo...`"
    assert escaped("x" * 20, 20) == "x" * 20
