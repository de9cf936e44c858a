"""Markdown of models and files as HTML that can do nothing: no HTML of its own, no pictures from elsewhere."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any, cast

from markdown_it import MarkdownIt
from markdown_it.token import Token
from minijinja import Markup

from goalgraph.views.text import printable

__all__ = ["as_html"]

_SCHEMES = ("http", "https", "mailto")
_SCHEME = re.compile(r"[^/?#]*:")
_MOST = 200_000
"""Characters; a longer text is shown as it is written."""
_LEVELS = 2
"""Headings are put below those of the page."""


def as_html(text: str, pictures: Mapping[str, str] | None = None) -> Markup:
    """Write Markdown (CommonMark with tables) as HTML.

    Links go to the web, to mail and to files beside the page, and nowhere else; what is no such link stays text.

    Args:
        text: Any text.
        pictures: Data URIs of the pictures that may be shown, by the name that the text has for them; of all others
            their description is shown.
    """
    known = printable(text)
    if len(known) > _MOST:
        return Markup(f"<pre>{escape(known)}</pre>")
    written: str = _reader().render(known, {"pictures": pictures or {}})
    return Markup(printable(written))  # once more: an entity may have stood for a character that turns the text


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.validateLink = _may_be_linked  # type: ignore[method-assign]
    reader.core.ruler.push("tamed", _tamed)
    reader.add_render_rule("image", _image)
    return reader


def _may_be_linked(url: str) -> bool:
    found = _SCHEME.match(url.strip())
    return found is None or found[0][:-1].lower() in _SCHEMES


def _tamed(state: Any) -> None:
    """Set headings lower, tell links not to say where they come from, and name alignments by class."""
    for token in cast("Sequence[Token]", state.tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + _LEVELS)}"
        if style := token.attrs.pop("style", None):
            token.attrs["class"] = str(style).replace("text-align:", "to-")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["rel"] = "noreferrer noopener"


def _image(_renderer: object, tokens: Sequence[Token], place: int, _options: object, env: Mapping[str, Any]) -> str:
    token = tokens[place]
    source, told = str(token.attrs.get("src", "")), escape(token.content)
    if uri := cast("Mapping[str, str]", env["pictures"]).get(source.removeprefix("./")):
        return f'<img src="{escape(uri)}" alt="{told}">'
    return f'<span class="elsewhere">[picture: {told or escape(source)}]</span>'
