"""A folder to work in, with data and specialists of its own, and the real command in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.screens import Screen

from goalgraph.cli.app import call

_SPECIALISTS = """
import asyncio
import sys
import time
from pathlib import Path

from goalgraph import Plan, StepResult, specialist

HERE = Path(__file__).parent


def tally(step):
    with (HERE / "tally.txt").open("a") as file:
        file.write(step + "\\n")


@specialist(description="Notes things down.", capabilities=["noting"])
def noter(task, context):
    tally(task.step)
    return f"noted {task.step} \\u2713"


@specialist(description="Waits for the file go.")
async def waiter(task, context):
    (HERE / f"waiting-{task.step}").touch()
    context.progress("waiting for go")
    while not (HERE / "go").exists():
        await asyncio.sleep(0.02)
    tally(task.step)
    return "went on"


@specialist(description="Blocks its thread.")
def blocker(task, context):
    (HERE / f"waiting-{task.step}").touch()
    while not (HERE / "go").exists():
        time.sleep(0.02)
    return "went on"


@specialist(description="Holds up the event loop.")
async def hog(task, context):
    (HERE / f"waiting-{task.step}").touch()
    while True:
        time.sleep(0.02)


@specialist(description="Never works.")
def breaker(task, context):
    raise RuntimeError("the disk is \\x1b[31mon fire\\nand so is the lamp")


@specialist(description="Talks on stdout.")
def talker(task, context):
    print("I am talking")
    return "talked"


@specialist(description="Gives less than was asked for.")
def weak(task, context):
    return StepResult(output="something", degraded=("only half of it",))


everybody = [noter, waiter, blocker, hog, breaker, talker, weak]
not_a_specialist = 42
"""

_DATA = "year,sales,cost\n" + "".join(f"{2000 + n},{100 + 7 * n},{90 - n}\n" for n in range(20))


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with ``sales.csv``, the module ``mine`` and plans for its specialists."""
    (tmp_path / "mine.py").write_text(_SPECIALISTS, "utf-8")
    (tmp_path / "sales.csv").write_text(_DATA, "utf-8")
    plans: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {
        "two": [("first", "noter", ()), ("second", "waiter", ("first",)), ("third", "noter", ("second",))],
        "weak": [("only", "weak", ())],
        "broken": [("only", "breaker", ())],
        "half": [("good", "noter", ()), ("bad", "breaker", ())],
        "talk": [("only", "talker", ())],
        "block": [("first", "noter", ()), ("second", "blocker", ("first",))],
        "hog": [("only", "hog", ())],
        "one": [("only", "noter", ())],
    }
    for name, steps in plans.items():
        lines = [f"  - {{id: {i}, task: do {i}, agent: {who}, depends_on: [{', '.join(n)}]}}" for i, who, n in steps]
        (tmp_path / f"{name}.yaml").write_text("\n".join([f"name: the plan {name}", "steps:", *lines]), "utf-8")
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """What the command sees: no model's key, and nothing that changes what a terminal looks like."""
    dropped = (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "NO_COLOR",
        "FORCE_COLOR",
        "GOALGRAPH_DEBUG",
        "GOALGRAPH_PLANS",
        "PYTHONIOENCODING",
        "COLUMNS",
    )
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}


@pytest.fixture
def start(workplace: Path, environment: dict[str, str]) -> Callable[..., "subprocess.Popen[str]"]:
    """Start the command in the workplace."""

    def started(*arguments: str, **extra: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "goalgraph.cli", *arguments],
            cwd=workplace,
            env={**environment, **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )

    return started


@pytest.fixture
def goalgraph(start: Callable[..., "subprocess.Popen[str]"]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run the command in the workplace to its end, with no terminal."""

    def called(*arguments: str, **extra: str) -> "subprocess.CompletedProcess[str]":
        with start(*arguments, **extra) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    return called


@pytest.fixture
def called(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[list[str]], tuple[int, str, str]]]:
    """Call the command in this process; gives exit code, stdout and stderr."""
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("OPENAI_API_KEY", "GOALGRAPH_PLANS"):
        monkeypatch.delenv(name, raising=False)

    def ended(arguments: list[str]) -> tuple[int, str, str]:
        code = call(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    yield ended
    for name in ("mine", "leaver"):
        sys.modules.pop(name, None)


@pytest.fixture
def screen(workplace: Path, environment: dict[str, str]) -> Iterator[Callable[..., Screen]]:
    """Start the command on a terminal."""
    opened: list[Screen] = []

    def started(*arguments: str, columns: int = 100, **extra: str) -> Screen:
        opened.append(Screen(arguments, workplace, {**environment, **extra}, columns))
        return opened[-1]

    yield started
    for one in opened:
        one.close()
