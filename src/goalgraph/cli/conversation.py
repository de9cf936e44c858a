"""A run and whoever sits at the terminal, by turns: what is asked is answered, then the run goes on."""

from collections.abc import Mapping
from functools import partial

from pydantic import JsonValue

from goalgraph.cli.crew import Crew
from goalgraph.cli.dialogs import Dialog, Skipped
from goalgraph.cli.endings import Stopped, UnusablePlan
from goalgraph.cli.execution import Ended, Execution
from goalgraph.cli.planning import show_proposal
from goalgraph.cli.signals import run_stoppable, stoppable
from goalgraph.cli.sources import GivenPlan, checked_plan
from goalgraph.cli.terminal import Terminal
from goalgraph.errors import InvalidPlan
from goalgraph.planner.documents import parse_document
from goalgraph.planner.plan import Plan

__all__ = ["converse"]


def converse(execution: Execution, crew: Crew, terminal: Terminal, by: str | None = None) -> Ended:
    """Do a run as far as it comes; on a terminal, ask what it asks whenever nothing else can run.

    Args:
        execution: The run.
        crew: Who works on it.
        terminal: Where is asked, if it is one.
        by: Who sits there; kept with the answers.

    Raises:
        Stopped: A signal came. Answers given until then are kept in the run's record.
    """
    dialog = Dialog(
        terminal=terminal,
        show_plan=lambda plan: show_proposal(plan, crew, terminal),
        check_plan=partial(_checked, crew=crew, inputs=execution.inputs),
    )
    skipped: set[str] = set()
    while True:
        ended = run_stoppable(execution.go_on(), drain=execution.drain)
        asked = [request for request in execution.requests if request.id not in skipped]
        if ended.record.over or not terminal.asks or execution.draining or not asked:
            return ended
        try:
            with stoppable():
                for number, request in enumerate(asked, 1):
                    try:
                        answer = dialog.ask(request, f"{number} of {len(asked)}")
                    except Skipped:
                        skipped.add(request.id)
                    else:
                        execution.keep(request, answer, by)
        except Stopped:
            terminal.line()
            raise
        if skipped.issuperset(request.id for request in asked):
            return ended


def _checked(text: str, *, crew: Crew, inputs: Mapping[str, JsonValue]) -> Plan:
    """Read a plan that was edited.

    Raises:
        UnusablePlan: It may not run.
    """
    try:
        document = parse_document(text, source="the edited plan")
    except InvalidPlan as error:
        raise UnusablePlan(error.problems, source="the edited plan") from error
    return checked_plan(GivenPlan(document=document, name="plan"), None, crew.registry.cards, inputs)
