"""What a run gives to whoever has called it."""

from typing import Any

from goalgraph.shown import Report, Shown, report_of

__all__ = ["RunResult"]


class RunResult(Shown, dict[str, Any]):
    """The result of a run: a plain dict with ``answer``, ``status``, ``plan``, ``outcomes`` and so on.

    It shows itself in notebooks and terminals. Its keys are those of ``PlanOutput``, and ``__interrupt__`` where the
    run waits for somebody.
    """

    def report(self) -> Report:
        """Make one self-contained HTML page of it: ``result.report().save("report.html")``."""
        return report_of(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show itself as text in IPython, which otherwise writes out every dict."""
        printer.text(self._repr_mimebundle_()["text/plain"])
