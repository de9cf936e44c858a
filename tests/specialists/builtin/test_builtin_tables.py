"""Reading tables of all sorts, and refusing what is none."""

from pathlib import Path

import polars as pl
import pytest

from goalgraph.errors import InvalidData
from goalgraph.specialists.builtin import builtin_specialists, check_files
from goalgraph.specialists.builtin.columns import find_roles
from goalgraph.specialists.builtin.tables import read_table

WANTED = [("Köln", 1234.5), ("Bonn", 7.0)]


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "town,size\nKöln,1234.5\nBonn,7\n".encode()),
        ("t.csv", b"\xef\xbb\xbf" + "town,size\nKöln,1234.5\nBonn,7\n".encode()),
        ("t.csv", "town,size\nKöln,1234.5\nBonn,7\n".encode("latin-1")),
        ("t.csv", "town,size\nKöln,1234.5\nBonn,7\n".encode("utf-16")),
        ("t.csv", "town;size\nKöln;1234,5\nBonn;7\n".encode()),
        ("t.csv", 'town,size\nKöln,"1,234.5"\nBonn,$7\n'.encode()),
        ("t.tsv", "town\tsize\r\nKöln\t1234.5\r\nBonn\t7\r\n".encode()),
        ("t.json", '[{"town": "Köln", "size": 1234.5}, {"town": "Bonn", "size": 7}]'.encode()),
        ("t.json", '{"data": [{"town": "Köln", "size": 1234.5}, {"town": "Bonn", "size": 7}]}'.encode()),
        ("t.jsonl", '{"town": "Köln", "size": 1234.5}\n\n{"town": "Bonn", "size": 7}\n'.encode()),
    ],
    ids=["utf-8", "bom", "latin-1", "utf-16", "semicolons", "thousands", "tabs", "array", "wrapped", "lines"],
)
def test_the_same_table_is_read_from_every_notation(tmp_path: Path, name: str, content: bytes) -> None:
    assert read_table(written(tmp_path, name, content)).frame.rows() == WANTED


def test_parquet_is_read(tmp_path: Path) -> None:
    pl.DataFrame({"town": ["Köln", "Bonn"], "size": [1234.5, 7.0]}).write_parquet(tmp_path / "t.parquet")
    check_files([tmp_path / "t.parquet"])
    assert read_table(tmp_path / "t.parquet").frame.rows() == WANTED


def test_columns_named_by_years_become_rows(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "t.csv", b"country,2000,2001,2002\nA,1,2,3\nB,4,5,6\n"))
    assert sorted(table.frame.rows()) == [(c, 2000 + at, v + at) for c, v in (("A", 1), ("B", 4)) for at in range(3)]
    assert table.shape == (2, 4)


@pytest.mark.parametrize(
    "days",
    [
        ["2024-01-31", "2024-02-29"],
        ["31.01.2024", "29.02.2024"],
        ["01/31/2024", "02/29/2024"],
        ["Jan 2024", "Feb 2024"],
        ["2024-01", "2024-02"],
        ["Q1 2024", "Q2 2024"],
        ["2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z"],
    ],
    ids=lambda days: str(days[0]),
)
def test_dates_are_recognised(tmp_path: Path, days: list[str]) -> None:
    path = written(tmp_path, "t.csv", f"when,x\n{days[0]},1\n{days[1]},2\n".encode())
    roles = find_roles(read_table(path))
    assert roles.time == "when"
    assert roles.moments is not None
    assert roles.moments.dt.year().to_list() == [2024, 2024]
    assert roles.measures == ("x",)


def test_numbers_of_rows_and_ids_are_no_measures(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", b"row,customer_id,x\n1,77,5\n2,12,9\n3,40,2\n")
    assert find_roles(read_table(path)).measures == ("x",)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("t.csv", b"a,b\n1,2\n3,4,5\n", "not a well-formed table"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.json", b'{"a": ', "not valid JSON"),
        ("t.json", b"[1, 2]", "no list of objects"),
        ("t.parquet", b"PAR1 but no more", "not a well-formed table"),
    ],
    ids=["ragged", "header-only", "cut-json", "numbers", "cut-parquet"],
)
def test_a_broken_table_is_named_with_its_fault(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    with pytest.raises(InvalidData, match=text) as caught:
        read_table(written(tmp_path, name, content))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b" \n\n", "is empty"),
        ("t.csv", b"\x89PNG\x00\x00\x01", "is binary"),
        ("t.xlsx", b"PK", "kind that is not read"),
        ("t.parquet", b"a,b\n1,2\n", "is not a parquet file"),
        ("t.pdf", b"hello there", "is not a pdf file"),
    ],
    ids=["empty", "blank", "binary", "suffix", "no-parquet", "no-pdf"],
)
def test_unusable_files_are_refused_before_planning(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    with pytest.raises(InvalidData, match=text) as caught:
        check_files([written(tmp_path, name, content)])
    assert name in str(caught.value)
    assert caught.value.hint


def test_missing_files_and_folders_without_content_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="there is no file"):
        check_files([tmp_path / "gone.csv"])
    (tmp_path / "folder").mkdir()
    written(tmp_path / "folder", ".hidden.csv", b"a\n1\n")
    with pytest.raises(InvalidData, match="holds no table and no document"):
        check_files([tmp_path / "folder"])


def test_paths_may_be_text_and_one_path_is_no_list_of_paths(tmp_path: Path) -> None:
    table = str(written(tmp_path, "t.csv", b"month,jobs\n2020-01,1\n"))
    crew = builtin_specialists(files=[table], out=str(tmp_path / "out"))
    assert [one.card.name for one in crew] == ["data_analyst", "chart_maker", "report_writer"]
    for lone in (table, Path(table)):
        with pytest.raises(ValueError, match=r"files are a list of paths.*write \['.*t.csv'\]"):
            builtin_specialists(files=lone, out=tmp_path)  # type: ignore[arg-type,unused-ignore]  # pyright: ignore[reportArgumentType]


def test_numbers_that_no_statistic_survives_count_as_missing(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "t.csv", b"x\n1.5\n1e300\ninf\n2.5\n"))
    assert table.frame.rows() == [(1.5,), (None,), (None,), (2.5,)]
    assert table.notes == ("2 values of column 'x' are no usable numbers and count as missing",)
