"""The sandbox of a user without rights, tried in a process of such a user where the tests run as root."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.specialists.code.confined import WAYS

import goalgraph.errors
import goalgraph.specialists.code
from goalgraph.specialists.code.confinement import Way

NOBODY = 65_534
START = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from goalgraph.errors import NoConfinement
from goalgraph.specialists.code.local import LocalSandbox
from goalgraph.specialists.code.program import Program, SandboxLimits
try:
    sandbox = LocalSandbox(SandboxLimits(seconds=10, processes=8), confinement=sys.argv[2])
except NoConfinement as error:
    sys.exit(f"refused: {error}")
result = asyncio.run(sandbox.run(Program(source=open(sys.argv[1] + "/program.py").read())))
print(result.stdout, result.stderr, result.notes)
"""
PROGRAM = """
import ctypes, os, time
for place in ("/x", "/dev/x", "/usr/x", "/etc/passwd"):
    try:
        open(place, "w" if place.endswith("x") else "r")
        print("ESCAPED", place)
    except OSError:
        pass
libc = ctypes.CDLL(None)
header, found = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.capget(header, found)
print("capabilities", sum(found[:2]) + sum(found[3:5]))
print("unshared" if libc.unshare(0x10000000) == 0 else "not unshared")
made = 0
try:
    while os.fork() or time.sleep(60):
        made += 1
except OSError:
    print("made", made)
"""


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that the user may read."""
    if os.getuid() != 0:
        pytest.skip("the other tests of sandboxes run without rights already")
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            check = "import sys; sys.exit(sys.version_info < (3, 11))"
            if subprocess.run([path, "-c", check], user=NOBODY, cwd="/", capture_output=True).returncode == 0:
                return path
        except OSError:
            continue
    pytest.skip("there is no interpreter that a user without rights may read")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """What the user may read of us."""
    path = Path(tempfile.mkdtemp())
    code = Path(goalgraph.specialists.code.__file__).parent
    shutil.copytree(code, path / "goalgraph/specialists/code", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(Path(goalgraph.errors.__file__).parent, path / "goalgraph/errors")
    # Without what the packages import: the user may not be able to read the environment of the tests.
    for package in ("goalgraph", "goalgraph/specialists", "goalgraph/specialists/code"):
        (path / package / "__init__.py").write_text("")
    (path / "program.py").write_text(PROGRAM)
    (path / "start.py").write_text(START)
    for one in (path, *path.rglob("*")):
        one.chmod(0o755 if one.is_dir() else 0o644)
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("way", WAYS)
def test_a_user_without_rights_confines_programs_too(way: Way, python: str, folder: Path) -> None:
    command = [python, "-S", "-B", str(folder / "start.py"), str(folder), way]
    done = subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", env={}, capture_output=True, text=True, timeout=60
    )
    if done.stderr.startswith("refused"):
        pytest.skip(done.stderr)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["capabilities 0", "not unshared"], done
    name, made = lines[2].split()
    assert (name, int(made) < 8) == ("made", True)
