"""Answers as HTML: what Markdown says is shown, and nothing in it can do anything."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from goalgraph.views.markdown_html import as_html

_ELEMENTS = {
    *("p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "code", "pre", "a", "img", "span", "br", "hr"),
    *("blockquote", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"href", "title", "rel", "src", "alt", "class", "start"}


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(as_html(text, {"chart.png": "data:image/png;base64,AA=="}))
    return parser.found


def test_headings_lists_tables_and_code_are_drawn() -> None:
    html = as_html("# Title\n\n- **one**\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```py\nx < 1\n```\n")
    assert "<h3>Title</h3>" in html
    assert "<li><strong>one</strong></li>" in html
    assert '<td class="to-right">2</td>' in html
    assert "x &lt; 1" in html
    assert "style=" not in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>window.pwned=1</script>",
        "a <b onclick=x>b</b> <img src=x onerror=y>",
        "<!-- --><svg onload=x>",
        "[a](javascript:x)",
        "[a](JAVASCRIPT:x)",
        "[a](java&#115;cript:x)",
        "[a](&#1;javascript:x)",
        "[a](javascript&colon;x)",
        "[a](<javascript:x>)",
        "[a](\tjavascript:x)",
        "[a](vbscript:x) [b](file:///etc/passwd) [c](data:text/html,x) [d](blob:x) [e](view-source:x)",
        "<javascript:x> <data:text/html;base64,AA> <vbscript:x>",
        "[a]\n\n[a]: javascript:x",
        "![a](javascript:x) ![b](data:image/svg+xml,<svg/onload=x>) ![c](http://example.org/x.png)",
        "![a](//example.org/x.png) ![b](other.png)",
        '[a](/x "title\\" onmouseover=\\"x")',
        '[a](/x" onmouseover="x)',
        '![a" onerror="x](chart.png)',
        '```x" onclick="y\nz\n```',
        "| a |\n|:-:|\n| <script>x</script> |",
        "</div></section></main></template></style><script>x</script>",
    ],
)
def test_what_could_do_something_is_text(text: str) -> None:
    for tag, attributes in _elements(text):
        assert tag in _ELEMENTS
        assert attributes.keys() <= _ATTRIBUTES
        assert (attributes.get("src") or "data:image/png;base64,AA==") == "data:image/png;base64,AA=="
        assert urlsplit(attributes.get("href") or "").scheme == ""


def test_links_to_the_web_to_mail_and_to_files_beside_the_page_work() -> None:
    text = "[a](https://example.org/?a=1&b=2) [b](mailto:a@example.org) [c](charts/a.png) <https://example.org>"
    links = [attributes for tag, attributes in _elements(text) if tag == "a"]
    assert [one["href"] for one in links] == [
        "https://example.org/?a=1&b=2",
        "mailto:a@example.org",
        "charts/a.png",
        "https://example.org",
    ]
    assert {one["rel"] for one in links} == {"noreferrer noopener"}


def test_pictures_of_the_run_are_shown_and_others_are_named() -> None:
    assert [tag for tag, _ in _elements("![a](chart.png) ![b](./chart.png)")] == ["p", "img", "img"]
    assert "[picture: a dog]" in as_html("![a dog](http://example.org/dog.png)")


def test_characters_that_turn_the_text_or_steer_a_terminal_are_replaced_also_as_entities() -> None:
    html = as_html("a\u202eb &#x202e; &#8294; \x1b[31m \ud800 `\u2066`")
    assert not set(html) & {"\u202e", "\u2066", "\x1b", "\ud800"}
    assert "[31m" in html


def test_a_text_too_long_to_be_read_as_markdown_is_shown_as_it_is() -> None:
    assert as_html("*a* <b>" * 40_000).startswith("<pre>*a* &lt;b&gt;")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["[", "![", "*_", "> ", "[a](", "|a\n|-\n"])
def test_texts_made_to_be_slow_are_not(piece: str) -> None:
    assert as_html((piece * 20_000)[:40_000])
