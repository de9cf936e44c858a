"""Plans written as Mermaid flowcharts."""

import re

import pytest
from tests.views.plans import HOSTILE, fan_plan, hostile_plan, ran

from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.views import plan_mermaid

_NODE = r'  n\d+(\[|\(|\(\[|\[\[|\{\{|\[/)"(?P<label>[^"]*)"(\]|\)|\]\)|\]\]|\}\}|/\])(:::(ok|bad|weak|off))?'
_LINE = r"  n\d+ (-->|-->\|then\||-\.->\|else\|) n\d+"
_CLASS = r"  classDef (ok|bad|weak|off) stroke:#[0-9a-f]{6},[a-z0-9:,\- ]+"


def test_a_plan_is_a_flowchart_with_a_shape_for_each_type() -> None:
    plan = Plan.model_validate(
        {
            "steps": [
                {"id": "read_all", "agent": "reader"},
                {
                    "id": "is_good",
                    "type": "condition",
                    "if": "true",
                    "depends_on": ["read_all"],
                    "then": ["sign"],
                    "else": ["rest"],
                },
                {"id": "sign", "type": "human_approval", "prompt": "?"},
                {"id": "rest", "type": "wait", "duration": 1},
            ]
        }
    )
    assert plan_mermaid(plan, gated={"read_all"}).splitlines() == [
        "flowchart TD",
        '  n0["read_all<br/>reader<br/>asks a human"]',
        '  n1{{"is_good<br/>condition"}}',
        '  n2[/"sign<br/>approval: a human"/]',
        '  n3(["rest<br/>wait"])',
        "  n0 --> n1",
        "  n1 -->|then| n2",
        "  n1 -.->|else| n3",
    ]


def test_states_are_told_by_class_and_by_sign() -> None:
    plan = Plan(steps=(AgentStep(id="read", agent="reader"), AgentStep(id="write", agent="writer")))
    assert plan_mermaid(plan, ran(plan, ["succeeded", "failed"])).splitlines()[1:] == [
        '  n0["read<br/>reader<br/>✓ 1.2 s"]:::ok',
        '  n1["write<br/>writer<br/>✗ 1.2 s"]:::bad',
        "  classDef ok stroke:#1a7f37,stroke-width:2px",
        "  classDef bad stroke:#cf222e,stroke-width:3px",
    ]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"text {HOSTILE.index(text)}")
def test_hostile_texts_stay_inside_of_their_labels(text: str) -> None:
    step = AgentStep.model_construct(id=text, agent=text, task=text)
    written = plan_mermaid(Plan.model_construct(name=text, steps=(step,)))
    first, node = written.splitlines()
    assert first == "flowchart TD"
    found = re.fullmatch(_NODE, node)
    assert found is not None
    label = re.sub(r"<br/>", "", found["label"])
    assert not re.search(r"[<>&%{}\[\]`$*|@\\]|#(?!\d+;)|(?<!\d);", label)
    once = "".join(re.findall(r"#\d+;|.", found["label"].split("<br/>")[0]))
    decoded = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), once)
    assert decoded.rstrip(".")[:20] == " ".join(text.split()).replace("$$", "$ $")[:20] or "�" in decoded


@pytest.mark.parametrize("plan", [pytest.param(fan_plan(300), id="fan"), pytest.param(hostile_plan(), id="hostile")])
def test_every_line_is_one_that_mermaid_knows_and_there_are_not_too_many(plan: Plan) -> None:
    first, *lines = plan_mermaid(plan, ran(plan, ["succeeded", "failed", "skipped"])).splitlines()
    assert re.fullmatch("flowchart (TD|LR)", first)
    assert all(re.fullmatch(f"{_NODE}|{_LINE}|{_CLASS}", line) for line in lines)
    assert sum(1 for line in lines if re.fullmatch(_NODE, line)) <= 40
    assert sum(map(len, lines)) < 50_000  # Mermaid's own limit
