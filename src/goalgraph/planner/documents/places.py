"""Line and column of what stands at a path of a document."""

from collections.abc import Collection, Iterator

from yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from goalgraph.planner.documents.faults import Path, Place, Refused
from goalgraph.planner.documents.json_reader import json_tokens
from goalgraph.planner.documents.tokens import Token, places_of
from goalgraph.planner.documents.yaml_reader import LOADER, Loader, place_of, yaml_events

__all__ = ["locate"]

_KINDS: dict[type[Event], str] = {
    MappingStartEvent: "{",
    MappingEndEvent: "}",
    SequenceStartEvent: "[",
    SequenceEndEvent: "]",
    AliasEvent: "value",
}


def locate(text: str, paths: Collection[Path], *, is_json: bool, loader: Loader = LOADER) -> dict[Path, Place]:
    """Find where paths begin in a document; where one does not exist, its longest part that does.

    This reads the document once more, so that one without faults need not pay for places.

    Args:
        text: The document.
        paths: Any.
        is_json: Whether it is valid JSON.
        loader: The parser of YAML.
    """
    return places_of(paths, json_tokens(text) if is_json else _yaml_tokens(text, loader))


def _yaml_tokens(text: str, loader: Loader) -> Iterator[Token]:
    """Cut YAML into tokens, up to where it can be read."""
    try:
        for event in yaml_events(text, loader=loader):
            if isinstance(event, ScalarEvent):
                yield "value", event.value, place_of(event)
            elif (kind := _KINDS.get(type(event))) is not None:
                yield kind, None, place_of(event)
    except Refused:
        return
