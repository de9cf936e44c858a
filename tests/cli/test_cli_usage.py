"""Bad usage and bad input: one line on stderr, exit code 2; and what needs no engine at all."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from goalgraph import __version__
from goalgraph.cli.app import app
from goalgraph.planner.documents import load_plan

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Called = Callable[[list[str]], tuple[int, str, str]]

_HEAVY = ("langgraph", "langchain_core", "langchain_openai", "polars")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["validate", "--help"],
        ["--version"],
        ["run", "--nonsense"],
        ["nonsense"],
        ["validate", "one.yaml", "--any-specialist"],
        ["plans"],
    ],
)
def test_help_version_and_usage_errors_load_no_engine(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom goalgraph.cli import main\nmain()\n"
        f"sys.exit(9 if [name for name in {_HEAVY!r} if name in sys.modules] else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"goalgraph {__version__}\n"


def test_the_command_without_arguments_shows_its_help(goalgraph: Command) -> None:
    ended = goalgraph()
    assert ended.returncode == 0
    assert "resume" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["run"], "the goal is missing", id="no goal"),
        pytest.param(["run", ""], "the goal is empty", id="empty goal"),
        pytest.param(["plan", " \n"], "the goal is empty", id="blank goal"),
        pytest.param(["run", "analyze", "it"], "put the goal in quotes", id="goal without quotes"),
        pytest.param(["run", "--nonsense"], "--nonsense", id="unknown option"),
        pytest.param(["nonsense"], "nonsense", id="unknown command"),
        pytest.param(["run", "write", "--max-concurrency", "0"], "--max-concurrency", id="no step at a time"),
        pytest.param(["run", "write", "--max-concurrency", "x"], "--max-concurrency", id="no number"),
        pytest.param(["run", "write", "--timeout", "nan"], "--timeout", id="timeout nan"),
        pytest.param(["run", "write", "--timeout", "-1"], "--timeout", id="timeout below 0"),
        pytest.param(["run", "analyze", "--data", "none.csv"], "none.csv", id="missing data"),
        pytest.param(["plan", "analyze", "--data", "empty.csv"], "empty", id="empty data"),
        pytest.param(["run", "analyze", "--data", "sales.csv", "none.csv"], "none.csv", id="second file of --data"),
        pytest.param(["run", "write", "--model", "gpt"], "provider:name", id="model without provider"),
        pytest.param(["run", "write", "--model", "nobody:gpt"], "nobody", id="unknown provider"),
        pytest.param(["run", "write", "--model", "openai:gpt-5-mini"], "OPENAI_API_KEY", id="no API key"),
        pytest.param(["run", "--plan", "none.yaml"], "none.yaml", id="missing plan"),
        pytest.param(["run", "--plan", "none"], "no plan is saved as 'none'", id="plan that is neither file nor alias"),
        pytest.param(["run", "--plan", "../none"], "give a path or an alias", id="plan that can be no alias"),
        pytest.param(["plan", "write", "--plan", "one.yaml"], "a goal is for making one", id="goal and plan"),
        pytest.param(["plan", "write", "--save", "a/b"], "expected an alias", id="bad alias"),
        pytest.param(["plan", "write", "--library", "sales.csv"], "is no folder", id="library is a file"),
        pytest.param(["plans", "none"], "no plan is saved as 'none'", id="unknown alias"),
        pytest.param(["plans", "--diff", "1"], "needs an alias", id="difference of nothing"),
        pytest.param(["plans", "a", "b"], "did not expect 'b'", id="two aliases"),
        pytest.param(["validate"], "Missing argument", id="nothing to validate"),
        pytest.param(["plan", "write", "--specialists", "mine"], "module:attribute", id="specialists without name"),
        pytest.param(["plan", "write", "--specialists", "mine:none"], "mine:none", id="specialists not there"),
        pytest.param(["plan", "write", "--specialists", "nowhere:x"], "nowhere", id="module not there"),
        pytest.param(["plan", "write", "--specialists", "mine:not_a_specialist"], "int", id="no specialist"),
        pytest.param(["plan", "write", "--specialists", "leaver:x"], "SystemExit", id="module that exits"),
        pytest.param(["resume", "nowhere"], "no run 'nowhere'", id="unknown run"),
        pytest.param(["resume", "odd"], "run.json", id="no record"),
        pytest.param(["run", "write", "--out", "sales.csv"], "sales.csv", id="out is a file"),
        pytest.param(["run", "write", "--out", "sales.csv/x"], "sales.csv", id="out below a file"),
        pytest.param(["run", "write", "--out", "."], "is not empty", id="out in use"),
        pytest.param(["plan", "write a report", "--out", "none/plan.yaml"], "none/plan.yaml", id="plan into no folder"),
        pytest.param(["run", os.fsdecode(b"\xff\xfe")], "not valid text", id="goal in another encoding"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    called: Called, workplace: Path, arguments: list[str], said: str
) -> None:
    (workplace / "empty.csv").touch()
    (workplace / "leaver.py").write_text("import sys\nsys.exit(0)\n")
    (workplace / "odd").mkdir()
    (workplace / "odd" / "run.json").write_text("{}")
    before = sorted(workplace.iterdir())
    code, out, err = called(arguments)
    assert (code, out) == (2, "")
    assert err.startswith("goalgraph: error: ")
    assert err.count("\n") == 1
    assert said in err
    assert sorted(path for path in workplace.iterdir() if path.name != "__pycache__") == before


def test_a_bug_is_one_line_that_names_its_type_and_a_traceback_only_on_request(
    goalgraph: Command, workplace: Path
) -> None:
    (workplace / "odd.py").write_text("class Box(list):\n    def __iter__(self):\n        return 1 / 0\nbox = Box()\n")
    ended = goalgraph("plan", "write", "--specialists", "odd:box")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "goalgraph: error: unexpected ZeroDivisionError: division by zero; set GOALGRAPH_DEBUG=1 to see where\n"
    )
    assert "Traceback" in goalgraph("plan", "write", "--specialists", "odd:box", GOALGRAPH_DEBUG="1").stderr


def test_plan_shows_layers_and_saves_what_run_reads(goalgraph: Command, workplace: Path) -> None:
    ended = goalgraph(
        "plan",
        "Analyze the data, create visualizations, and write a report",
        "--data",
        "sales.csv",
        "--out",
        "plan.yaml",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "layer 1\n" in ended.stdout
    assert "[data_analyst]" in ended.stdout
    assert ended.stdout.endswith("saved to plan.yaml\n")
    saved = load_plan(workplace / "plan.yaml")
    assert [step.agent for step in saved.steps if step.type == "agent"] == [
        "data_analyst",
        "chart_maker",
        "report_writer",
    ]
    assert not (workplace / "goalgraph-runs").exists()


def test_plan_as_json_is_one_document(goalgraph: Command) -> None:
    document = json.loads(
        goalgraph("plan", "Analyze the data and write a report", "--data", "sales.csv", "--json").stdout
    )
    ids = [step["id"] for step in document["plan"]["steps"]]
    assert document["layers"] == [[one] for one in ids]
    assert document["goal"] == "Analyze the data and write a report"
    assert document["specialists"][ids[-1]] == "report_writer"
