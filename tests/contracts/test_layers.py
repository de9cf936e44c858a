"""The shape of the house: one-way imports, small modules, nothing of the place it was built at."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import goalgraph

SOURCE = Path(goalgraph.__file__).parent
ROOT = Path(__file__).parents[2]
MODULES = sorted(SOURCE.rglob("*.py"))
TEXTS = [
    path
    for folder in ("src", "tests", "docs", "examples", "notebooks", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".ipynb", ".txt"}
    and "__pycache__" not in path.parts
]
ELSEWHERE = re.compile(r"/(?:home|root|Users)/\w|/work/|/tmp/\w|\.\./shared|\.pyenv|site-packages/")


def test_imports_point_one_way() -> None:
    pytest.importorskip("importlinter")
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_is_too_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_reaches_into_the_private_parts_of_others(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            assert node.level == 0, f"line {node.lineno}: a relative import"
        private = [name for name in names if any(re.match(r"_(?!_)", part) for part in name.split("."))]
        assert private == []


def test_no_text_of_the_project_names_the_machine_it_was_written_on() -> None:
    assert len(TEXTS) > 50
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in TEXTS
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    assert found == []


def test_nothing_is_left_to_do() -> None:
    found = [path.name for path in MODULES if re.search(r"\b(TODO|FIXME|XXX)\b", path.read_text("utf-8"))]
    assert found == []
