"""Cuts a goal into sentences and list items, by offsets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from goalgraph.planner.offline.protected import COVER
from goalgraph.planner.offline.vocabulary import VERBS

__all__ = ["Sentence", "sentences"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence, or a list item's part of one."""

    start: int
    end: int
    item: bool
    """Whether it opens a list item."""
    heading: bool
    """Whether it ends in a colon, so that what follows belongs under it."""


_LIST_MARK = re.compile(
    r"[ \t]*(?:[-*•‣◦–—+]\s|\(?\d{1,3}[.)]\s|\(?[a-zA-Z][.)]\s|#{1,6}\s|(?:step|task)\s+\d{1,3}\s*[:.)\-])",
    re.IGNORECASE,
)
_INLINE_MARK = re.compile(r"(?<![^\s:;,.])(?:\((\d{1,2})\)|(\d{1,2})[.)])\s+(?=[^\W\d_])")
_END = re.compile(rf"(?<![.!?])[.!?]+[\"'”’)\]{COVER}]*(?=\s)|[。！？]+")
_FIRST_WORD = re.compile(r"\s*([^\W\d_]+)")


def sentences(text: str, mask: str) -> Iterator[Sentence]:
    """Give a goal's sentences in order; together they hold every word of it.

    Args:
        text: The goal.
        mask: The same, as `cover` gives it.
    """
    for start, end, item in _blocks(text, mask):
        cuts = [
            found.end()
            for found in _END.finditer(mask, start, end)
            if not _LIST_MARK.fullmatch(mask[start : found.end() + 1])
        ]
        for first, last in zip([start, *cuts], [*cuts, end], strict=True):
            if any(map(str.isalnum, text[first:last])):
                yield Sentence(
                    start=first,
                    end=last,
                    item=item and first == start,
                    heading=mask[first:last].rstrip().endswith((":", "：")),
                )


def _blocks(text: str, mask: str) -> Iterator[tuple[int, int, bool]]:
    start, item = 0, False
    position = 0
    for line in text.splitlines(keepends=True):
        marked = _LIST_MARK.match(line) is not None
        if position > start and (marked or _breaks(mask, position, line)):
            yield from _inline_items(text, mask, start, position, item)
            start, item = position, marked
        elif position == start:
            item = marked
        position += len(line)
    if start < len(text):
        yield from _inline_items(text, mask, start, len(text), item)


def _breaks(mask: str, position: int, line: str) -> bool:
    """Whether a line starts anew, rather than going on with the line before."""
    before = mask[max(0, position - 400) : position].rstrip(" \t")
    stripped = before.rstrip()
    if not line.strip() or before.count("\n", len(stripped)) > 1 or stripped.endswith((".", "!", "?", ":", ";")):
        return True
    if mask[position - 1] == COVER:
        return False
    first = _FIRST_WORD.match(line)
    return first is not None and (first[1][0].isupper() or first[1].lower() in VERBS) and not stripped.endswith(",")


def _inline_items(text: str, mask: str, start: int, end: int, item: bool) -> Iterator[tuple[int, int, bool]]:
    """Cut "1. Find X 2. Book Y" within one line, where the numbers count up from 1."""
    marks: list[int] = []
    for found in _INLINE_MARK.finditer(text, start, end):
        covered = found[1] is None and mask[found.start()] == COVER
        if not covered and int(found[1] or found[2]) == len(marks) + 1:
            marks.append(found.start())
    if len(marks) < 2:
        yield start, end, item
        return
    edges = [start, *(mark for mark in marks if mark > start), end]
    for first, last in pairwise(edges):
        yield first, last, item or first in marks
