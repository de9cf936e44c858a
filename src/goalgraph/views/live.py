"""A run shown while it goes on: a table that changes in its place, in a terminal or a notebook, or a line an event."""

import contextvars
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Any

from goalgraph.graph.events import Event
from goalgraph.views.event_lines import plain_line
from goalgraph.views.frame import frame, frame_text
from goalgraph.views.frame_html import frame_html
from goalgraph.views.frame_table import frame_table
from goalgraph.views.progress import Track

if TYPE_CHECKING:
    from rich.console import Console, Group

__all__ = ["Tell", "as_lines", "in_notebook", "is_notebook", "on_terminal", "printing_on"]

Tell = Callable[[Event], None]
"""Is called with every event of the run."""

_LASTING = ("revision_started", "plan_revised")
"""Events that stay on the screen above the table."""
_PER_SECOND = 8
_STILL = 1.0
"""Seconds after which a notebook's table is drawn anew though nothing has happened: for the time that passes."""
_ROOM = 32
"""Lines in a notebook."""


@contextmanager
def as_lines(track: Track, write: Callable[[str], None], clock: Callable[[], float]) -> Generator[Tell]:
    """Show a run as a line for each event that is worth one.

    Args:
        track: Follows the run.
        write: Writes lines of text.
        clock: In seconds; only goes forward.
    """

    def told(event: Event) -> None:
        track.follow(event, clock())
        if (text := plain_line(event)) is not None:
            write(text)

    with _ended(track):
        yield told


@contextmanager
def on_terminal(
    track: Track, console: "Console", clock: Callable[[], float], *, at_once: bool = True
) -> Generator[Tell]:
    """Show a run as a table on a terminal; its last state stays there.

    Args:
        track: Follows the run.
        console: Where it is shown.
        clock: In seconds; only goes forward.
        at_once: Whether it is shown from now on; else from the first event of a step on.
    """
    from rich.live import Live
    from rich.text import Text

    signs = console.encoding.lower().startswith("utf")

    def drawn() -> "Group":
        return frame_table(frame(track, clock(), console.height - 2), signs=signs)

    # Without its own thread, which would outlive it for a moment.
    live = Live(console=console, get_renderable=drawn, auto_refresh=False)

    def draw() -> None:
        if live.is_started:
            live.refresh()

    def told(event: Event) -> None:
        track.follow(event, clock())
        if event.get("step"):
            live.start()
        if event["type"] in _LASTING and (text := plain_line(event)) is not None:
            console.print(Text(text))

    try:
        with _ended(track), _repeated(draw):
            if at_once:
                live.start(refresh=True)
            yield told
    finally:
        live.stop()


@contextmanager
def in_notebook(track: Track, clock: Callable[[], float]) -> Generator[Tell]:
    """Show a run as a table in the output of a notebook's cell; its last state stays there.

    Args:
        track: Follows the run.
        clock: In seconds; only goes forward.
    """

    def drawn() -> dict[str, str]:
        moment = frame(track, clock(), _ROOM)
        return {"text/html": frame_html(moment), "text/plain": frame_text(moment)}

    handle: Any = import_module("IPython.display").display(drawn(), raw=True, display_id=True)
    changed, last = Flag(), clock()

    def told(event: Event) -> None:
        track.follow(event, clock())
        changed.set()

    def draw() -> None:
        nonlocal last
        if changed.is_set() or clock() - last >= _STILL:
            changed.clear()
            last = clock()
            handle.update(drawn(), raw=True)

    try:
        with _ended(track), _repeated(draw):
            yield told
    finally:
        handle.update(drawn(), raw=True)


def is_notebook() -> bool:
    """Whether the output of this process is a notebook's: IPython runs it, and not in a terminal."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    terminal: Any = sys.modules.get("IPython.terminal.interactiveshell")
    return shell is not None and not (terminal is not None and isinstance(shell, terminal.TerminalInteractiveShell))


def printing_on(console: "Console") -> Callable[[str], None]:
    """Return what writes lines of text on a console as they are; what its encoding does not have becomes marks."""
    from rich.text import Text

    def write(text: str) -> None:
        console.print(Text(text.encode(console.encoding, "replace").decode(console.encoding)), soft_wrap=True)

    return write


@contextmanager
def _repeated(draw: Callable[[], None]) -> Generator[None]:
    """Draw again and again, in a thread that is gone at the end: also while steps block the event loop."""
    over = Flag()

    def work() -> None:
        while not over.wait(1 / _PER_SECOND):
            draw()

    # In the caller's context, which tells a notebook's kernel which cell the output belongs to.
    drawing = Thread(target=contextvars.copy_context().run, args=(work,), name="goalgraph-display", daemon=True)
    drawing.start()
    try:
        yield
    finally:
        over.set()
        drawing.join()


@contextmanager
def _ended(track: Track) -> Generator[None]:
    """Tell the track how it ends: a run that breaks off was stopped, one that does not wants answers."""
    try:
        yield
    except BaseException:
        track.end("stopped")
        raise
    track.end("waiting")
