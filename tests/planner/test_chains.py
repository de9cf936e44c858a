"""Where expressions follow a name inwards, and the same expressions with other names."""

import pytest
from pydantic import JsonValue

from goalgraph.planner.chains import Chain, chains, rewritten, rewritten_condition
from goalgraph.planner.expressions import ExpressionError
from goalgraph.planner.templates import read


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("steps.a.output", [("steps", "a", "output")]),
        ("steps['a-b'].output[0]", [("steps", "a-b", "output", 0)]),
        ('steps["a"]["b c"].x', [("steps", "a", "b c", "x")]),
        ("steps.a.0.x", [("steps", "a", 0, "x")]),
        ("steps.a + x.steps.b + steps", [("steps", "a"), ("steps",)]),
        ("steps.a[input.x].y", [("steps", "a")]),
        ("'steps.a'", []),
        ("rows | steps", []),
        ("dict(steps=1)", []),
        ("steps['a\\'b']", [("steps",)]),
        ("[steps.a, {'k': steps.b}]", [("steps", "a"), ("steps", "b")]),
    ],
)
def test_chains_are_found_in_order(text: str, parts: list[tuple[str | int, ...]]) -> None:
    assert [chain.parts for chain in chains(read(text), "steps")] == parts


@pytest.mark.parametrize(
    ("text", "lenient"),
    [
        ("input.a", False),
        ("input.a | default(1)", True),
        ("input.a | d('x')", True),
        ("input.a is defined", True),
        ("input.a is not defined", True),
        ("input.a is undefined", True),
        ("input.a is none", False),
        ("input.a | upper | default(1)", False),
    ],
)
def test_a_chain_knows_whether_its_absence_is_provided_for(text: str, lenient: bool) -> None:
    (chain,) = chains(read(text), "input")
    assert chain.lenient is lenient


def shifted(chain: Chain) -> tuple[int, str] | None:
    """Rename the step ``a``, and nothing else."""
    return (2, "steps['g.a']") if chain.parts[1:2] == ("a",) else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ steps.a.output }}", "{{ steps['g.a'].output }}"),
        ("{{steps.a}} and {{ steps['a'].x ~ steps.b }}", "{{steps['g.a']}} and {{ steps['g.a'].x ~ steps.b }}"),
        ("é {{ 'ü' ~ steps.a }} steps.a", "é {{ 'ü' ~ steps['g.a'] }} steps.a"),
        ("{{- steps.a -}} x", "{{- steps['g.a'] -}}x"),
    ],
)
def test_names_are_written_anew_and_nothing_else_is(text: str, expected: str) -> None:
    assert rewritten(text, {"steps": shifted}) == expected
    assert rewritten({"x": [text, 1]}, {"steps": shifted}) == {"x": [expected, 1]}


def test_what_does_not_change_is_the_same_object() -> None:
    value: JsonValue = {"x": ["{{ steps.b.output }}", {"y": None}, 1.5], "z": "steps.a"}
    assert rewritten(value, {"steps": shifted}) is value


def test_conditions_are_written_anew_with_and_without_braces() -> None:
    assert rewritten_condition("steps.a.output > 1", {"steps": shifted}) == "steps['g.a'].output > 1"
    assert rewritten_condition("{{ steps.a.output }}", {"steps": shifted}) == "{{ steps['g.a'].output }}"
    with pytest.raises(ExpressionError):
        rewritten("{{ steps.a", {"steps": shifted})
