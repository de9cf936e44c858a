"""Documents that are too large, too deep, or larger than they look: refused soon, before they are built."""

import time
from pathlib import Path

import pytest

from goalgraph import InvalidPlan, PlanProblem
from goalgraph.planner.documents import load_plan, parse_plan
from goalgraph.planner.documents.limits import MAX_BYTES

GOOD = "steps:\n  - {id: a, task: read it, agent: reader}\n"


def refused(source: str | dict[str, object], seconds: float) -> PlanProblem:
    began = time.perf_counter()
    with pytest.raises(InvalidPlan) as caught:
        parse_plan(source) if isinstance(source, str) else load_plan(source)
    assert time.perf_counter() - began < seconds
    assert len(str(caught.value)) < 1_000
    (found,) = caught.value.problems
    return found


def bomb(kind: str) -> str:
    lines = {
        "lists": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n",
        "mappings": "a0: &a0 {a: x, b: x}\n",
        "texts": f"a0: &a0 {'x' * 1_000}\n",
    }[kind]
    for level in range(1, 10):
        many = ", ".join([f"*a{level - 1}"] * 10)
        lines += f"a{level}: &a{level} [{many}]\n"
    return lines + GOOD


@pytest.mark.parametrize("kind", ["lists", "mappings", "texts"])
def test_an_alias_bomb_is_refused(kind: str) -> None:
    found = refused(bomb(kind), 2)
    assert (found.code, found.line) == ("too_large", {"lists": 6, "mappings": 6, "texts": 4}[kind])
    assert "aliases repeat more than 1,000,000 characters" in found.message


def test_aliases_of_aliases_may_not_nest_too_deep_either() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 1_000))
    assert refused(chain, 2).code == "too_deep"


DEEP = {
    "flow": "steps: " + "[" * 100_000 + "]" * 100_000,
    "json": '{"steps": ' + '[{"a":' * 100_000 + "1" + "}]" * 100_000 + "}",
    "json of some depth": '{"steps": ' + "[" * 300 + "1" + "]" * 300 + "}",
    "block lists": "steps:\n " + "- " * 100_000 + "a",
    "block keys": "".join(" " * depth + "a:\n" for depth in range(2_000)),
    "unclosed": "steps: " + "{a: " * 100_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_a_document_without_a_bottom_is_refused(text: str) -> None:
    assert refused(text, 2).code == "too_deep"


def test_keys_inside_of_keys_are_refused() -> None:
    assert refused("? " * 100_000, 2).code == "bad_syntax"


MANY: dict[str, str | dict[str, object]] = {
    "block": "steps:\n" + "- {}\n" * 1_000_000,
    "flow": "steps: [" + "{}," * 1_000_000 + "]",
    "json": '{"steps": [' + "{}," * 999_999 + "{}]}",
    "by id": "workflow: {" + "".join(f"{number}," for number in range(1_000_000)) + "}",
    "mapping": {"steps": [{}] * 1_000_000},
    "mapping by id": {"workflow": dict.fromkeys(map(str, range(1_000_000)))},
}


@pytest.mark.parametrize("source", MANY.values(), ids=MANY.keys())
def test_a_million_steps_are_refused(source: str | dict[str, object]) -> None:
    found = refused(source, 2)
    assert (found.code, found.field) == ("too_many_steps", "workflow" if "workflow" in source else "steps")


def test_steps_inside_of_steps_count_too() -> None:
    branches = [{"id": "x"}] * 11_000
    steps = [{"id": name, "type": "parallel", "branches": branches} for name in ("a", "b")]
    assert refused({"steps": steps}, 5).code == "too_many_steps"


@pytest.mark.parametrize(
    "text",
    ["inputs: {a: [" + "1," * 100_001 + "]}", '{"inputs": {"a": [' + "1," * 100_001 + "1]}}"],
    ids=["yaml", "json"],
)
def test_a_list_that_is_too_long_is_refused(text: str) -> None:
    found = refused(text, 2)
    assert (found.code, found.field) == ("too_large", "inputs.a")


def test_values_are_counted_in_all() -> None:
    text = "inputs: {" + "".join(f"a{n}: [" + "1," * 99_000 + "]," for n in range(6)) + "}"
    assert refused(text, 5).code == "too_large"
    shared = ["x"] * 99_000
    assert refused({"inputs": {str(number): shared for number in range(6)}}, 5).code == "too_large"


def test_bytes_are_counted_and_not_characters() -> None:
    assert refused("# " + "é" * (MAX_BYTES // 2), 2).code == "too_large"
    assert parse_plan(GOOD + "# " + "é" * (MAX_BYTES // 2 - 100))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs an endless file")
def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(InvalidPlan, match=f"more than {MAX_BYTES:,} bytes"):
        load_plan("/dev/zero")


def test_a_thousand_problems_are_enough() -> None:
    for text in ("a: 1\n" * 100_000, "\n".join(f"a{number}: 1" for number in range(50_000))):
        with pytest.raises(InvalidPlan) as caught:
            parse_plan(text)
        assert len(caught.value.problems) == 1_000
    steps = "".join(f"  - {{id: s{number}, depends_on: [{'1, ' * 100}]}}\n" for number in range(200))
    with pytest.raises(InvalidPlan) as caught:
        parse_plan("nme: x\nsteps:\n" + steps)
    found = caught.value.problems
    assert len(found) == 1_000
    assert (found[0].field, found[-1].step, found[-1].field) == ("nme", "s9", "depends_on.98")


def test_what_yaml_reads_slowly_is_refused_soon() -> None:
    directives = "".join(f"%TAG !{number}! x\n" for number in range(400_000))
    assert refused(f"{directives}---\n{{}}", 2).code == "bad_syntax"
