"""A library of plans as a folder of YAML files: made for editing by hand, and for git."""

import contextlib
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from goalgraph.errors import GoalgraphError, InvalidPlan
from goalgraph.planner.diff import diff_plans
from goalgraph.planner.documents import dump_plan, load_plan
from goalgraph.planner.library import PlanEntry, PlanVersion, checked_alias, unknown_plan, unknown_version
from goalgraph.planner.plan import Plan

__all__ = ["FolderLibrary"]

_FILE = re.compile(r"v([1-9][0-9]{0,8})\.yaml", re.ASCII)


class FolderLibrary:
    """Keeps each version in a file of its own, ``<root>/<alias>/v1.yaml``, and never writes over one.

    Several processes may save at once: each gets a version of its own. A version's time is that of its file. The
    folder need not exist; anything else in it is left alone. Trouble with the disk is an `OSError`.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        """The folder."""

    def save(self, alias: str, plan: Plan) -> int:
        """Save a plan; see `PlanLibrary`. Once it returns, the plan is on the disk."""
        known = self._names()
        folder = self.root / checked_alias(alias, known)
        folder.mkdir(parents=True, exist_ok=True)
        if alias not in known:
            self._claim(folder)
        draft = folder / f".saving-{uuid4().hex}.tmp"
        try:
            while True:  # until no one else takes the number first
                files = _files(folder)
                if _holds(files, plan):
                    return max(files)
                if not draft.exists():
                    _write(draft, dump_plan(plan))
                version = 1 + max(files, default=0)
                if _published(draft, folder / f"v{version}.yaml"):
                    break
        finally:
            draft.unlink(missing_ok=True)
        for changed in (folder, self.root) if version == 1 else (folder,):
            _flush(changed)
        return version

    def load(self, alias: str, version: int | None = None) -> Plan:
        """Return a plan; see `PlanLibrary`."""
        files = self._versions(alias)
        number = max(files) if version is None else version
        if number not in files:
            raise unknown_version(alias, number, files)
        return load_plan(files[number])

    def aliases(self) -> tuple[PlanEntry, ...]:
        """List all plans; see `PlanLibrary`."""
        found = ((name, _files(self.root / name)) for name in sorted(self._names()))
        return tuple(_entry(name, files) for name, files in found if files)

    def versions(self, alias: str) -> tuple[PlanVersion, ...]:
        """List the versions of a plan; see `PlanLibrary`."""
        files = self._versions(alias)
        return tuple(PlanVersion(version=number, saved_at=_time(files[number])) for number in sorted(files))

    def _names(self) -> frozenset[str]:
        """Folders whose names are aliases, spelt as they are on the disk."""
        try:
            with os.scandir(self.root) as entries:
                return frozenset(entry.name for entry in entries if entry.is_dir() and _is_alias(entry.name))
        except FileNotFoundError:
            return frozenset()

    def _versions(self, alias: str) -> Mapping[int, Path]:
        # Asked by listing: a file system that knows no case would find "Intake" for "intake".
        names = self._names()
        files = _files(self.root / alias) if alias in names else {}
        if not files:
            raise unknown_plan(alias, (name for name in names if _files(self.root / name)))
        return files

    def _claim(self, folder: Path) -> None:
        """Give up a new folder, if another process made one meanwhile whose name differs by case alone."""
        try:
            checked_alias(folder.name, self._names() - {folder.name})
        except GoalgraphError:
            with contextlib.suppress(OSError):  # not empty: its plans are someone else's
                folder.rmdir()
            raise


def _holds(files: Mapping[int, Path], plan: Plan) -> bool:
    """Whether the newest version is this very plan."""
    try:
        return bool(files) and not diff_plans(load_plan(files[max(files)]), plan)
    except InvalidPlan:
        return False


def _is_alias(name: str) -> bool:
    try:
        return bool(checked_alias(name))
    except GoalgraphError:
        return False


def _files(folder: Path) -> dict[int, Path]:
    """Files of the versions, by number."""
    try:
        with os.scandir(folder) as entries:
            return {
                int(match[1]): Path(entry.path)
                for entry in entries
                if (match := _FILE.fullmatch(entry.name)) and entry.is_file()
            }
    except FileNotFoundError:
        return {}


def _entry(alias: str, files: Mapping[int, Path]) -> PlanEntry:
    newest = max(files)
    plan, problem = Plan(), None
    try:
        plan = load_plan(files[newest])
    except InvalidPlan as error:
        problem = str(error)
    return PlanEntry(
        alias=alias,
        version=newest,
        versions=len(files),
        name=plan.name,
        description=plan.description,
        saved_at=_time(files[newest]),
        problem=problem,
    )


def _time(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _write(file: Path, text: str) -> None:
    with file.open("x", encoding="utf-8", newline="\n") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def _published(draft: Path, target: Path) -> bool:
    """Give the written file its name, whole or not at all; False where the name is taken."""
    try:
        os.link(draft, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            target.open("x").close()
        except FileExistsError:
            return False
        draft.replace(target)
    return True


def _flush(folder: Path) -> None:
    """Have a folder's new names survive a power cut."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
