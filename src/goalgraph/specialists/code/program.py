"""What a sandbox is given and gives back: a program, its limits, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Literal, Protocol, runtime_checkable

__all__ = ["Ended", "Program", "ProgramResult", "Sandbox", "SandboxLimits"]

Ended = Literal["exited", "timeout", "memory", "output", "killed"]
"""Why a program ended: by itself, after too many seconds (of the clock or of the processor), with too much memory, with
too much printed or written, or by a signal that nobody of us sent."""

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What a program may use; all of it positive."""

    seconds: float = 30.0
    """By the clock, from its start to the end of its last process."""
    cpu_seconds: int = 30
    """Of each of its processes."""
    memory_mb: int = 512
    """Of each process (address space), and of all of them together (what they have written to)."""
    processes: int = 32
    """Threads included."""
    file_mb: int = 16
    """Of one file."""
    disk_mb: int = 32
    """Of all files together; where files are kept in memory, that is not part of ``memory_mb``."""
    files: int = 100
    """Given back at most. Twenty times as many may exist at once."""
    open_files: int = 128
    """Of each process."""
    output_kb: int = 256
    """Printed to standard output, and to standard error."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value: object = getattr(self, one.name)
            kinds = (int, float) if one.name == "seconds" else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
                raise ValueError(f"{one.name} must be a number above 0, found {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Python program with all that it may see."""

    source: str
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """By name, relative to the folder that it runs in, such as ``"input.json"``; ``main.py`` is the program's own."""
    stdin: str = ""
    limits: SandboxLimits | None = None
    """None: the sandbox's own."""

    def __post_init__(self) -> None:
        for name in self.files:
            path = PurePosixPath(name)
            bad = path.is_absolute() or ".." in path.parts or "\0" in name or name in ("", ".", "main.py")
            if bad or len(name) > _LONGEST_NAME or str(path) != name:
                raise ValueError(f"files: a name is a plain relative path, found {name[:_LONGEST_NAME]!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramResult:
    """What came of a program. All of it is data that the program, or whoever wrote it, has chosen."""

    exit_code: int | None
    """None where it did not exit by itself."""
    stdout: str = ""
    stderr: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """What it wrote or changed, by relative name; regular files only, links are never followed."""
    seconds: float = 0.0
    ended: Ended = "exited"
    notes: tuple[str, ...] = ()
    """A sentence for each thing that is not here as a whole: output that was cut, files that were left out."""


@runtime_checkable
class Sandbox(Protocol):
    """Where programs run that nobody has read. Implement it to use a hosted one."""

    async def run(self, program: Program) -> ProgramResult:
        """Run a program to its end.

        It must keep to the limits, confine the program to the files it was given, and, when this is cancelled, end it
        with all that it has started. What a program does wrong is a result, not an exception.

        Raises:
            Exception: The sandbox itself has failed.
        """
        ...
