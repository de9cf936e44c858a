"""A run that is watched: a table that changes on a terminal, or a new line for each event."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goalgraph.views.live import Tell, as_lines, on_terminal
from goalgraph.views.progress import Track

if TYPE_CHECKING:
    from goalgraph.cli.terminal import Terminal

__all__ = ["displayed"]


@contextmanager
def displayed(track: Track, terminal: "Terminal", clock: Callable[[], float]) -> Generator[Tell]:
    """Show a run while it goes on, from the first event of a step on.

    Args:
        track: Follows the run.
        terminal: Where it is shown.
        clock: In seconds; only goes forward.

    Yields:
        What to call with every event.
    """
    track.began = clock()
    if terminal.rich:
        with on_terminal(track, terminal.console, clock, at_once=False) as tell:
            yield tell
    else:
        with as_lines(track, terminal.line, clock) as tell:
            yield tell
