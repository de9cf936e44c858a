"""Plans drawn as svg."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views.plans import HOSTILE, fan_plan, hostile_plan, mostly, ran

from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.views import plan_svg

_SVG = "{http://www.w3.org/2000/svg}"


def _words(drawn: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(drawn).iter(f"{_SVG}text")]


def _titles(drawn: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(drawn).iter(f"{_SVG}title")]


def test_a_plan_is_drawn_as_boxes_that_say_what_became_of_them_without_colour() -> None:
    plan = Plan(
        steps=(AgentStep(id="read", agent="reader"), AgentStep(id="write", agent="writer", depends_on=("read",)))
    )
    drawn = plan_svg(plan, {"read": Outcome(step="read", status="succeeded", seconds=1.25)})
    assert _words(drawn) == ["✓ 1.2 s", "read", "reader", "○", "write", "writer"]
    root = ET.fromstring(drawn)
    assert (root.get("role"), root.get("aria-label")) == ("img", "Plan of 2 steps, 1 succeeded, 1 not over")
    assert _words(plan_svg(plan)) == ["read", "reader", "write", "writer"]


def test_a_box_tells_the_whole_task_and_why_it_failed() -> None:
    task = "Read everything that there is to read. " * 6
    plan = Plan(steps=(AgentStep(id="read", agent="reader", task=task),))
    (title,) = _titles(plan_svg(plan, ran(plan, ["failed"]), gated={"read"}))
    assert title.splitlines() == [
        "read (reader)",
        task.strip(),
        "a human is asked before it runs",
        "failed after 1.2 s",
        "no such host",
    ]


def test_steps_that_ask_a_human_and_those_that_a_policy_guards_bear_the_same_sign() -> None:
    plan = Plan.model_validate(
        {"steps": [{"id": "sign", "type": "human_approval", "prompt": "?"}, {"id": "send", "agent": "post"}]}
    )
    assert plan_svg(plan).count('class="gg-gate"') == 1
    assert plan_svg(plan, gated={"send"}).count('class="gg-gate"') == 2


def test_a_map_is_one_box_that_counts_its_items() -> None:
    step = {"id": "each", "type": "map", "over": [1, 2, 3], "step": {"id": "sum_up", "agent": "writer"}}
    plan = Plan.model_validate({"steps": [step]})
    items = {
        "each[0]": Outcome(step="each[0]", status="succeeded"),
        "each[0].part": Outcome(step="each[0].part", status="succeeded"),
        "each[1]": Outcome(step="each[1]", status="failed"),
    }
    drawn = plan_svg(plan, items)
    assert _words(drawn) == ["○", "each", "map: writer, 2 items (1 failed)"]
    assert "map: writer, 2 items (1 failed)" in _titles(drawn)[0]
    assert "its items: 1 succeeded, 1 failed" in _titles(drawn)[0]


def test_the_branches_of_a_condition_are_named() -> None:
    plan = Plan.model_validate(
        {
            "steps": [
                {
                    "id": "is_good",
                    "type": "condition",
                    "if": "true",
                    "then": [{"id": "send", "agent": "a"}],
                    "else": [{"id": "stop", "type": "wait", "duration": 1}],
                }
            ]
        }
    )
    assert {"then", "else"} <= set(_words(plan_svg(plan)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 11), max_size=3), min_size=1, max_size=12))
def test_every_step_of_a_plan_has_a_box_with_its_id(needs: list[set[int]]) -> None:
    plan = Plan(
        steps=tuple(
            AgentStep(id=f"s{number}", agent="a", depends_on=tuple(f"s{need}" for need in before if need < number))
            for number, before in enumerate(needs)
        )
    )
    ids = [word for word in _words(plan_svg(plan)) if word != "a"]
    assert sorted(ids) == sorted(step.id for step in plan.steps)


@pytest.mark.parametrize("outcomes", [False, True], ids=["planned", "ran"])
def test_hostile_texts_come_out_as_text(outcomes: bool) -> None:
    plan = hostile_plan()
    drawn = plan_svg(plan, ran(plan, ["failed"], HOSTILE) if outcomes else None)
    root = ET.fromstring(drawn)
    assert {element.tag.removeprefix(_SVG) for element in root.iter()} == {
        "svg", "style", "path", "g", "title", "rect", "text",
    }  # fmt: skip
    assert not any(name.startswith("on") or name == "href" for element in root.iter() for name in element.attrib)
    assert HOSTILE[2] in root.get("aria-label", "")
    told = "\n".join(_titles(drawn))
    assert HOSTILE[2] in told
    assert HOSTILE[3] in told
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e\ufeff\ufffe]", drawn)
    drawn.encode()


def _groups() -> Plan:
    group = [[{"id": "find", "agent": "searcher"}, {"id": "sum_up", "agent": "writer"}] for _ in range(7)]
    branches = [[{**one, "id": f"{one['id']}_{place}"} for one in row] for place, row in enumerate(group)]
    topics = [{"id": f"topic_{n}", "type": "parallel", "branches": branches} for n in range(20)]
    return Plan.model_validate({"steps": [{"id": "begin", "agent": "a"}, *topics, {"id": "end", "agent": "b"}]})


def _chain() -> Plan:
    return Plan(
        steps=tuple(AgentStep(id=f"s{n}", agent="a", depends_on=(f"s{n - 1}",) if n else ()) for n in range(303))
    )


def _large() -> Iterator[tuple[str, Plan]]:
    yield "fan", fan_plan(300)
    yield "groups", _groups()
    yield "chain", _chain()


@pytest.mark.parametrize("plan", [pytest.param(plan, id=name) for name, plan in _large()])
def test_a_plan_of_300_steps_stays_readable(plan: Plan) -> None:
    outcomes = ran(plan, mostly(9))
    drawn = plan_svg(plan, outcomes)
    root = ET.fromstring(drawn)
    assert len(drawn) < 60_000
    assert len(_titles(drawn)) <= 48
    assert float(root.get("width", "")) < 1_700
    signs = "".join(_words(drawn))
    assert "✓" in signs
    assert "✗" in signs


def test_what_is_folded_counts_its_steps_by_what_became_of_them() -> None:
    plan = fan_plan(300)
    outcomes = ran(plan, mostly(99))
    words = _words(plan_svg(plan, outcomes))
    shown = sum(1 for word in words if re.fullmatch(r"(work_\d+|goal|merge|check)", word))
    folded = sum(int(word.split()[0]) for word in words if re.fullmatch(r"\d+ more", word))
    assert shown + folded == 303
    assert {"work_98", "work_198", "work_298"} <= set(words)  # those that failed stay to be seen
    assert any(re.fullmatch(r"\d+✓", word) for word in words)


def test_a_group_of_a_large_plan_is_one_box() -> None:
    words = _words(plan_svg(_groups()))
    assert "group of 14 steps" in words
    assert not any("find" in word for word in words)


def test_several_on_one_page_do_not_meet() -> None:
    drawn = plan_svg(fan_plan(3))
    root = ET.fromstring(drawn)
    assert not [element for element in root.iter() if "id" in element.attrib]
    classes = {name for element in root.iter() for name in element.get("class", "").split()}
    assert all(name.startswith("gg-") for name in classes)
    style = root.findtext(f"{_SVG}style", "")
    assert all(rule.strip().startswith(".gg-plan") for rule in re.findall(r"(?:^|[{}])([^{}@]+)\{", style))
    assert "var(--gg-ok,#1a7f37)" in style
    assert "url(" not in drawn


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(), id="no steps"),
        pytest.param(
            Plan(
                steps=(
                    AgentStep(id="a", agent="x", depends_on=("b", "nowhere")),
                    AgentStep(id="b", agent="x", depends_on=("c",)),
                    AgentStep(id="c", agent="x", depends_on=("a", "c")),
                )
            ),
            id="circle",
        ),
        pytest.param(Plan(steps=(AgentStep(id="a", agent="x"), AgentStep(id="a", agent="y"))), id="the same id twice"),
        pytest.param(Plan(steps=(AgentStep(id="a", agent="x", task="{{ steps. }}"),)), id="broken expression"),
        pytest.param(
            Plan.model_validate({"steps": [{"id": "sub", "type": "sub_plan", "plan": "elsewhere"}]}), id="plan by name"
        ),
    ],
)
def test_a_plan_that_is_not_valid_is_drawn_as_far_as_it_can_be(plan: Plan) -> None:
    drawn = ET.fromstring(plan_svg(plan))
    assert len(list(drawn.iter(f"{_SVG}title"))) == len({step.id for step in compile_plan(plan).steps})
