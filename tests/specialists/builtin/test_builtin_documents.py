"""Finding passages: the right ones, with their place, and nothing where there is nothing."""

from pathlib import Path
from typing import Any

import pytest

from goalgraph.errors import InvalidData
from goalgraph.specialists import StepContext, StepTask
from goalgraph.specialists.builtin import builtin_specialists, check_files
from goalgraph.specialists.results import as_json

LEASE = """# Lease

## Rent

The rent is 900 euros a month, due on the third working day.

## Ending the lease

Either party may terminate with ninety days of written notice.
Notice by e-mail is not enough.

## Pets

Cats are allowed; dogs need consent.
"""


def pdf(pages: list[str]) -> bytes:
    """Build a small PDF by hand, one line of text on each page."""
    count = len(pages)
    kids = " ".join(f"{3 + at} 0 R" for at in range(count))
    font = 3 + 2 * count
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {count} >>"]
    objects += [
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents {3 + count + at} 0 R "
        f"/Resources << /Font << /F1 {font} 0 R >> >> >>"
        for at in range(count)
    ]
    for text in pages:
        stream = f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    body, offsets = "%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode("latin-1")


async def searched(folder: Path, instruction: str, goal: str = "") -> tuple[Any, Any]:
    offered = {item.card.name: item for item in builtin_specialists(files=[folder], out=folder / "out")}
    result: Any = await offered["document_researcher"].run(
        StepTask(step="look", instruction=instruction), StepContext(goal=goal)
    )
    return as_json(result.output), result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "lease.md").write_text(LEASE)
    (tmp_path / "notes.txt").write_text("Bought milk.\n\nThe heating was serviced in May.\n")
    (tmp_path / "manual.pdf").write_bytes(pdf(["How to install the boiler.", "Bleed the radiators every autumn."]))
    return tmp_path


@pytest.mark.parametrize(
    ("instruction", "place", "text"),
    [
        ("Find what the lease says on termination notices", ("deep/lease.md", 9, None), "ninety days"),
        ("When was the heating serviced?", ("notes.txt", 3, None), "in May"),
        ("How often should radiators be bled?", ("manual.pdf", 1, 2), "every autumn"),
    ],
    ids=["markdown", "text", "pdf"],
)
async def test_the_passage_comes_first_with_its_place(
    folder: Path, instruction: str, place: tuple[str, int, int | None], text: str
) -> None:
    output, result = await searched(folder, instruction)
    best = output["passages"][0]
    assert (best["file"], best["line"], best["page"]) == place
    assert text in best["text"]
    assert output["searched"] == 3
    assert result.confidence > 0.3
    assert place[0] in output["summary"]


async def test_lines_of_a_passage_stay_together(folder: Path) -> None:
    output, _ = await searched(folder, "termination notices")
    assert output["passages"][0]["text"].splitlines()[1] == "Notice by e-mail is not enough."


async def test_nothing_relevant_is_said_and_not_made_up(folder: Path) -> None:
    output, result = await searched(folder, "What is the orbital period of Neptune?")
    assert output == {
        "summary": "Nothing that bears on the task was found in 3 documents.",
        "passages": [],
        "searched": 3,
    }
    assert result.confidence <= 0.1
    assert result.degraded == ("the documents hold nothing that bears on the task",)


async def test_a_task_without_a_subject_takes_it_from_the_goal(folder: Path) -> None:
    output, _ = await searched(folder, "Search the documents for relevant passages", goal="Are dogs allowed?")
    assert "dogs need consent" in output["passages"][0]["text"]


async def test_an_unreadable_document_is_named_and_the_others_are_searched(folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing more")
    output, result = await searched(folder, "termination notices")
    assert output["searched"] == 3
    assert any("bad.pdf" in reason for reason in result.degraded)


async def test_only_unreadable_documents_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 nothing more")
    check_files([tmp_path])
    with pytest.raises(InvalidData, match=r"bad\.pdf"):
        await searched(tmp_path, "anything")


async def test_links_out_of_a_folder_are_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("else") / "secret.txt"
    secret.write_text("The termination code is 0000.")
    (folder / "link.txt").symlink_to(secret)
    output, _ = await searched(folder, "termination code")
    assert "0000" not in str(output)
