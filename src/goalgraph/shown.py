"""How objects show themselves in notebooks and terminals: by views that lie above them, loaded when somebody looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["Report", "Shown", "report_of"]


@dataclass(frozen=True, slots=True)
class Report:
    """A page about a run: one HTML document that needs nothing else, neither files nor a network."""

    html: str = field(repr=False)
    """The whole document."""

    def save(self, path: str | Path) -> Path:
        """Write the page to the file ``path``, UTF-8, and return its path.

        Raises:
            OSError: The file cannot be written.
        """
        target = Path(path)
        target.write_text(self.html, encoding="utf-8")
        return target

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame of its own."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" title="Report of a run" '
            'style="width: 100%; height: 640px; border: 1px solid #8888; border-radius: 6px"></iframe>'
        )


class Shown:
    """What shows itself: as a picture, a table or text in notebooks, and drawn by rich in terminals."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None, **kwargs: Any) -> dict[str, Any]:
        """Return the forms that a notebook may choose from, by media type."""
        forms: dict[str, Any] = import_module("goalgraph.views.bundles").mimebundle(self)
        return forms

    def __rich__(self) -> Any:
        """Return what rich draws: ``rich.print(plan)``."""
        return import_module("goalgraph.views.bundles").drawn(self)


def report_of(values: Mapping[str, Any]) -> Report:
    """Make the report of a run.

    Args:
        values: Of the run's state: a result, or ``agent.get_state(config).values`` of a run that is not over; with the
            state's ``interrupts`` as ``__interrupt__`` where it is to say what the run waits for.
    """
    page: Report = import_module("goalgraph.views.report").report_page(values)
    return page
