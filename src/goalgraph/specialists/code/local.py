"""Programs in subprocesses of this machine, confined by the kernel: no network, no files but their own."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import cast

from goalgraph.errors import GoalgraphError
from goalgraph.specialists.code.confinement import Confinement, Way, command_of, request_of, way_of
from goalgraph.specialists.code.memory import memory_of
from goalgraph.specialists.code.program import Ended, Program, ProgramResult, SandboxLimits

__all__ = ["LocalSandbox"]

_LOOK = 0.05
_GRACE = 5.0
"""Seconds beyond its own that a program's keeper has to give back what there is."""
_LAST = 2.0
_TALK = 100_000
_ROOM = 8


class LocalSandbox:
    """Runs Python programs on this machine, in a confinement that is tried out when this is made.

    Confined, a program has: no network, not even this machine's own; of the file system the interpreter, the system's
    libraries and programs (``/usr``), read-only, and two empty folders in memory; no other process to see or signal; no
    variables of this environment; a user without rights, and none of the kernel's calls that could change any of this.
    It is ended with all that it has started when its time is up, its memory or output exceeded, or the call cancelled.
    It shares the kernel with everything else: against an attacker with a hole in it, use a virtual machine.

    With ``confinement="none"`` none of that holds: the program may do whatever this process may. Limits and timeouts
    hold, but for ``processes``, and only as long as the program does not set out to evade them.
    """

    def __init__(
        self, limits: SandboxLimits | None = None, *, confinement: Confinement = "best", packages: bool = False
    ) -> None:
        """Choose the confinement; trying one out takes a tenth of a second, once in a process.

        Args:
            limits: What a program may use, unless it says otherwise itself.
            confinement: ``"bubblewrap"`` needs the program ``bwrap``; ``"namespaces"`` asks the kernel itself, as root
                or where users may make namespaces; ``"best"``: the first of these that works; ``"none"``: unsafe, only
                for programs that may do all that this process may.
            packages: Whether programs may import the packages that are installed for this interpreter, read-only.

        Raises:
            ValueError: There is no such confinement.
            NoConfinement: It does not work on this machine.
        """
        self.limits = limits or SandboxLimits()
        self.packages = packages
        self._way: Way = way_of(confinement)

    def __repr__(self) -> str:
        return f"<sandbox of this machine, confinement: {self._way}>"

    @property
    def confinement(self) -> Way:
        """What programs are confined by."""
        return self._way

    async def run(self, program: Program) -> ProgramResult:
        """Run a program; see `Sandbox`. Up to 50 ms pass between an excess and its end.

        Raises:
            ValueError: Its files are larger than it may have.
            GoalgraphError: The sandbox itself failed.
        """
        limits = program.limits or self.limits
        if sum(map(len, program.files.values())) + len(program.source) > limits.disk_mb << 20:
            raise ValueError(f"files: the program's are larger than disk_mb, which is {limits.disk_mb}")
        home = Path(tempfile.mkdtemp(prefix="goalgraph-")) if self._way == "none" else None
        try:
            given = {name: base64.b64encode(content).decode() for name, content in program.files.items()}
            command = command_of(self._way, limits, packages=self.packages, home=home)
            request = request_of(program.source, given, program.stdin, limits)
            answer, said = await self._supervised(command, request, limits)
        finally:
            if home is not None:
                shutil.rmtree(home, ignore_errors=True)
        return _result(answer, said)

    async def _supervised(self, command: list[str], request: bytes, limits: SandboxLimits) -> tuple[bytes, bytes]:
        """Start the program's keeper, watch over both, and return what the keeper says, and what it complains of."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
        # What comes back: texts and files, as JSON, of which each byte may take several characters.
        most = (2 * limits.disk_mb << 20) + 2 * _ROOM * (limits.output_kb << 10) + (1 << 20)
        talk = asyncio.gather(
            _read(cast("asyncio.StreamReader", process.stdout), most),
            _read(cast("asyncio.StreamReader", process.stderr), _TALK),
        )
        watch = asyncio.create_task(_watch(process, request, limits))
        try:
            async with asyncio.timeout(limits.seconds + _GRACE):
                return cast("tuple[bytes, bytes]", tuple(await asyncio.shield(talk)))
        except TimeoutError:
            return b"", b""
        finally:
            watch.cancel()
            ending = asyncio.ensure_future(self._end(process))
            await _through(ending)
            talk.cancel()
            await asyncio.gather(watch, talk, return_exceptions=True)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End the keeper, and with it the program: confined, the kernel sees to that."""
        if process.stdin is not None:
            process.stdin.close()
        if self._way == "none" and process.returncode is None:
            # It kills what the program has started, once it sees that nobody listens.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(process.wait()), _LAST)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _through(ending: "asyncio.Future[None]") -> None:
    """Wait for an ending to its end, however often this is cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    read = bytearray()
    while more := await stream.read(1 << 16):
        read += more
        if len(read) > most:
            return bytes(read[:most])
    return bytes(read)


async def _watch(process: asyncio.subprocess.Process, request: bytes, limits: SandboxLimits) -> None:
    """Tell the keeper what to run, and to end it where all of its processes have too much memory together."""
    stdin = cast("asyncio.StreamWriter", process.stdin)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(request)
        await stdin.drain()
        while memory_of(process.pid) <= limits.memory_mb << 20:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(_LOOK)
        stdin.write(b"m")
        await stdin.drain()


def _result(answer: bytes, said: bytes) -> ProgramResult:
    if not answer and not said:
        return ProgramResult(exit_code=None, ended="killed", notes=("it was killed with its keeper, nothing is left",))
    try:
        found = json.loads(answer)
        return ProgramResult(
            exit_code=found["exit_code"],
            stdout=found["stdout"],
            stderr=found["stderr"],
            files={name: base64.b64decode(text) for name, text in found["files"].items()},
            seconds=found["seconds"],
            ended=cast("Ended", found["ended"]),
            notes=tuple(found["notes"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise GoalgraphError(f"the sandbox failed: {last[0][:300]}", hint="see LocalSandbox") from error
