"""The command ``report``: one page about a run, over or not, from its checkpoints or from its record alone."""

import re
import signal
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

Called = Callable[[list[str]], tuple[int, str, str]]

_OWN = ["--specialists", "mine:everybody", "--out", "here"]
_PLAN = """\
name: a question
steps:
  - {id: note, task: note it, agent: noter}
  - {id: ok, type: human_approval, prompt: "May <b>it</b> be sent?", assignee: Åsa, depends_on: [note]}
  - {id: send, task: send it, agent: noter, depends_on: [ok]}
"""


@pytest.fixture
def asking(called: Called, workplace: Path) -> Path:
    """A run that waits for an approval."""
    (workplace / "ask.yaml").write_text(_PLAN, "utf-8")
    code, _, _ = called(["run", "--plan", "ask.yaml", *_OWN])
    assert code == 4
    return workplace / "here"


def _text(html: str) -> str:
    """The words of a page, without its style and script."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_a_run_has_a_report_and_its_end_says_how_to_get_it(called: Called, workplace: Path) -> None:
    code, out, _ = called(["run", "--plan", "one.yaml", *_OWN])
    assert code == 0
    assert out.endswith("as one page: goalgraph report here\n")
    assert called(["report", "here"]) == (0, "here/report.html\n", "")
    text = _text((workplace / "here" / "report.html").read_text("utf-8"))
    assert "Report of a run ✓ complete the plan one" in text
    assert "noted only ✓" in text
    assert "Begun 20" in text, "the times are those of the checkpoints"
    assert called(["report", "here"])[0] == 0, "it may be made again"


def test_of_a_run_that_waits_it_says_what_is_asked(called: Called, asking: Path) -> None:
    assert called(["report", "here", "-o", "page.html"]) == (0, "page.html\n", "")
    text = _text((asking.parent / "page.html").read_text("utf-8"))
    assert "The run waits for an answer approval ok for Åsa (answers: approve, reject) May <b>it</b> be sent?" in text
    assert "1 of 3" in text
    called(["answer", "here", "ok=yes", "--by", "Åsa"])
    called(["report", "here", "-o", "page.html"])
    text = _text((asking.parent / "page.html").read_text("utf-8"))
    assert "The run waits" not in text
    assert re.search(r"What people decided .* Åsa approval ok approve", text)


def test_without_checkpoints_it_is_made_from_the_record(called: Called, workplace: Path) -> None:
    called(["run", "--plan", "half.yaml", *_OWN])
    (workplace / "here" / "checkpoints.sqlite").unlink()
    code, out, err = called(["report", "here", "-o", "-"])
    assert (code, err) == (0, "")
    text = _text(out)
    assert "! degraded" in text
    assert "noted good ✓" in text, "the answer is that of report.md"
    assert "RuntimeError: the disk is �[31mon fire and so is the lamp" in text
    assert "When the steps began is not on record." in text
    assert not (workplace / "here" / "checkpoints.sqlite").exists()


def test_a_run_that_was_stopped_has_a_report(
    start: Callable[..., "subprocess.Popen[str]"], called: Called, workplace: Path
) -> None:
    with start("run", "--plan", "two.yaml", *_OWN) as process:
        while not (workplace / "waiting-second").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    code, out, _ = called(["report", "here", "-o", "-"])
    assert code == 0
    text = _text(out)
    assert "□ interrupted" in text
    assert "noted first ✓" in text
    assert "There is no answer yet." in text


def test_no_other_file_is_replaced_unless_that_is_said(called: Called, workplace: Path) -> None:
    called(["run", "--plan", "one.yaml", *_OWN])
    mine = workplace / "mine.html"
    mine.write_text("<p>mine</p>", "utf-8")
    code, out, err = called(["report", "here", "-o", "mine.html"])
    assert (code, out) == (2, "")
    assert err == (
        "goalgraph: error: 'mine.html' is there, and is no report of a run; give another -o, or --overwrite\n"
    )
    assert mine.read_text("utf-8") == "<p>mine</p>"
    assert called(["report", "here", "-o", "mine.html", "--overwrite"])[0] == 0
    assert "noted only" in mine.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no run 'nowhere'"),
        (["here", "-o", "no/such/folder/page.html"], "cannot write 'no/such/folder/page.html'"),
        (["here", "-o", "."], "cannot write '.'"),
    ],
    ids=["no run", "no folder", "a folder"],
)
def test_what_cannot_be_read_or_written_is_told(
    called: Called, workplace: Path, arguments: list[str], said: str
) -> None:
    called(["run", "--plan", "one.yaml", *_OWN])
    code, out, err = called(["report", *arguments])
    assert (code, out) == (2, "")
    assert said in err


def test_a_new_run_in_the_folder_takes_the_old_report_away(called: Called, workplace: Path) -> None:
    called(["run", "--plan", "one.yaml", *_OWN])
    called(["report", "here"])
    called(["run", "--plan", "one.yaml", *_OWN, "--overwrite"])
    assert not (workplace / "here" / "report.html").exists()


def test_a_run_that_was_moved_still_shows_its_pictures(called: Called, workplace: Path) -> None:
    code, _, _ = called(["run", "Analyze sales and chart it", "--data", "sales.csv", "--out", "here", "--yes"])
    assert code == 0
    (workplace / "here").rename(workplace / "there")
    code, out, _ = called(["report", "there", "-o", "-"])
    assert code == 0
    assert 'src="data:image/png;base64,' in out
    assert re.search(r"<code>charts&#x2f;chart-1-[^<]*\.png</code>", out), "and names them from its folder"
