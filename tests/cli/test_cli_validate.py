"""``goalgraph validate``: each problem on a line, with its place; and the same lines from other commands."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from goalgraph.cli.endings import problem_line
from goalgraph.errors import PlanProblem

Called = Callable[[list[str]], tuple[int, str, str]]

_BAD = """\
name: bad
steps:
  - {id: a, agent: report_writter, depends_on: [b]}
  - {id: b, agent: report_writer, depends_on: [a]}
  - id: c
    agent: report_writer
    input: {x: "{{ steps.zz.output }}"}
"""
_STYLE = """\
info: {name: Reviewed article}
coordinator:
  guardrails:
    - {type: approval, require_for: [publishing]}
workflow:
  draft: {title: Draft it, assign: writer}
  publish: {title: Publish it, assign: publisher, depends_on: [draft]}
"""


@pytest.fixture
def bad(workplace: Path) -> str:
    (workplace / "bad.yaml").write_text(_BAD)
    return "bad.yaml"


def test_a_valid_plan_is_said_to_be_one(called: Called) -> None:
    assert called(["validate", "one.yaml", "--specialists", "mine:everybody"]) == (0, "1 plan: no problems\n", "")


def test_each_problem_is_a_line_with_its_place_and_a_summary_follows(called: Called, bad: str) -> None:
    code, out, err = called(["validate", bad])
    lines = out.splitlines()
    assert (code, err) == (1, "")
    assert [line.split(": ")[:3] for line in lines[:-1]] == [
        ["bad.yaml:3:13", "unknown_specialist", "step 'a' agent"],
        ["bad.yaml:3:36", "cycle", "step 'a' depends_on"],
        ["bad.yaml:7:5", "unknown_reference", "step 'c' input"],
    ]
    assert "(did you mean 'report_writer'?)" in lines[0]
    assert lines[-1] == "1 plan: 3 problems"


def test_all_files_are_examined_and_one_that_cannot_be_read_counts_most(
    called: Called, workplace: Path, bad: str
) -> None:
    (workplace / "syntax.yaml").write_text("steps: [\n")
    code, out, _ = called(["validate", "none.yaml", bad, "syntax.yaml", "one.yaml", ".", "--any-specialist"])
    assert code == 2
    starts = [line.partition(" ")[0] for line in out.splitlines()]
    assert starts == ["none.yaml:", "bad.yaml:3:36:", "bad.yaml:7:5:", "syntax.yaml:2:1:", ".:", "5"]
    assert out.endswith("5 plans: 5 problems in 4 of them\n")
    assert called(["validate", "syntax.yaml", "one.yaml", "--any-specialist"])[0] == 1


def test_json_is_a_list_of_problems_with_all_fields(called: Called, bad: str) -> None:
    code, out, err = called(["validate", bad, "one.yaml", "--any-specialist", "--json"])
    assert (code, err) == (1, "")
    listed = json.loads(out)
    assert listed[0] == {
        "file": "bad.yaml",
        "code": "cycle",
        "message": "steps wait for each other: a -> b -> a",
        "step": "a",
        "field": "depends_on",
        "hint": "remove one of these dependencies",
        "line": 3,
        "column": 36,
    }
    assert [one["code"] for one in listed] == ["cycle", "unknown_reference"]
    assert called(["validate", "one.yaml", "--any-specialist", "--json"]) == (0, "[]\n", "")


def test_built_in_specialists_are_known_without_data_and_the_caller_s_own_when_given(
    called: Called, workplace: Path
) -> None:
    names = ("data_analyst", "chart_maker", "document_researcher", "report_writer", "assistant", "noter")
    steps = [f"  - {{id: s{number}, agent: {name}}}" for number, name in enumerate(names)]
    (workplace / "all.yaml").write_text("\n".join(["steps:", *steps]))
    code, out, _ = called(["validate", "all.yaml"])
    assert (code, out.count("unknown_specialist")) == (1, 1)
    assert "'noter'" in out
    assert called(["validate", "all.yaml", "--specialists", "mine:everybody"])[0] == 0
    assert called(["validate", "all.yaml", "--specialists", "mine:nobody"])[0] == 2


def test_any_specialist_lets_names_and_capabilities_pass_in_both_styles(called: Called, workplace: Path) -> None:
    (workplace / "style.yaml").write_text(_STYLE)
    (workplace / "able.yaml").write_text("steps:\n  - {id: a, requires: [flying]}\n  - {id: b}\n")
    code, out, _ = called(["validate", "style.yaml"])
    assert (code, len(out.splitlines())) == (1, 4)
    assert called(["validate", "style.yaml", "--any-specialist"])[0] == 0
    code, out, _ = called(["validate", "able.yaml", "--any-specialist"])
    assert (code, len(out.splitlines())) == (1, 2)
    assert "able.yaml:3:5: no_specialist: step 'b'" in out


def test_sub_plans_are_looked_up_in_the_library_and_located_where_they_are_named(
    called: Called, workplace: Path
) -> None:
    (workplace / "outer.yaml").write_text(
        "steps:\n  - {id: in, type: sub_plan, plan: inner}\n  - {id: out, type: sub_plan, plan: iner}\n"
    )
    code, out, _ = called(["validate", "outer.yaml", "--any-specialist"])
    assert (code, out.count("unknown_plan")) == (1, 2)
    shelf = workplace / "shelf" / "inner"
    shelf.mkdir(parents=True)
    (shelf / "v1.yaml").write_text('steps:\n  - {id: x, agent: noter, input: {a: "{{ steps.y.output }}"}}\n')
    code, out, _ = called(["validate", "outer.yaml", "--library", "shelf", "--any-specialist"])
    assert (code, out.splitlines()[0]) == (
        1, "outer.yaml:3:31: unknown_plan: step 'out' plan: no plan is saved as 'iner' (did you mean 'inner'?)"
    )  # fmt: skip
    (workplace / "outer.yaml").write_text("steps:\n  - {id: in, type: sub_plan, plan: inner}\n")
    code, out, _ = called(["validate", "outer.yaml", "--library", "shelf", "--any-specialist"])
    assert code == 1
    assert out.startswith("outer.yaml:2:5: unknown_reference: step 'in.x' input: ")
    code, out, _ = called(["validate", "inner@1", "--library", "shelf", "--any-specialist"])
    assert out.startswith("shelf/inner/v1.yaml:2:")
    code, out, _ = called(["validate", "innner", "--library", "shelf"])
    assert (code, out.splitlines()[0].split(": ")[:2]) == (2, ["innner", "not_found"])


@pytest.mark.parametrize("command", [["run", "--plan", "bad.yaml"], ["plan", "--plan", "bad.yaml"]], ids=str)
def test_other_commands_tell_the_same_lines_on_stderr(
    called: Called, workplace: Path, bad: str, command: list[str]
) -> None:
    told = called(["validate", bad])[1].splitlines()[:-1]
    code, out, err = called([*command, "--data", "sales.csv"] if command[0] == "run" else command)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [line.partition(" (")[0] for line in lines[:-1]] == [line.partition(" (")[0] for line in told]
    assert lines[-1] == "goalgraph: error: the plan 'bad.yaml' has 3 problems"
    assert not (workplace / "goalgraph-runs").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("- a\n", "bad.yaml:1:1: not_a_plan: expected a mapping", id="list"),
        pytest.param("", "bad.yaml: empty_document: there is no plan in it", id="empty"),
        pytest.param("steps:\n  - {id: a, agent: noter}\n", "bad.yaml:2:13: unknown_specialist", id="nobody there"),
        pytest.param("steps:\n  - {id: a, agnet: b}\n", "bad.yaml:2:13: unknown_field", id="unknown key"),
    ],
)
def test_run_locates_what_it_cannot_use(called: Called, workplace: Path, text: str, said: str) -> None:
    (workplace / "bad.yaml").write_text(text)
    code, out, err = called(["run", "--plan", "bad.yaml"])
    assert (code, out, len(err.splitlines())) == (2, "", 2)
    assert err.startswith(said)


def test_a_line_cannot_be_broken_or_steer_the_terminal() -> None:
    problem = PlanProblem(code="invalid_value", message="x\n\x1b[31my", step="a\u2028b", line=2, column=None)
    assert problem_line("a\nb.yaml", problem) == "a b.yaml:2:1: invalid_value: step 'a\\u2028b': x �[31my"


@pytest.mark.parametrize(
    ("options", "heavy"),
    [
        (["--specialists", "mine:everybody"], ("langgraph", "openai", "polars")),
        (["--any-specialist"], ("langgraph", "openai", "polars", "langchain_core")),
    ],
    ids=["own specialists", "any specialist"],
)
def test_validating_loads_no_engine(
    workplace: Path, environment: dict[str, str], options: list[str], heavy: tuple[str, ...]
) -> None:
    script = (
        "import sys\nfrom goalgraph.cli import main\ncode = main()\n"
        f"sys.exit(code or 9 * any(name in sys.modules for name in {heavy!r}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "validate", "one.yaml", *options],
        cwd=workplace, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "1 plan: no problems\n")
