"""The report of a run: one HTML page that needs neither files nor a network, and that nothing in it can steer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goalgraph import __version__
from goalgraph.shown import Report
from goalgraph.views.markdown_html import as_html
from goalgraph.views.plan_svg import plan_svg
from goalgraph.views.report.contents import contents_of
from goalgraph.views.report.facts import RunFacts, read_facts
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
    answer = as_html(run.answer, by_name(files))
    beside = [file for file in files if file.uri and file.uri not in answer]
    doers = {step: one.specialist for step, one in run.outcomes.items() if one.specialist is not None}
    graph = plan_svg(run.plan, run.outcomes, doers=doers, gated=_gated(run)) if run.plan.steps else ""
    contents = contents_of(run, files, beside)
    return Report(filled({**contents, "generator": f"goalgraph {__version__}"}, graph, answer))


def _gated(run: RunFacts) -> frozenset[str]:
    """Steps before which somebody was asked, or is being asked."""
    asked = (str(one.get("step")) for one in run.asked if one.get("kind") == "gate")
    return frozenset((*asked, *(one.subject for one in run.decisions if one.kind == "gate")))
