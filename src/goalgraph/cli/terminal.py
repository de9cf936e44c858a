"""Where the command writes: consoles that survive closed pipes, odd encodings and strangers' control characters."""

import io
import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from pydantic import JsonValue
    from rich.console import Console, RenderableType

__all__ = ["Terminal", "steady_streams"]


class _Steady:
    """A text stream that goes on in silence once nobody reads it any more, as in ``goalgraph run ... | head``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._silence()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._silence()

    def _silence(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def steady_streams() -> Generator[None]:
    """Let stdout and stderr stand closed pipes, being closed from the start, and characters they cannot show."""
    before = sys.stdin, sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.stdin = before[0] or cast("TextIO", io.StringIO())
    sys.stdout, sys.stderr = (cast("TextIO", _Steady(stream or io.StringIO())) for stream in before[1:])
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


class Terminal:
    """The streams of one command.

    With ``as_json`` stdout carries one JSON document and nothing else; what a person reads goes to stderr, if that is a
    terminal.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._stdout = sys.stdout
        self._shown = sys.stderr if as_json else sys.stdout
        self.console: Console = _console(self._shown)
        self.rich = self._shown.isatty() and os.environ.get("TERM") != "dumb"
        """Whether a person sees it on a terminal that can redraw lines."""
        self.asks = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
        """Whether there is somebody to ask."""

    @property
    def silent(self) -> bool:
        """Whether nothing but the JSON document and errors may be written."""
        return self.as_json and not self._shown.isatty()

    @property
    def signs(self) -> bool:
        """Whether the terminal can show characters beyond ASCII."""
        return (self._shown.encoding or "").lower().startswith("utf")

    @contextmanager
    def guarded(self) -> Generator[None]:
        """Keep what others print (specialists, libraries) off a stdout that carries JSON."""
        if not self.as_json:
            yield
            return
        with redirect_stdout(sys.stderr):
            yield

    def line(self, text: str = "") -> None:
        """Write lines of plain text as they are."""
        if not self.silent:
            self._shown.write(f"{text}\n")
            self._shown.flush()

    def text(self, text: str) -> None:
        """Write a line with words of specialists or names of files; on a terminal, without what could steer it."""
        from goalgraph.views.text import printable

        self.line(printable(text) if self._shown.isatty() else text)

    def show(self, what: "RenderableType") -> None:
        """Write something that rich draws."""
        if not self.silent:
            self.console.print(what)

    def answer(self, text: str) -> None:
        """Write an answer: drawn Markdown on a terminal, the text itself otherwise."""
        if not self.rich:
            self.line(text)
            return
        from goalgraph.views.terminal import markdown_drawn
        from goalgraph.views.text import printable

        self.show(markdown_drawn(printable(text)))

    def document(self, content: "JsonValue") -> None:
        """Write the JSON document."""
        utf = (self._stdout.encoding or "").lower().startswith("utf")
        self._stdout.write(as_json_text(content, ascii_only=not utf))
        self._stdout.flush()

    def ask(self, question: str) -> str | None:
        """Ask for a line of text; None: there is none, as after Ctrl-D."""
        sys.stdout.write(f"{question} ")
        sys.stdout.flush()
        said = sys.stdin.readline()
        if not said:
            self.line()
            return None
        return said.rstrip("\r\n")


def as_json_text(content: "JsonValue", *, ascii_only: bool = False) -> str:
    """Write JSON; names that are no valid text, such as odd paths, are escaped."""
    text = json.dumps(content, indent=2, ensure_ascii=ascii_only)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(content, indent=2)
    return f"{text}\n"


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)
