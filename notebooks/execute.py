"""Runs the notebooks of this folder, or those named, and writes what they show into them: ``make notebooks``."""

import asyncio
import base64
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from jupyter_client.manager import AsyncKernelManager
from PIL import Image

__all__ = ["FOLDER", "NOTEBOOKS", "executed", "kernel", "opened", "tidy"]

FOLDER = Path(__file__).parent
NOTEBOOKS = tuple(sorted(FOLDER.glob("[0-9]*.ipynb")))

_FORMAT: Any = nbformat  # which has no types
_WIDEST = 1_000
_COLOURS = 48

# Warnings about what goalgraph or a cell does are faults; those of other packages are theirs. Nothing goes out.
_STARTUP = r"""
import warnings
import pytest_socket

for module in (r"goalgraph(\.|$)", r"__main__$"):
    warnings.filterwarnings("error", module=module)
warnings.filterwarnings("ignore", module="pytest_socket$")  # it raises as well
pytest_socket.disable_socket(allow_unix_socket=True)
del module, pytest_socket, warnings
"""


def opened(path: Path) -> Any:
    """Read a notebook."""
    return _FORMAT.read(path, as_version=4)


def kernel(folder: Path) -> Any:
    """Return the manager of a kernel of this very interpreter, which is talked to by unix sockets alone.

    Args:
        folder: For the sockets; their paths may have 107 characters.
    """
    make: Any = AsyncKernelManager
    return make(kernel_name="python3", transport="ipc", connection_file=str(folder / "kernel.json"))


async def executed(notebook: Any, scratch: Path, *, timeout: int = 60) -> Any:
    """Run all cells of a notebook, offline, and return it with what they show.

    Args:
        notebook: As it was read; it is changed.
        scratch: An empty folder, for all that is written. The cells work in ``notebooks`` there, beside a copy of the
            examples, as in the project.
        timeout: Seconds for each cell.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell has raised something.
        nbclient.exceptions.CellTimeoutError: A cell took longer.
    """
    work, startup = scratch / "notebooks", scratch / "ipython" / "profile_default" / "startup"
    work.mkdir()
    startup.mkdir(parents=True)
    (startup / "offline.py").write_text(_STARTUP, encoding="utf-8")
    shutil.copytree(FOLDER.parent / "examples", scratch / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    with tempfile.TemporaryDirectory() as sockets:
        client: Any = nbclient.NotebookClient(notebook, km=kernel(Path(sockets)), timeout=timeout, record_timing=False)
        await client.async_execute(cwd=str(work), env=_environment(scratch), cleanup_kc=True)
    return notebook


def tidy(notebook: Any) -> Any:
    """Take out of a notebook what only tells of the machine, or the editor, it was last in; make its pictures small."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number}", {}
        for output in cell.get("outputs", ()):
            if (picture := output.get("data", {}).get("image/png")) is not None:
                output.data["image/png"] = _smaller(picture)
    return _FORMAT.from_dict(notebook)


def _smaller(picture: str) -> str:
    """Return a picture, PNG in base 64, no wider than it is shown, with no more colours than a chart needs."""
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        if image.mode == "P":  # it was made so already
            return picture
        image.thumbnail((_WIDEST, _WIDEST))
        smaller, written = image.convert("RGB").quantize(_COLOURS), io.BytesIO()
    smaller.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode("ascii")


def _environment(scratch: Path) -> dict[str, str]:
    """Ours, without keys to anything, with goalgraph as it is found here, and with caches of its own."""
    spec = find_spec("goalgraph")
    found = [str(Path(spec.origin).parents[1])] if spec is not None and spec.origin else []
    own = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {
        **own,
        "PYTHONPATH": os.pathsep.join([*found, *filter(None, [own.get("PYTHONPATH")])]),
        "IPYTHONDIR": str(scratch / "ipython"),
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "LANGSMITH_TRACING": "false",
    }


async def _main(wanted: Iterable[str]) -> None:
    for path in NOTEBOOKS:
        if not wanted or path.stem in wanted:
            with tempfile.TemporaryDirectory() as scratch:
                notebook = tidy(await executed(opened(path), Path(scratch)))
            path.write_text(f"{_FORMAT.writes(notebook)}\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main(set(sys.argv[1:])))
