"""Where a run is: inside of which step of another run, whose budgets hold for it, and by which it is told apart."""

from contextvars import ContextVar
from dataclasses import dataclass

from goalgraph.graph.steps.budget import Budget

__all__ = ["Around", "around", "budgets_around", "doing", "origin", "run_around"]


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
    budgets: tuple[Budget, ...] = ()
    """All that what it costs is charged to, the innermost last."""


_around: ContextVar[Around | None] = ContextVar("goalgraph_around", default=None)


def doing(step: Around) -> None:
    """Say what the current task does from now on, to all that runs inside of it, in threads too."""
    _around.set(step)


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


def budgets_around() -> tuple[Budget, ...]:
    """Return the budgets that all model calls of the current task are charged to, on whatever thread."""
    step = _around.get()
    return step.budgets if step is not None else ()


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
