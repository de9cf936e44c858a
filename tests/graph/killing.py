"""Killing a process that runs a plan, again and again, and what must hold then."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

KILLS = int(os.environ.get("GOALGRAPH_KILLS", "6"))
"""How many runs are killed."""


def started(ledger: list[str]) -> list[str]:
    """Steps that a ledger says have begun, each as often as it did."""
    return [line.split()[1] for line in ledger if line.startswith("start ")]


def ends_as_if_never_killed(
    start: "Callable[[], subprocess.Popen[str]]",
    recorded: Callable[[], set[str]],
    ledger: Path,
    chance: random.Random,
    *,
    steps: int,
    pause: float,
    answer: str,
) -> None:
    """Start a process and kill it up to three times at random moments, then let it end.

    Args:
        start: Starts it, or goes on with it.
        recorded: Steps whose outcomes are stored now.
        ledger: The file that it writes a line to when a step begins, and when it ends.
        chance: Of the moments.
        steps: How many the ledger has in the end.
        pause: Longest time in seconds between a line of the ledger and the kill.
        answer: What an undisturbed process says.
    """
    done: set[str] = set()
    begun_before = 0
    for _ in range(chance.choice([1, 1, 2, 3])):
        process = start()
        _wait(ledger, begun_before + 1 + chance.randrange(2 * steps), process)
        time.sleep(chance.random() * pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        lines = ledger.read_text().splitlines()
        assert not done & {*started(lines[begun_before:])}, "recorded steps ran again"
        done |= recorded()
        begun_before = len(lines)
    said, errors = start().communicate(timeout=60)
    assert said == answer, errors
    lines = ledger.read_text().splitlines()
    assert not done & {*started(lines[begun_before:])}, "recorded steps ran again"
    keys = Counter(tuple(line.split()[1:]) for line in set(lines) if line.startswith("start "))
    assert len(keys) == steps, "a step that ran again had another idempotency key"


def _wait(ledger: Path, lines: int, process: "subprocess.Popen[str]") -> None:
    """Wait until the ledger has so many lines, or the process has ended before."""
    while process.poll() is None:
        if ledger.exists() and len(ledger.read_bytes().splitlines()) >= lines:
            return
        time.sleep(0.0005)
