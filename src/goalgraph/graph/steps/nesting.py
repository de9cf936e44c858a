"""Where a run is: inside of which step of another run, whose limits hold for it, and by which it is told apart."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from langchain_core.runnables.config import var_child_runnable_config

from goalgraph.graph.ledger.ledger import Ledger

__all__ = ["Around", "around", "doing", "ledgers_around", "origin", "run_around", "until_around"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """A step that is being done, perhaps by another run."""

    namespace: str
    """LangGraph's, of its task; those of all that runs inside begin with it."""
    key: str
    """Its idempotency key."""
    run: str = ""
    """Id of the run that does it."""
    path: str = ""
    """Its id, after those of the steps around it: ``"report/draft"``."""
    ledgers: tuple[Ledger, ...] = ()
    """All that its model calls need to be granted by, the innermost last."""
    until: datetime | None = None
    """When its run's time is over."""
    lose: Callable[[Exception], None] | None = None
    """Tells its run that something could not be stored."""


_around: ContextVar[Around | None] = ContextVar("goalgraph_around", default=None)


def doing(step: Around) -> None:
    """Say what the current task does from now on, to all that runs inside of it, in threads too.

    Whoever hears model calls, chains and tools inside of it finds its path in their metadata, as ``goalgraph_step``.
    """
    _around.set(step)
    if (config := var_child_runnable_config.get()) is not None:
        metadata = {**(config.get("metadata") or {}), "goalgraph_step": step.path}
        var_child_runnable_config.set({**config, "metadata": metadata})


def around(namespace: str) -> Around | None:
    """Return the step that a graph is inside of; None where it is inside of none.

    Args:
        namespace: LangGraph's, of the task that calls the graph; empty where no graph does, or not on its thread.
    """
    step = _around.get()
    return step if step is not None and f"{namespace}|".startswith(f"{step.namespace}|") and namespace else None


def run_around() -> str:
    """Return the id of the run whose step the current task does; empty where it does none."""
    step = _around.get()
    return step.run if step is not None else ""


def ledgers_around() -> tuple[Ledger, ...]:
    """Return the ledgers that all model calls of the current task need to be granted by, on whatever thread."""
    step = _around.get()
    return step.ledgers if step is not None else ()


def until_around() -> datetime | None:
    """Return when the time is over for all that runs in the current task."""
    step = _around.get()
    return step.until if step is not None else None


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
