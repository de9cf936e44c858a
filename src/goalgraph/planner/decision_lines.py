"""Decisions of runs as lines of JSON, for whoever keeps or searches them elsewhere."""

import json
from collections.abc import Iterable, Mapping

from goalgraph.planner.decision import Decision

__all__ = ["decisions_as_lines"]

_FIELDS = ("kind", "subject", "chosen", "alternatives", "rationale", "by", "digest", "at")


def decisions_as_lines(decisions: Iterable[Decision]) -> str:
    """Write ``decisions`` as JSON, one on each line, in the order given: ``result["decisions"]``, or some of them.

    A line has ``kind``, ``subject``, ``chosen``, ``alternatives``, ``rationale``, ``by`` (null where that is not
    known), ``digest`` and ``at``, as `Decision` has them. What was filled in, and evidence, is left out.

    Returns:
        Text that ends with a line break; empty where there are none.
    """
    lines = (one.model_dump(mode="json", include=set(_FIELDS)) for one in decisions)
    return "".join(f"{_line({name: line[name] for name in _FIELDS})}\n" for line in lines)


def _line(fields: Mapping[str, object]) -> str:
    """Write an object on one line; what is no valid text, such as half of a character, is escaped."""
    text = json.dumps(fields, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(fields)
    return text
