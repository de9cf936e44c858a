"""Plans drawn as trees and written as text."""

import io

import pytest
from rich.console import Console

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


def _drawn(width: int, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    Console(file=file, width=width, markup=False, highlight=False).print(plan_tree(_PLAN, {"count": "adder"}))
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
