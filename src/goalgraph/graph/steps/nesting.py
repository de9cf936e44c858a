"""Where a run is: inside of which step of another run, so that the same step of two runs can be told apart."""

from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Around", "doing", "origin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """A step that is being done, perhaps by another run."""

    namespace: str
    """LangGraph's, of its task; those of all that runs inside begin with it."""
    key: str
    """Its idempotency key."""


_around: ContextVar[Around | None] = ContextVar("goalgraph_around", default=None)


def doing(step: Around) -> None:
    """Say what the current task does from now on, to all that runs inside of it, in threads too."""
    _around.set(step)


def origin(thread: str, namespace: str) -> str:
    """Return what tells a run from all others, the same whenever it is gone on with.

    A step of ours around it is named by its idempotency key, which stays the same when the step is sent anew; tasks of
    other graphs are named by LangGraph's ids.

    Args:
        thread: Id of the thread.
        namespace: LangGraph's, of a task of the run; empty outside of any graph.
    """
    run = namespace.rpartition("|")[0]
    around = _around.get()
    if around is not None and f"{run}|".startswith(f"{around.namespace}|"):
        return f"{thread} {around.key}{run.removeprefix(around.namespace)}"
    return f"{thread} {run}" if run else thread
