"""The command ``decisions``: what was decided in a run, and by whom, as lines of JSON."""

from pathlib import Path

from goalgraph.cli.endings import COMPLETE, BadInput
from goalgraph.cli.folders import find_run, write_text
from goalgraph.cli.terminal import Terminal
from goalgraph.planner.decision_lines import decisions_as_lines

__all__ = ["write_decisions"]


def write_decisions(name: str, out: Path | None) -> int:
    """Write the decisions of a run as it is recorded, to a file or else to stdout; return the exit code.

    Args:
        name: Folder of the run, or its name.
        out: The file, which is replaced as a whole.

    Raises:
        UnknownRun: There is no such run.
        BadInput: Its record cannot be read, or the file cannot be written.
    """
    text = decisions_as_lines(find_run(name).record.decisions)
    if out is None:
        Terminal(as_json=False).line(text.removesuffix("\n")) if text else None
        return COMPLETE
    try:
        write_text(out, text)
    except OSError as error:
        raise BadInput(f"cannot write {str(out)!r}: {error.strerror}", hint="check the path and space") from error
    return COMPLETE
