"""What importing costs: nothing heavy until it is used."""

import subprocess
import sys

import pytest

HEAVY = (
    "langgraph",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "openai",
    "tiktoken",
    "numpy",
    "polars",
    "matplotlib",
)
PURE = [
    "goalgraph",
    "goalgraph.errors",
    "goalgraph.planner.builder",
    "goalgraph.planner.card",
    "goalgraph.planner.compilation",
    "goalgraph.planner.dag",
    "goalgraph.planner.diff",
    "goalgraph.planner.documents",
    "goalgraph.planner.estimate",
    "goalgraph.planner.expansion",
    "goalgraph.planner.expressions",
    "goalgraph.planner.folder_library",
    "goalgraph.planner.outcome",
    "goalgraph.planner.patch",
    "goalgraph.planner.patterns",
    "goalgraph.planner.plan",
    "goalgraph.planner.templates",
    "goalgraph.planner.validation",
]


def loaded_by(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", PURE)
def test_what_is_pure_loads_nothing_heavy(module: str) -> None:
    assert not loaded_by(f"import {module}").intersection(HEAVY)


def test_a_plan_is_had_without_the_engine() -> None:
    assert not loaded_by("from goalgraph import Plan, AgentStep, InvalidPlan; Plan()").intersection(HEAVY)


def test_the_engine_loads_when_it_is_used() -> None:
    assert "langgraph" in loaded_by("from goalgraph import create_plan_agent")


def test_the_engine_loads_no_optional_packages() -> None:
    assert not loaded_by("from goalgraph import create_plan_agent").intersection(
        {"numpy", "polars", "matplotlib", "pypdf"}
    )
