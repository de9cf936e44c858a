"""Read a table from CSV, JSON, JSON lines or Parquet into typed columns."""

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from goalgraph.errors import InvalidData, MissingExtra
from goalgraph.specialists.builtin.files import is_binary

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Table", "read_table"]

_NULLS = ["", "NA", "N/A", "n/a", "null", "NULL", "None", "NaN", "nan", "-", "--", "#N/A"]
_DELIMITERS = ",;\t|"
_GROUPED = r"^\s*[-+(]?\s*[$€£¥]?\s*[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?\s*%?\)?\s*$"
_LARGEST = 1e100
_YEAR = re.compile(r"^(?:1[5-9]|20|21)\d\d$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file's rows, typed."""

    name: str
    """The file, as results show it."""
    frame: "pl.DataFrame"
    notes: tuple[str, ...] = ()
    """What was done on reading that a reader should know."""
    shape: tuple[int, int] = (0, 0)
    """Rows and columns as they are in the file."""


def read_table(path: Path, name: str | None = None) -> Table:
    """Read a file; delimiter, encoding, decimal comma, thousands separators and percent signs are recognised.

    Columns named by years become rows (``year``, ``value``).

    Raises:
        InvalidData: The file cannot be read as what its suffix says, or has no rows.
        MissingExtra: polars is not installed.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtra("reading tables", "data") from error
    shown = name or path.name
    notes: list[str] = []
    suffix = path.suffix.lower()
    try:
        if suffix in {".parquet", ".pq"}:
            frame = pl.read_parquet(path)
        else:
            text = _text(path, notes)
            if suffix in {".json", ".jsonl", ".ndjson"}:
                frame = _records(text, shown, lines=suffix != ".json")
            else:
                frame = _delimited(text, notes)
    except OSError as error:
        raise InvalidData(
            f"{shown!r} cannot be opened: {error.strerror or error}", hint="check its permissions"
        ) from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InvalidData(f"{shown!r} is not a well-formed table: {reason}", hint="correct the file") from error
    shape = frame.shape
    if not frame.height or not frame.width:
        raise InvalidData(f"{shown!r} has no rows", hint="give a table with at least one row of data")
    frame = _bounded(_numbers(frame, notes), notes)
    return Table(name=shown, frame=_years_to_rows(frame, notes), notes=tuple(notes), shape=shape)


def _text(path: Path, notes: list[str]) -> str:
    raw = path.read_bytes()
    if is_binary(raw[:8192]):
        raise InvalidData(f"{str(path)!r} is binary, not text", hint="give a text table, or correct its suffix")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        notes.append("read as Latin-1, since it is not UTF-8")
        return raw.decode("latin-1")


def _delimited(text: str, notes: list[str]) -> "pl.DataFrame":
    import polars as pl

    delimiter = _sniff(text)
    header = next(csv.reader(io.StringIO(text), delimiter=delimiter))
    headed = not all(re.fullmatch(r"\s*[-+]?\d+(?:[.,]\d+)?\s*", cell) for cell in header)
    if not headed:
        notes.append("the file has no header line; columns are numbered")
    comma = delimiter != "," and bool(re.search(r"\d,\d", text[:100_000])) and not re.search(r"\d\.\d", text[:100_000])
    frame = pl.read_csv(
        io.BytesIO(text.encode("utf-8")),
        separator=delimiter,
        has_header=headed,
        null_values=_NULLS,
        decimal_comma=comma,
        infer_schema_length=None,
    )
    return frame.rename({column: column.strip() for column in frame.columns if column.strip()})


def _sniff(text: str) -> str:
    """Choose the delimiter that cuts the first lines into the most even and the most fields."""
    lines = [line for line in text[:65536].splitlines() if line.strip()][:50]

    def score(delimiter: str) -> tuple[float, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        usual = max(set(counts), key=counts.count) if counts else 1
        return (counts.count(usual) / len(counts) if usual > 1 else 0.0, usual)

    return max(_DELIMITERS, key=score) if lines else ","


def _records(text: str, name: str, *, lines: bool) -> "pl.DataFrame":
    import polars as pl

    try:
        if lines:
            found: object = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            found = json.loads(text)
    except json.JSONDecodeError as error:
        if not lines and "Extra data" in error.msg:
            return _records(text, name, lines=True)
        raise InvalidData(f"{name!r} is not valid JSON: {error}", hint="correct the file") from error
    except RecursionError as error:
        raise InvalidData(f"{name!r} is nested too deeply", hint="give a flat list of objects") from error
    if isinstance(found, dict):
        whole = cast("dict[str, object]", found)
        inner: list[object] = [value for value in whole.values() if isinstance(value, list)]
        found = inner[0] if len(inner) == 1 else [whole]
    rows = cast("list[object]", found) if isinstance(found, list) else []
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InvalidData(f"{name!r} holds no list of objects", hint='expected [{"column": value, ...}, ...]')
    flat = [_flat(cast("dict[str, object]", row)) for row in rows]
    return pl.DataFrame(flat, infer_schema_length=None, strict=False)


def _flat(row: dict[str, object], prefix: str = "", depth: int = 0) -> dict[str, object]:
    cells: dict[str, object] = {}
    for key, value in row.items():
        if isinstance(value, dict) and depth < 5:
            cells |= _flat(cast("dict[str, object]", value), f"{prefix}{key}_", depth + 1)
        else:
            cells[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, (list, dict)) else value
    return cells


def _numbers(frame: "pl.DataFrame", notes: list[str]) -> "pl.DataFrame":
    """Turn text columns such as ``"1,234"``, ``"$5"`` or ``"12%"`` into numbers."""
    import polars as pl

    for name in [column for column, kind in frame.schema.items() if kind == pl.String]:
        column = frame[name].drop_nulls()
        if not len(column) or not column.str.contains(_GROUPED).all() or column.str.contains(r"^\s*0\d").any():
            continue
        bare = frame[name].str.replace_all(r"[,$€£¥%\s+()]", "").cast(pl.Float64, strict=False)
        signed = pl.when(frame[name].str.contains(r"^\s*\(")).then(-bare).otherwise(bare).alias(name)
        frame = frame.with_columns(signed)
        notes.append(f"the text of column {name!r} was read as numbers")
    return frame


def _bounded(frame: "pl.DataFrame", notes: list[str]) -> "pl.DataFrame":
    """Take NaN, infinities and numbers past 1e100, whose squares overflow, as missing."""
    import polars as pl

    for name in [column for column, kind in frame.schema.items() if kind.is_numeric()]:
        column = frame[name].cast(pl.Float64, strict=False)
        wild = (column.is_nan() | column.is_infinite() | (column.abs() > _LARGEST)).fill_null(value=False)
        if wild.any():
            frame = frame.with_columns(pl.when(wild).then(None).otherwise(column).alias(name))
            notes.append(f"{int(wild.sum())} values of column {name!r} are no usable numbers and count as missing")
    return frame


def _years_to_rows(frame: "pl.DataFrame", notes: list[str]) -> "pl.DataFrame":
    import polars as pl

    years = [column for column in frame.columns if _YEAR.match(column.strip())]
    rest = [column for column in frame.columns if column not in years]
    if len(years) < 3 or not rest or not all(frame.schema[column].is_numeric() for column in years):
        return frame
    notes.append("its columns named by years were turned into rows")
    long = frame.unpivot(on=years, index=rest, variable_name="year", value_name="value")
    return long.with_columns(pl.col("year").str.strip_chars().cast(pl.Int64)).drop_nulls("value")
