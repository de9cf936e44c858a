"""The folder of a run: made, locked, filled and found again."""

import os
import re
import tempfile
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from goalgraph.cli.endings import BadInput
from goalgraph.cli.records import RunRecord, read_record
from goalgraph.errors import UnknownRun
from goalgraph.planner.documents import dump_plan
from goalgraph.planner.plan import Plan

__all__ = ["RUNS", "RunFolder", "find_run", "new_run", "write_text"]

RUNS = Path("goalgraph-runs")
"""Where runs are kept that are given no folder."""
_CHECKPOINTS = "checkpoints.sqlite"
_NAMES = (
    "run.json",
    "plan.yaml",
    "plan.revised.yaml",
    "report.md",
    "report.html",
    _CHECKPOINTS,
    f"{_CHECKPOINTS}-wal",
    f"{_CHECKPOINTS}-shm",
)


class RunFolder:
    """Where one run keeps what it makes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / _CHECKPOINTS
        self.plan = path / "plan.yaml"
        self.revised = path / "plan.revised.yaml"
        self.report = path / "report.md"
        self.page = path / "report.html"
        self.artifacts = path / "artifacts"
        self._record = path / "run.json"
        self._made: list[Path] = []

    def __str__(self) -> str:
        return str(self.path)

    @property
    def record(self) -> RunRecord:
        """What is kept of the run; raises `BadInput` where that cannot be read."""
        return read_record(self._record)

    def write_record(self, record: RunRecord) -> None:
        """Replace ``run.json`` as a whole."""
        write_text(self._record, record.text())

    def write_plan(self, plan: Plan) -> None:
        """Write ``plan.yaml``."""
        write_text(self.plan, dump_plan(plan))

    def write_revised(self, plan: Plan) -> None:
        """Write ``plan.revised.yaml``: the plan as it ran in the end, flat."""
        write_text(self.revised, dump_plan(plan))

    def write_answer(self, answer: str) -> None:
        """Write ``report.md``, unless a specialist has written one."""
        if answer.strip() and not self.report.exists():
            write_text(self.report, f"{answer.rstrip()}\n")

    def answer(self) -> str:
        """Return the text of ``report.md``; empty where there is none."""
        try:
            return self.report.read_text("utf-8", errors="replace").rstrip("\n")
        except OSError:
            return ""

    @contextmanager
    def held(self) -> Generator[None]:
        """Keep other processes from working on the same run.

        Raises:
            BadInput: One does.
        """
        try:
            import fcntl
        except ImportError:  # there is no such lock on Windows
            yield
            return
        held = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BadInput(
                    f"another process is working on the run in {str(self.path)!r}", hint="wait for it, or stop it"
                ) from error
            yield
        finally:
            os.close(held)

    def make(self) -> None:
        """Make the folder and see that it can be written to.

        Raises:
            BadInput: It cannot.
        """
        missing = [one for one in (self.path, *self.path.parents) if not one.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._made = missing
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise BadInput(
                f"cannot write to the folder {str(self.path)!r}: {error.strerror}", hint="give another --out"
            ) from error

    def check_free(self, *, overwrite: bool) -> None:
        """See that no earlier run, and nothing else, is in the folder.

        Raises:
            BadInput: Something is, and ``overwrite`` is not set.
        """
        if overwrite or not any(self.path.iterdir()):
            return
        shown = repr(str(self.path))
        if not self._record.exists():
            raise BadInput(f"the folder {shown} is not empty", hint="give another --out, or --overwrite")
        if self.record.over:
            raise BadInput(
                f"the folder {shown} holds an earlier run", hint="give another --out, or --overwrite to replace it"
            )
        raise BadInput(
            f"the folder {shown} holds an unfinished run",
            hint=f"go on with it: goalgraph resume {self.path}; or give another --out, or --overwrite to replace it",
        )

    def clear(self) -> None:
        """Remove what an earlier run wrote, and nothing else."""
        files = [self.path / name for name in _NAMES]
        with suppress(BadInput):
            inside = self.path.resolve()
            written = [self.path / name for name in self.record.files]
            files += [path for path in written if path.resolve().is_relative_to(inside)]
        for path in files:
            path.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Take away the folders that `make` made, as far as they are empty."""
        with suppress(OSError):
            for made in self._made:
                made.rmdir()


def new_run(out: Path | None, goal: str, now: datetime) -> RunFolder:
    """Return the folder for a new run: the given one, or one in ``goalgraph-runs`` named after time and goal."""
    if out is not None:
        return RunFolder(out)
    plain = unicodedata.normalize("NFKD", goal).encode("ascii", "ignore").decode().lower()
    name = "-".join([now.strftime("%Y%m%d-%H%M%S"), *re.findall(r"[a-z0-9]{1,20}", plain)[:5]])
    path, count = RUNS / name, 1
    while path.exists():
        count += 1
        path = RUNS / f"{name}-{count}"
    return RunFolder(path)


def find_run(name: str) -> RunFolder:
    """Find the folder of a run by its path, or by its name in ``goalgraph-runs``.

    Raises:
        UnknownRun: There is no run.
    """
    for path in (Path(name), RUNS / name):
        with suppress(OSError):
            if (path / "run.json").is_file():
                return RunFolder(path)
    raise UnknownRun(f"there is no run {name!r}: no run.json in it", hint="give the folder of a run")


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
