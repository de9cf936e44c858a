"""From the text of a YAML document to plain data, under caps."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.documents.faults import MAX_FAULTS, Fault, Path, Place, Refused, found_text, readable
from goalgraph.planner.documents.limits import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_REPEATED,
    MAX_STEPS,
    MAX_VALUES,
    too_deep,
    too_many,
)
from goalgraph.planner.documents.scalars import of_tag, resolved

__all__ = ["LOADER", "Loader", "place_of", "yaml_data", "yaml_events"]

Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]

LOADER: Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""The parser: libyaml's where PyYAML was built with it; 30 times faster."""

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_DIRECTIVES = 100
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class _Frame:
    """A list or a mapping that is being built."""

    made: list[object] | dict[str, object]
    limit: int
    anchor: str | None
    place: Place
    key: str | None = None
    awaits_key: bool = False
    is_dropped: bool = False
    """The next value stands under a key that counts for nothing."""
    size: int = 1
    """Values and characters in it, with what aliases repeat."""
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: object
    size: int
    height: int


@dataclass(slots=True)
class _Builder:
    faults: list[Fault] = field(default_factory=list[Fault])
    stack: list[_Frame] = field(default_factory=list[_Frame])
    anchors: dict[str, _Anchored | None] = field(default_factory=dict[str, "_Anchored | None"])
    """None: not yet complete."""
    root: object = None
    documents: int = 0
    values: int = 0
    repeated: int = 0

    def path(self) -> Path:
        """Lead to the value that comes next."""
        parts = [len(frame.made) if isinstance(frame.made, list) else frame.key for frame in self.stack]
        return tuple(part for part in parts if part is not None)

    def path_of_top(self) -> Path:
        """Lead to the list or mapping that is being built."""
        top = self.stack.pop()
        path = self.path()
        self.stack.append(top)
        return path

    def note(self, code: ProblemCode, message: str, event: Event, hint: str = "") -> None:
        self.faults.append(Fault(code, message, self.path(), hint, place_of(event)))
        if len(self.faults) >= MAX_FAULTS:
            raise Refused(self.faults)

    def stop(self, code: ProblemCode, message: str, event: Event, hint: str = "") -> Refused:
        return Refused([*self.faults, Fault(code, message, self.path(), hint, place_of(event))])

    def take(self, event: Event) -> None:
        kind = type(event)
        if kind is ScalarEvent:
            self.scalar(cast("ScalarEvent", event))
        elif isinstance(event, CollectionStartEvent):
            self.open(event)
        elif isinstance(event, CollectionEndEvent):
            self.close(event)
        elif kind is AliasEvent:
            self.alias(cast("AliasEvent", event))
        elif kind is DocumentStartEvent:
            self.documents += 1
            if self.documents > 1:
                raise self.stop("bad_syntax", "a second document begins here", event, "one file holds one plan")

    def scalar(self, event: ScalarEvent) -> None:
        text = event.value
        if self.stack and self.stack[-1].awaits_key:
            self.tagged(event, "str", "int", "float", "bool", "null")
            if text == "<<" and event.implicit[0]:
                self.merge_key(event)
            else:
                self.key(text, event)
            if event.anchor:
                self.anchors[event.anchor] = _Anchored(text, 1 + len(text), 0)
            return
        value: object = text
        if event.tag is None:
            if event.implicit[0]:
                value = resolved(text)
        elif (name := self.tagged(event, "str", "int", "float", "bool", "null")) is not None:
            value = of_tag(name, text)
        if isinstance(value, Fault):
            self.note(value.code, value.message, event, value.hint)
            value = None
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(value, 1 + len(text), 0)
        self.add(value, 1 + len(text), 0, event)

    def merge_key(self, event: Event) -> None:
        frame = self.stack[-1]
        frame.key, frame.awaits_key, frame.is_dropped = "<<", False, True
        self.note("bad_syntax", "merge keys (<<) are not read", event, "write the fields out")

    def key(self, text: str, event: Event) -> None:
        frame = self.stack[-1]
        frame.key, frame.awaits_key, frame.is_dropped = text, False, False
        if text in cast("dict[str, object]", frame.made):
            frame.is_dropped = True
            self.note("duplicate_key", f"the key {readable(text)!r} stands there twice", event, "keep one of them")
        frame.size += 1 + len(text)

    def open(self, event: CollectionStartEvent) -> None:
        is_mapping = isinstance(event, MappingStartEvent)
        if self.stack and self.stack[-1].awaits_key:
            raise self.stop("bad_syntax", f"a key must be text, found {'a mapping' if is_mapping else 'a list'}", event)
        self.tagged(event, "map" if is_mapping else "seq")
        if len(self.stack) >= MAX_DEPTH:
            raise Refused([*self.faults, too_deep(self.path(), place_of(event))])
        if event.anchor:
            self.anchors[event.anchor] = None
        holds_steps = len(self.stack) == 1 and self.stack[0].key in ("steps", "workflow")
        limit = MAX_STEPS if holds_steps else MAX_ITEMS
        place = place_of(event)
        self.stack.append(_Frame({} if is_mapping else [], limit, event.anchor, place, None, is_mapping))

    def close(self, event: Event) -> None:
        frame = self.stack.pop()
        if frame.anchor is not None:
            self.anchors[frame.anchor] = _Anchored(frame.made, frame.size, frame.height)
        self.add(frame.made, frame.size, frame.height, event)

    def alias(self, event: AliasEvent) -> None:
        name = cast("str", event.anchor)
        if name not in self.anchors:
            raise self.stop("bad_syntax", f"no anchor is called {readable(name)!r}", event, "define it before its use")
        found = self.anchors[name]
        if found is None:
            raise self.stop("bad_syntax", "an alias stands inside of what it names", event, "write it out")
        if self.stack and self.stack[-1].awaits_key:
            if not isinstance(found.value, str):
                raise self.stop("bad_syntax", f"a key must be text, found {found_text(found.value)}", event)
            self.key(found.value, event)
            return
        self.repeated += found.size
        if self.repeated > MAX_REPEATED:
            raise self.stop("too_large", f"aliases repeat more than {MAX_REPEATED:,} characters", event, "use fewer")
        if len(self.stack) + found.height > MAX_DEPTH:
            raise Refused([*self.faults, too_deep(self.path(), place_of(event))])
        self.add(found.value, found.size, found.height, event)

    def add(self, value: object, size: int, height: int, event: Event) -> None:
        """Put a complete value where it belongs."""
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.stop("too_large", f"more than {MAX_VALUES:,} values", event, "split the plan")
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        frame.size += size
        if height >= frame.height:
            frame.height = height + 1
        made = frame.made
        if isinstance(made, list):
            made.append(value)
        else:
            if not frame.is_dropped:
                made[cast("str", frame.key)] = value
            frame.key, frame.awaits_key = None, True
        if len(made) > frame.limit:
            raise Refused([*self.faults, too_many(self.path_of_top(), frame.limit == MAX_STEPS, frame.place)])

    def tagged(self, event: NodeEvent, *allowed: str) -> str | None:
        """Return the core tag that a value has by name; any other one is a fault, and counts as none."""
        tag = cast("str | None", getattr(event, "tag", None))
        if tag is None or tag == "!":
            return None
        name = tag.removeprefix(_TAG)
        if tag.startswith(_TAG) and name in allowed:
            return name
        shown = readable(tag.replace(_TAG, "!!", 1))
        self.note("unsafe_tag", f"the tag {shown!r} is not allowed here", event, "remove it")
        return None


def yaml_data(text: str, *, loader: Loader = LOADER) -> tuple[object, list[Fault]]:
    """Read plain data by the core schema of YAML 1.2; keys are always text, as written.

    Returns:
        The data, None for an empty document, and what is wrong with it though it can be read: keys that stand there
        twice (the first one counts), tags (left out of account).

    Raises:
        Refused: It cannot be read, or is larger than the limits allow; nothing larger was built.
    """
    builder = _Builder()
    try:
        for event in yaml_events(text, loader=loader):
            builder.take(event)
    except Refused as refused:
        known = {id(fault) for fault in refused.faults}
        raise Refused([*(one for one in builder.faults if id(one) not in known), *refused.faults]) from None
    return builder.root, builder.faults


def yaml_events(text: str, *, loader: Loader = LOADER) -> Iterator[Event]:
    """Parse, one event after the other, and never deeper into Python's stack however deep the document is.

    Raises:
        Refused: It is not YAML.
    """
    unreadable = _UNREADABLE.search(text)
    if unreadable is not None:
        at = unreadable.start()
        place = (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        shown = repr(text[at])
        raise Refused([Fault("bad_syntax", f"the character {shown} is not allowed", hint="remove it", place=place)])
    if text.count("\n%") > _MAX_DIRECTIVES:
        # libyaml compares each %TAG with all before it
        raise Refused([Fault("bad_syntax", f"more than {_MAX_DIRECTIVES} lines begin with '%'", hint="remove them")])
    parse = cast("Callable[..., Iterator[Event]]", yaml.parse)
    try:
        yield from parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark is not None else None
        said = str(error.problem or error.context or "not YAML")
        raise Refused([Fault("bad_syntax", said, hint="correct the syntax", place=where)]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        said = str(error).partition("\n")[0][:200]
        raise Refused([Fault("bad_syntax", said or "not YAML", hint="correct the syntax")]) from error


def place_of(event: Event) -> Place:
    """Return where an event begins."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
