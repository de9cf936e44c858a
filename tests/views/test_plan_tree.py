"""Plans drawn as trees and written as text."""

import io
from collections.abc import Mapping

import pytest
from rich.console import Console
from rich.text import Text

from goalgraph.planner.outcome import Outcome, Status, StepError
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.views import one_line, plan_text, plan_tree, printable

_PLAN = Plan(
    name="Launch",
    steps=(
        AgentStep(id="read", task="Read the notes", agent="reader"),
        AgentStep(id="count", task="Count\nthem", requires=("maths",)),
        AgentStep(
            id="write",
            task="Write [bold]it[/bold] up",
            agent="writer",
            depends_on=("count", "read"),
            when="input.wanted",
            optional=True,
        ),
        AgentStep(id="check", task="Check", agent="reader", input={"text": "{{ steps.read.output }}"}),
    ),
)


def _drawn(width: int, encoding: str = "utf-8", plan: Plan = _PLAN) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    Console(file=file, width=width, markup=False, highlight=False).print(plan_tree(plan, {"count": "adder"}))
    file.seek(0)
    return "\n".join(line.rstrip() for line in file.read().splitlines())


def test_a_plan_is_written_layer_by_layer_with_who_does_what_and_why_it_waits() -> None:
    assert plan_text(_PLAN).splitlines() == [
        "Plan: Launch (4 steps)",
        "layer 1, 2 in parallel",
        "  read [reader]: Read the notes",
        "  count [anyone with maths]: Count them",
        "layer 2, 2 in parallel",
        "  write [writer] (needs read, count; if input.wanted; optional): Write [bold]it[/bold] up",
        "  check [reader] (needs read): Check",
    ]


def test_a_plan_is_drawn_as_a_tree_of_its_layers() -> None:
    assert (
        _drawn(100)
        == """\
Plan: Launch (4 steps)
├── layer 1, 2 in parallel
│   ├── read  reader
│   │   Read the notes
│   └── count  adder
│       Count them
└── layer 2, 2 in parallel
    ├── write  writer  needs read, count; if input.wanted; optional
    │   Write [bold]it[/bold] up
    └── check  reader  needs read
        Check"""
    )


@pytest.mark.parametrize(("width", "encoding"), [(24, "utf-8"), (24, "ascii")], ids=["narrow", "narrow and ascii"])
def test_a_tree_stays_inside_a_narrow_terminal(width: int, encoding: str) -> None:
    drawn = _drawn(width, encoding)
    assert max(map(len, drawn.splitlines())) <= width
    assert ("├──" in drawn) == (encoding == "utf-8")


def test_many_needs_are_cut_short() -> None:
    steps = [AgentStep(id=f"s{number}", task="x", agent="a") for number in range(12)]
    last = AgentStep(id="last", task="x", agent="a", depends_on=tuple(step.id for step in steps))
    assert "(needs s0, s1, s2, s3, s4, s5, s6, s7 and 4 more)" in plan_text(Plan(steps=(*steps, last)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\x1b[31mb", "a�[31mb", id="escape"),
        pytest.param("a\x9b31mb", "a�31mb", id="C1 escape"),
        pytest.param("a\rb\r\nc\td", "a�b\nc\td", id="line ends and tabs"),
        pytest.param("a\u202eb", "a�b", id="right to left override"),
        pytest.param("a\ud800b", "a�b", id="lone surrogate"),
        pytest.param("Grüße ✓ 中", "Grüße ✓ 中", id="plain text"),
    ],
)
def test_what_could_steer_a_terminal_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_one_line_joins_and_cuts() -> None:
    assert one_line(" a \n\n b\t c ") == "a b c"
    assert one_line("x" * 300, 10) == "xxxxxxx..."
    assert len(one_line("x" * 200)) == 200


_NESTED = Plan.model_validate(
    {
        "name": "Everything",
        "steps": [
            {"id": "ask", "type": "human_input", "prompt": "How deep?", "assignee": "{{ input.owner }}"},
            {
                "id": "research",
                "type": "parallel",
                "branches": [
                    {"id": "web", "agent": "searcher", "task": "Search the web"},
                    [{"id": "papers", "agent": "reader"}, {"id": "notes", "agent": "writer", "optional": True}],
                ],
            },
            {
                "id": "deep",
                "type": "condition",
                "if": "{{ steps.ask.output.depth > 3 }}",
                "then": [{"id": "more", "agent": "searcher", "task": "Look closer", "depends_on": ["research"]}],
                "else": ["stop"],
            },
            {"id": "stop", "type": "wait", "duration": "2h"},
            {
                "id": "each",
                "type": "map",
                "over": "{{ steps.research.output.web.pages }}",
                "as": "page",
                "step": {"id": "sum_up", "agent": "writer"},
            },
            {"id": "count", "type": "transform", "output": {"pages": "{{ steps.each.output | length }}"}},
            {"id": "sub", "type": "sub_plan", "plan": {"steps": [{"id": "last", "agents": ["a", "b"]}]}},
            {
                "id": "sign",
                "type": "human_approval",
                "prompt": "Right?",
                "depends_on": ["count", "sub", "deep"],
                "join": "all_done",
            },
        ],
    }
)


def test_every_type_says_what_it_is_without_colours() -> None:
    assert plan_text(_NESTED).splitlines() == [
        "Plan: Everything (16 steps)",
        "layer 1, 4 in parallel",
        "  ask [question: a human (input.owner)]: How deep?",
        "  research.web [searcher]: Search the web",
        "  research.papers [reader]: research: papers",
        "  sub.input [transform]: compute a value",
        "layer 2, 4 in parallel",
        "  research.notes [writer] (needs research.papers; optional): research: notes",
        "  deep [condition] (needs ask): if steps.ask.output.depth > 3",
        "  sub.last.a [a] (needs sub.input): sub: last",
        "  sub.last.b [b] (needs sub.input): sub: last",
        "layer 3",
        "  research [group]: all of web, papers then notes",
        "  stop [wait] (else of deep): wait 2h",
        "  sub.last [group]: all of a, b",
        "layer 4, 2 in parallel",
        "  deep.more [searcher] (then of deep; needs research): Look closer",
        "  each [map: writer] (needs research): for each page of steps.research.output.web.pages: sum up",
        "  sub [group]: all of last",
        "layer 5",
        "  count [transform] (needs each): compute pages",
        "layer 6",
        "  sign [approval: a human] (needs deep, count, sub; whatever they come to): Right?",
    ]


def test_a_group_s_end_takes_one_line_of_the_tree_and_a_decision_says_what_it_is() -> None:
    drawn = _drawn(120, plan=_NESTED)
    assert "├── research  group  all of web, papers then notes\n" in drawn
    assert "├── deep  condition  needs ask\n" in drawn
    assert "├── stop  wait  else of deep\n" in drawn
    assert "map  writer  needs research\n" in drawn


def _outcome(step: str, status: Status, why: str = "") -> Outcome:
    error = StepError(code="raised", message=why) if why else None
    return Outcome(step=step, status=status, seconds=1.5, error=error)


def test_what_steps_came_to_is_shown_by_sign_time_and_reason() -> None:
    outcomes = {
        "read": _outcome("read", "succeeded"),
        "count": _outcome("count", "failed", "no\nnumbers"),
        "write": _outcome("write", "blocked"),
    }
    assert plan_text(_PLAN, outcomes=outcomes).splitlines()[1:] == [
        "layer 1, 2 in parallel",
        "  ✓ read [reader] 1.5 s: Read the notes",
        "  ✗ count [anyone with maths] failed 1.5 s: no numbers: Count them",
        "layer 2, 2 in parallel",
        "  ⊘ write [writer] blocked (needs read, count; if input.wanted; optional): Write [bold]it[/bold] up",
        "  ○ check [reader] (needs read): Check",
    ]
    spans = {(span.style, str(label)[span.start : span.end]) for label in _labels(outcomes) for span in label.spans}
    assert {("green", "✓ "), ("bold red", "✗ "), ("red", "⊘ "), ("dim", "○ ")} <= spans


def _labels(outcomes: Mapping[str, Outcome]) -> list[Text]:
    layers = plan_tree(_PLAN, outcomes=outcomes).children
    return [leaf.label for layer in layers for leaf in layer.children if isinstance(leaf.label, Text)]


def test_a_wide_layer_can_be_cut_to_what_failed_and_what_comes_first() -> None:
    plan = Plan(steps=tuple(AgentStep(id=f"s{number}", task="x", agent="a") for number in range(50)))
    outcomes = {step.id: _outcome(step.id, "failed" if step.id == "s40" else "succeeded") for step in plan.steps}
    assert [line.split(" ")[3] for line in plan_text(plan, outcomes=outcomes, most=3).splitlines()[2:5]] == [
        "s0",
        "s1",
        "s40",
    ]
    assert plan_text(plan, outcomes=outcomes, most=3).splitlines()[5:] == ["  and 47 more: 47 succeeded"]
    assert plan_text(plan, most=3).splitlines()[5:] == ["  and 47 more"]
