"""Which of the given files a step is about, and in what unit their figures are."""

from collections.abc import Sequence
from pathlib import Path

from goalgraph.errors import InvalidData
from goalgraph.specialists.specialist import StepTask

__all__ = ["chosen_files", "unit_of"]


def chosen_files(files: Sequence[tuple[Path, str]], task: StepTask) -> tuple[tuple[Path, str], ...]:
    """Return the files that a step's input or instruction names, or all where it names none.

    Only files that the caller gave can be named: a plan cannot reach others.

    Args:
        files: Each file with its shown name.
        task: ``input["file"]`` or ``input["files"]`` may hold shown names or file names.

    Raises:
        InvalidData: The input names a file that was not given.
    """
    asked = task.input.get("files", task.input.get("file"))
    names = [asked] if isinstance(asked, str) else asked if isinstance(asked, list) else []
    chosen: list[tuple[Path, str]] = []
    for name in names:
        found = [item for item in files if str(name) in (item[1], item[0].name, str(item[0]))]
        if not found:
            raise InvalidData(
                f"no file {str(name)!r} was given", hint=f"there are: {', '.join(shown for _, shown in files[:20])}"
            )
        chosen += found
    if not chosen:
        chosen = [item for item in files if item[0].name in task.instruction]
    return tuple(dict.fromkeys(chosen)) or tuple(files)


def unit_of(task: StepTask) -> str:
    """Return the unit that a step's input gives, or an empty text."""
    unit = task.input.get("unit")
    return unit.strip()[:60] if isinstance(unit, str) else ""
