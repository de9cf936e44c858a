"""A run at one moment as HTML for notebooks: no script, no style sheet, readable on light and dark pages."""

from html import escape

from goalgraph.views.frame import Frame, Row

__all__ = ["frame_html"]

_COLOURS = {
    "waiting": "#8a8f98",
    "running": "#c98500",
    "asking": "#2f7fd6",
    "succeeded": "#2a9d5c",
    "failed": "#dc4c4c",
    "blocked": "#dc4c4c",
    "cancelled": "#dc4c4c",
    "skipped": "#8a8f98",
}
"""Each has a contrast of 3 or more to white and to near-black."""
_CELL = "padding:1px 10px 1px 0;border:0;text-align:left;white-space:nowrap;vertical-align:top;background:none"
_QUIET = "opacity:.72"
_CODE = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"


def frame_html(frame: Frame) -> str:
    """Draw it: the head, a bar of what is done, and a row for each step that is shown."""
    rows = "".join(map(_row, frame.rows))
    more = f'<div style="{_QUIET};padding-left:22px">and {frame.hidden} more</div>' if frame.hidden else ""
    table = (
        f'<table style="border-collapse:collapse;margin:0;border:0;color:inherit;font-size:inherit">{rows}</table>'
        if rows
        else ""
    )
    return (
        '<div style="font:13px/1.55 system-ui,-apple-system,Segoe UI,sans-serif;color:inherit;max-width:100%;'
        f'overflow-x:auto"><div style="font-weight:600">{escape(frame.head)}</div>{_bar(frame)}{table}{more}</div>'
    )


def _bar(frame: Frame) -> str:
    if not frame.total:
        return ""
    parts = ((frame.done - frame.failed, _COLOURS["succeeded"]), (frame.failed, _COLOURS["failed"]))
    filled = "".join(
        f'<div style="width:{100 * count / frame.total:.2f}%;background:{colour}"></div>'
        for count, colour in parts
        if count
    )
    return (
        '<div style="display:flex;height:4px;max-width:480px;margin:4px 0 6px;border-radius:2px;overflow:hidden;'
        f'background:rgba(128,128,128,.28)">{filled}</div>'
    )


def _row(row: Row) -> str:
    colour = _COLOURS[row.status]
    return (
        '<tr style="background:none">'
        f'<td style="{_CELL};color:{colour};font-weight:700" title="{row.status}" aria-label="{row.status}">'
        f"{row.sign}</td>"
        f'<td style="{_CELL};{_CODE}">{escape(row.id)}</td>'
        f'<td style="{_CELL};{_QUIET}">{escape(row.who)}</td>'
        f'<td style="{_CELL};text-align:right;font-variant-numeric:tabular-nums">{escape(row.seconds)}</td>'
        f'<td style="{_CELL};{_QUIET};white-space:normal">{escape(row.remark)}</td></tr>'
    )
