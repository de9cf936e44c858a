"""The real command on a real terminal (a pty)."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_OWN = ("--specialists", "mine:everybody")
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x1b\x07]*(\x1b\\|\x07))")


class Screen:
    """A command that runs on a pty of its own."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str], columns: int) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "goalgraph.cli", *arguments],
            cwd=folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.raw = ""

    @property
    def text(self) -> str:
        """All that was written, without escape sequences."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, wanted: str, seconds: float = 30) -> None:
        """Read until something appears."""
        end = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < end, self.text
            if not self._read():
                assert wanted in self.text, self.text
                return

    def ended(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 0.2)[0]:
            return True
        try:
            found = os.read(self._master, 65536)
        except OSError:
            return False
        self.raw += found.decode("utf-8", "replace")
        return bool(found)


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


@pytest.mark.parametrize("answer", ["\r", "y\r", "what?\rYES\r"], ids=["enter", "y", "first nonsense"])
def test_a_terminal_shows_the_tree_asks_and_draws_the_answer(
    screen: Callable[..., Screen], workplace: Path, answer: str
) -> None:
    (workplace / "go").touch()
    shown = screen("run", "--plan", "two.yaml", *_OWN, "--out", "here")
    shown.until("Run it? [Y/n] ")
    assert "├── layer 1\n│   └── first  noter\n" in shown.text
    assert not (workplace / "here" / "run.json").exists()
    shown.type(answer)
    assert shown.ended() == 0
    assert re.search(r"✓ second waiter +\d+\.\d s", shown.text)
    assert "## do first" not in shown.text
    assert "do first" in shown.text
    assert "complete: 3 of 3 steps succeeded\nfiles in here:\n  report.md\n" in shown.text


@pytest.mark.parametrize("answer", ["n\r", "\x04"], ids=["n", "end of input"])
def test_no_runs_nothing_and_leaves_nothing(screen: Callable[..., Screen], workplace: Path, answer: str) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "--out", "deep/here")
    shown.until("Run it? [Y/n] ")
    shown.type(answer)
    assert shown.ended() == 0
    assert shown.text.endswith("not run\n")
    assert not (workplace / "deep").exists()
    assert not (workplace / "tally.txt").exists()


def test_ctrl_c_at_the_question_runs_nothing(screen: Callable[..., Screen], workplace: Path) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "--out", "here")
    shown.until("Run it? [Y/n] ")
    shown.type("\x03")
    assert shown.ended() == 130
    assert "Traceback" not in shown.text
    assert not (workplace / "here").exists()


def test_ctrl_c_stops_a_live_run_and_resume_draws_what_was_done_before(
    screen: Callable[..., Screen], workplace: Path
) -> None:
    shown = screen("run", "--plan", "two.yaml", *_OWN, "--out", "here", "--yes")
    shown.until("waiting for go")
    assert "Run it?" not in shown.text
    shown.type("\x03")
    assert shown.ended() == 130
    assert "stopped; 1 of 3 steps done; go on with: goalgraph resume here\n" in shown.text
    assert shown.raw.rindex("\x1b[?25h") > shown.raw.rindex("\x1b[?25l")
    (workplace / "go").touch()
    later = screen("resume", "here")
    assert later.ended() == 0
    assert re.search(r"✓ first +noter +\d+\.\d s", later.text)
    assert (workplace / "tally.txt").read_text().split() == ["first", "second", "third"]


def test_a_narrow_plain_terminal_gets_plain_signs(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "half.yaml", *_OWN, "-y", columns=30, NO_COLOR="1", PYTHONIOENCODING="ascii")
    assert shown.ended() == 3
    assert re.search(r"x bad +breaker", shown.text)
    assert "\x1b[3" not in shown.raw
    assert "\x1b[1;3" not in shown.raw
    assert all(ord(letter) < 128 for letter in shown.text)
    drawn = shown.text.partition("\ndegraded: ")[0].split("\n")
    assert max(map(len, drawn)) <= 30


def test_a_dumb_terminal_gets_plain_lines(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "-y", TERM="dumb")
    assert shown.ended() == 0
    assert "\x1b" not in shown.raw
    assert "started only (noter)\nsucceeded only after " in shown.text


def test_words_of_a_specialist_cannot_steer_the_terminal(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "broken.yaml", *_OWN, "-y", NO_COLOR="1")
    assert shown.ended() == 1
    assert "on fire" in shown.text
    assert "\x1b[31m" not in shown.raw


def test_json_on_a_terminal_still_ends_with_the_document(screen: Callable[..., Screen]) -> None:
    shown = screen("run", "--plan", "one.yaml", *_OWN, "--json")
    assert shown.ended() == 0
    assert "Run it?" not in shown.text
    assert json.loads(shown.text[shown.text.index("\n{\n") :])["answer"] == "noted only ✓"
