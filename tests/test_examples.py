"""The example plans, run to their end as their headers say, and what they come to."""

import ast
import csv
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from goalgraph.cli.app import call

_ROOT = Path(__file__).parents[1]
_NAMES = ("code-review", "document-processing", "etl", "map-reduce", "parallel-research")
_EVERYBODY = ["--specialists", "examples.specialists:everybody"]

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Call the command beside a copy of the examples; gives exit code and the JSON document."""
    shutil.copytree(_ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def called(*arguments: str) -> tuple[int, Any]:
        code = call([*arguments, "--json"])
        out, err = capsys.readouterr()
        assert err == ""
        return code, json.loads(out)

    yield called
    for name in [name for name in sys.modules if name.partition(".")[0] == "examples"]:
        del sys.modules[name]


def _commands(name: str) -> list[list[str]]:
    """The commands in a plan's header, without the program."""
    text = (_ROOT / "examples" / f"{name}.yaml").read_text("utf-8")
    joined = re.sub(r"\\\n#\s*", "", text)
    return [shlex.split(line)[1:] for line in re.findall(r"^#\s+(goalgraph .*)$", joined, re.MULTILINE)]


def _statuses(document: Any) -> dict[str, str]:
    return {step["id"]: step["status"] for step in document["steps"]}


def test_these_are_the_examples_and_the_table_names_their_commands() -> None:
    assert sorted(path.stem for path in (_ROOT / "examples").glob("*.yaml")) == list(_NAMES)
    table = (_ROOT / "examples" / "README.md").read_text("utf-8")
    for name in _NAMES:
        assert f"[{name}.yaml]({name}.yaml)" in table
        for command in _commands(name):
            assert f"`goalgraph {shlex.join(command)}`" in table


def test_all_examples_are_valid(run: Run) -> None:
    files = [f"examples/{name}.yaml" for name in _NAMES]
    assert run("validate", *files, *_EVERYBODY) == (0, [])
    assert run("validate", "examples/map-reduce.yaml", "examples/parallel-research.yaml") == (0, [])


def test_a_document_is_reviewed_approved_and_published(run: Run, tmp_path: Path) -> None:
    begin, go_on = _commands("document-processing")
    code, waiting = run(*begin)
    assert (code, waiting["status"]) == (4, "waiting")
    (question,) = waiting["questions"]
    assert question["step"] == "publish.approval"
    assert "the reviewers say: approve" in question["prompt"]
    assert "Late payment costs interest of 8 percentage points above the base rate." in question["prompt"]
    published = tmp_path / "demo-output" / "agreement-brief.md"
    assert not published.exists()
    code, document = run(*go_on)
    assert (code, document["status"]) == (0, "complete")
    text = published.read_text("utf-8")
    lines = (tmp_path / "examples" / "data" / "supply-agreement.md").read_text("utf-8").splitlines()
    sections = {
        "Price and payment": "The price is 1,120 EUR per tonne.",
        "Term and termination": "The agreement runs from 1 January 2026 for three years.",
        "Liability": "Liability for damage is limited to the price of twelve months of deliveries.",
    }
    for title, beginning in sections.items():
        assert f"## {title}\n\n{beginning}" in text
    places = [int(number) for number in re.findall(r"\(supply-agreement\.md, line (\d+)\)", text)]
    assert [lines[place - 1].startswith(said) for place, said in zip(places, sections.values(), strict=True)] == [
        True
    ] * 3
    assert f"Published in demo-output/agreement-brief.md, {len(text.split())} words." in document["answer"]


def test_a_no_keeps_the_document_from_being_published(run: Run, tmp_path: Path) -> None:
    begin, _ = _commands("document-processing")
    code, document = run(*begin, "--answer", "publish.approval=no")
    assert (code, document["status"], _statuses(document)["publish"]) == (3, "degraded", "blocked")
    assert not (tmp_path / "demo-output" / "agreement-brief.md").exists()


def test_a_figure_that_is_not_in_the_agreement_is_found_by_the_review(run: Run, tmp_path: Path) -> None:
    begin, _ = _commands("document-processing")
    source = tmp_path / "other.md"
    agreement = (tmp_path / "examples" / "data" / "supply-agreement.md").read_text("utf-8")
    source.write_text(agreement.replace("1,120", "1,210"), "utf-8")
    given = [part.replace("@examples/data/supply-agreement.md", "@other.md") for part in begin]
    _, document = run(*given)
    assert "the reviewers say: change" in document["questions"][0]["prompt"]


def test_monthly_figures_become_a_table_by_year(run: Run, tmp_path: Path) -> None:
    (command,) = _commands("etl")
    code, document = run(*command)
    assert (code, document["answer"]) == (0, "10 years were written to demo-output/employment-by-year.csv.")
    assert _statuses(document)["too_few"] == "skipped"
    with (tmp_path / "examples" / "data" / "us-employment.csv").open() as file:
        decembers = [row for row in csv.DictReader(file) if row["month"].endswith("-12-01")]
    with (tmp_path / "demo-output" / "employment-by-year.csv").open() as file:
        written = list(csv.DictReader(file))
    assert len(written) == 10
    for row, month in zip(written, decembers, strict=True):
        jobs = float(month["nonfarm"])
        assert (row["year"], float(row["jobs_thousands"])) == (month["month"][:4], jobs)
        assert float(row["goods_percent"]) == pytest.approx(100 * float(month["goods_producing"]) / jobs, abs=0.051)
        assert float(row["government_percent"]) == pytest.approx(100 * float(month["government"]) / jobs, abs=0.051)


def test_too_few_rows_are_not_loaded(run: Run, tmp_path: Path) -> None:
    (command,) = _commands("etl")
    code, document = run(*command, "--input", "least_rows:=1000")
    assert (code, document["status"]) == (0, "complete")
    assert document["answer"] == "Nothing was written: 120 rows were read, at least 1000 are wanted."
    assert _statuses(document)["load"] == "skipped"
    assert not (tmp_path / "demo-output" / "employment-by-year.csv").exists()


def test_research_in_parallel_becomes_one_report_with_its_sources(run: Run, tmp_path: Path) -> None:
    (command,) = _commands("parallel-research")
    code, document = run(*command)
    assert (code, document["status"]) == (0, "complete")
    answer = document["answer"]
    assert answer.startswith("# Report: Which of the three offices should we take?")
    parts = re.split(r"^### ", answer, flags=re.MULTILINE)[1:]
    assert [part.partition("\n")[0] for part in parts] == [
        "What it costs",
        "What could go wrong",
        "What the staff want",
    ]
    for part, wanted in zip(parts, ("Rent is 168,000 EUR", "freight trains", "bicycle parking"), strict=True):
        assert wanted in part
    for name, number, said in re.findall(r"^- (\S+\.md), line (\d+): (\S+ \S+)", answer, re.MULTILINE):
        lines = (tmp_path / "examples" / "data" / "office-move" / name).read_text("utf-8").splitlines()
        assert lines[int(number) - 1].startswith(said)
    assert (tmp_path / "demo-output" / "research" / "report.md").read_text("utf-8").startswith(answer.rstrip())


def test_a_topic_is_looked_up_in_every_file_and_all_of_it_brought_together(run: Run) -> None:
    (command,) = _commands("map-reduce")
    code, document = run(*command)
    assert (code, document["status"]) == (0, "complete")
    assert document["answer"].startswith("# Mill Yard\n\nPassages that bear on it: 3, in 3 of 3 files.\n")
    assert re.findall(r"^## (.*)$", document["answer"], re.MULTILINE) == [
        "lease-offers.md",
        "site-survey.md",
        "staff-poll.md",
    ]
    assert "lease-offers.md, line 12: Rent is 168,000 EUR per year" in document["answer"]


def test_a_file_that_is_not_there_leaves_a_gap_that_is_told(run: Run) -> None:
    (command,) = _commands("map-reduce")
    code, document = run(*command, "-i", 'files:=["gone.md", "staff-poll.md"]', "-i", "topic=quiet room")
    assert (code, document["status"]) == (3, "degraded")
    assert "by_file[0]" in document["degraded"][0]
    assert document["answer"].startswith(
        "# quiet room\n\nPassages that bear on it: 1, in 1 of 2 files.\n\n## staff-poll.md\n"
    )


def test_reviewers_find_the_faults_of_the_code_and_the_judge_weighs_them(run: Run, tmp_path: Path) -> None:
    (command,) = _commands("code-review")
    code, document = run(*command)
    assert (code, document["status"]) == (0, "complete")
    answer = document["answer"]
    assert answer.startswith("The code goes back to its author, with 9 findings.\n\n# Verdict: change\n")
    assert "3 of 3 reviewers ask for changes; 3 of 9 findings must be mended." in answer
    source = (tmp_path / "examples" / "data" / "discounts.py").read_text("utf-8")
    bare = [
        node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler) and not node.type
    ]
    assert f"- line {bare[0]}: a bare except also catches Ctrl-C and exits (errors_reviewer)" in answer
    found = [int(number) for number in re.findall(r"^- line (\d+): ", answer, re.MULTILINE)]
    assert found == [6, 10, 15, 6, 9, 15, 15, 27, 36]


def test_code_without_faults_may_be_merged(run: Run) -> None:
    (command,) = _commands("code-review")
    clean = 'code=def double(number):\n    """Return twice the number."""\n    return 2 * number\n'
    given = [clean if part.startswith("code=") else part for part in command]
    code, document = run(*given)
    assert code == 0
    assert document["answer"].startswith("The code may be merged.\n\n# Verdict: approve\n")
