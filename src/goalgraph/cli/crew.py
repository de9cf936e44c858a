"""Who works on a goal: the built-in specialists for the data, the caller's own, and the model."""

import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, cast

from goalgraph.cli.endings import BadInput
from goalgraph.errors import ModelFailed
from goalgraph.models import resolve_model
from goalgraph.planner import dag
from goalgraph.planner.plan import Plan
from goalgraph.specialists import SpecialistRegistry, route
from goalgraph.specialists.builtin import builtin_specialists

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Crew", "gather_crew"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Everybody there is for a goal."""

    registry: SpecialistRegistry
    model: "BaseChatModel | None"

    def doers(self, plan: Plan) -> Mapping[str, str]:
        """Name of who does each step of a valid plan, by step id."""
        return {step.id: route(step, self.registry.cards)[0] for step in plan.steps}

    def synthesis(self, plan: Plan) -> str:
        """How the answer of a plan comes about: a report that everything leads to is the answer itself."""
        ends = dag.sinks(plan)
        if len(ends) == 1 and self.doers(plan)[ends[0]] == "report_writer":
            return "last_wins"
        return "concatenate" if self.model is None else "model"


def gather_crew(data: Sequence[Path], out: Path, model: str | None, own: Sequence[str], directory: Path) -> Crew:
    """Bring together who works on a goal.

    Args:
        data: Files and folders that the built-in specialists may read.
        out: Folder that they write to.
        model: ``"provider:name"``, or None for rules alone.
        own: The caller's specialists, as ``module:attribute``.
        directory: Where those modules are imported from.

    Raises:
        BadInput: The model cannot be set up, or a module or its attribute is not there.
        GoalgraphError: Data or specialists cannot be used.
    """
    try:
        chat = resolve_model(model) if model is not None else None
    except ModelFailed as error:
        raise BadInput(str(error)) from error
    registry = SpecialistRegistry(builtin_specialists(files=data, out=out, model=chat))
    for named in own:
        for one in _imported(named, directory):
            registry.register(one)
    return Crew(registry=registry, model=chat)


def _imported(named: str, directory: Path) -> Iterable[object]:
    module, _, attribute = named.partition(":")
    if not (module.strip() and attribute.strip()):
        raise BadInput(
            f"--specialists takes module:attribute, found {named!r}", hint="write it like 'mine:specialists'"
        )
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    try:
        found: object = attrgetter(attribute)(importlib.import_module(module))
    except (Exception, SystemExit) as error:
        raise BadInput(
            f"--specialists {named!r} cannot be imported from {str(directory)!r}: {type(error).__name__}: {error}",
            hint="check the module and the name in it",
        ) from error
    if isinstance(found, (list, tuple, set, frozenset, SpecialistRegistry)):
        return tuple(cast("Iterable[object]", found))
    return (found,)
