"""The notebooks: each runs from its top to its end, offline, and what they are kept with is fit to be read."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from notebooks.execute import FOLDER, NOTEBOOKS, executed, opened, tidy

_NAMES = (
    "01_quickstart",
    "02_plans_as_data",
    "03_approvals_and_input",
    "04_adaptive_revision",
    "05_embedding",
    "06_your_own_specialists_and_a_model",
)
_EACH = pytest.mark.parametrize("path", [FOLDER / f"{name}.ipynb" for name in _NAMES], ids=_NAMES)
_MOST = 300_000
_OF_A_MACHINE = re.compile(r"(?<![\w.])/(?:home|Users|root|tmp|work|private|mnt|opt|usr|var)/\w|\b[A-Z]:\\\\?\w")
_SECRET = re.compile(r"\b(?:sk-|ghp_|AKIA|eyJ)[\w-]{12,}|(?i:api_key|token|password)\W{1,4}[\w-]{16,}")


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def said(notebook: Any, stream: str) -> str:
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == stream)


def texts(notebook: Any) -> str:
    """All that can be read in a notebook, without pictures made of dots."""
    plain = copy.deepcopy(notebook)
    for cell in code_cells(plain):
        for output in cell.outputs:
            output.get("data", {}).pop("image/png", None)
    return json.dumps(plain, ensure_ascii=False)


def test_these_are_the_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(_NAMES)


@_EACH
async def test_a_notebook_runs_from_its_top_to_its_end(path: Path, tmp_path: Path) -> None:
    notebook = await executed(opened(path), tmp_path)
    assert said(notebook, "stderr") == ""
    assert {one.name for one in tmp_path.iterdir()} <= {"notebooks", "examples", "ipython", "matplotlib", "cache"}


@_EACH
def test_a_notebook_is_kept_with_what_its_cells_show(path: Path) -> None:
    notebook = opened(path)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run it with make notebooks"
    assert sum(1 for cell in cells if cell.outputs) >= len(cells) / 2
    assert {output.output_type for cell in cells for output in cell.outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert said(notebook, "stderr") == ""
    assert path.stat().st_size < _MOST


@_EACH
def test_a_notebook_tells_nothing_of_the_machine_it_was_run_on(path: Path) -> None:
    notebook = opened(path)
    assert notebook == tidy(copy.deepcopy(notebook))
    found = texts(notebook)
    assert _OF_A_MACHINE.findall(found) == []
    assert _SECRET.findall(found) == []


@_EACH
def test_the_links_of_a_notebook_lead_somewhere(path: Path) -> None:
    prose = [cell.source for cell in opened(path).cells if cell.cell_type == "markdown"]
    links = re.findall(r"\]\(([^)#]+)\)", "".join(prose))
    assert links
    assert [link for link in links if not link.startswith("https://") and not (FOLDER / link).is_file()] == []


def test_paths_and_secrets_of_a_machine_are_found() -> None:
    for folder in ("home", "tmp", "Users"):
        assert _OF_A_MACHINE.search(f'File "/{folder}/ann/x.py"')
        assert not _OF_A_MACHINE.search(f"see ../{folder}/humans.md, https://example.org/{folder}/x, </{folder}>")
    assert _OF_A_MACHINE.search(r"C:\\Users")
    assert _SECRET.search("OPENAI_API_KEY=sk-abcdefghijklmnop")
    assert not _SECRET.search('os.environ.get("OPENAI_API_KEY") else scripted')
