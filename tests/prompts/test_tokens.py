import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.prompts import count_tokens, fit

PROSE = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. "


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        (PROSE * 10, 170, 230),
        ('{"id": 1, "rows": [10, 20, 30]}', 14, 24),
        ("日本語の文章です", 5, 12),
        ("\ud800\x00", 1, 4),
    ],
    ids=["empty", "prose", "json", "japanese", "unencodable"],
)
def test_a_count_is_near_what_tokenizers_count(text: str, low: int, high: int) -> None:
    assert low <= count_tokens(text) <= high


def test_a_model_unknown_to_tiktoken_is_counted_too() -> None:
    assert count_tokens(PROSE, "some-other-model") == count_tokens(PROSE)


COUNT = "from goalgraph.prompts import count_tokens; print(count_tokens('one two three', 'gpt-4o'))"


def run_alone(code: str, cache: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TIKTOKEN_CACHE_DIR": str(cache), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_without_a_vocabulary_nothing_is_fetched_and_the_estimate_is_mentioned_once(tmp_path: Path) -> None:
    code = (
        "import logging, socket, sys\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "def refuse(*args, **kwargs):\n    print('FETCHED', file=sys.stderr)\n    raise OSError\n"
        "socket.getaddrinfo = socket.create_connection = refuse\n"
        f"{COUNT}\n{COUNT}"
    )
    done = run_alone(code, tmp_path)
    assert done.stdout.split() == ["4", "4"]
    assert "FETCHED" not in done.stderr
    assert done.stderr.count("tokens are estimated") == 1


def test_texts_within_the_limit_are_left_alone() -> None:
    fitted = fit({"a": "one", "b": "two"}, 100)
    assert (dict(fitted.texts), fitted.cut) == ({"a": "one", "b": "two"}, ())


def test_long_texts_share_what_short_ones_leave_and_are_cut_around_a_mark() -> None:
    long = "begin " + "middle " * 5000 + "end"
    fitted = fit({"long": long, "short": PROSE, "other": long}, 1000)
    assert fitted.cut == ("long", "other")
    assert list(fitted.texts) == ["long", "short", "other"]
    assert fitted.texts["short"] == PROSE
    assert fitted.texts["long"].startswith("begin middle")
    assert fitted.texts["long"].endswith("middle end")
    assert f"of {count_tokens(long)} tokens are missing here" in fitted.texts["long"]
    assert 850 <= sum(map(count_tokens, fitted.texts.values())) <= 1000


def test_a_share_too_small_for_the_mark_leaves_nothing() -> None:
    fitted = fit({"a": PROSE, "b": PROSE}, 3)
    assert (dict(fitted.texts), fitted.cut) == ({"a": "", "b": ""}, ("a", "b"))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.text(max_size=400), max_size=6), st.integers(-5, 400))
def test_the_limit_is_never_exceeded_and_every_cut_text_is_named(texts: dict[str, str], limit: int) -> None:
    fitted = fit(texts, limit)
    assert sum(map(count_tokens, fitted.texts.values())) <= max(limit, 0)
    assert fitted.cut == tuple(name for name in texts if fitted.texts[name] != texts[name])


def test_a_broken_vocabulary_leads_to_an_estimate(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    name = "fb374d419588a4632f3f557e76b4b70aebbca790"
    code = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs):\n    raise OSError('no network')\n"
        "socket.getaddrinfo = socket.create_connection = refuse\n"
        f"{COUNT}"
    )
    (tmp_path / name).write_bytes(b"not a vocabulary")
    with caplog.at_level(logging.WARNING):
        done = run_alone(code, tmp_path)
    assert done.stdout.split() == ["4"]
    assert "cannot be read" in done.stderr
