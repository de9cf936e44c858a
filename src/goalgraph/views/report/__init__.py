"""The report of a run: one HTML page that needs neither files nor a network, and that nothing in it can steer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goalgraph import __version__
from goalgraph.shown import Report
from goalgraph.views.plan_svg import plan_svg
from goalgraph.views.report.contents import contents_of
from goalgraph.views.report.facts import read_facts
from goalgraph.views.report.markdown import as_html
from goalgraph.views.report.page import MARKER, filled
from goalgraph.views.report.pictures import by_name, files_of

__all__ = ["MARKER", "report_page"]


def report_page(values: Mapping[str, Any], folder: Path | None = None) -> Report:
    """Make the report of a run, over or not.

    Args:
        values: Of its state: a result, or ``get_state(config).values``; with the interrupts as ``__interrupt__`` where
            it is to say what the run waits for.
        folder: Of the run: the pictures in it are shown. None: those that steps name by their paths.

    Raises:
        InvalidData: A value is none that a run writes.
    """
    run = read_facts(values)
    files = files_of(run.outcomes, folder)
    graph = plan_svg(run.plan, run.outcomes) if run.plan.steps else ""
    contents = contents_of(run, files, has_graph=bool(graph))
    answer = as_html(run.answer, by_name(files))
    return Report(filled({**contents, "generator": f"goalgraph {__version__}"}, graph, answer))
