"""Profile a table's columns and find the roles they play: time, measure, group."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from goalgraph.specialists.builtin.tables import Table

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Roles", "find_roles", "profile", "spoken_unit"]

_DATE_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%b %d %Y", "%b %d, %Y",
    "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%Y%m%d",
)  # fmt: skip
_MONTH_FORMATS = ("%Y-%m-%d", "%Y/%m-%d", "%b %Y-%d", "%B %Y-%d", "%b-%Y-%d", "%m/%Y-%d", "%Y %b-%d")
_TIME_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M",
)  # fmt: skip
_MAX_GROUPS = 60
_UNIT = re.compile(r"[(\[]([^()\[\]]{1,20})[)\]]\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What the columns are for."""

    time: str | None
    """Column that tells when."""
    moments: "pl.Series | None"
    """That column as Datetime, one for each row."""
    yearly: bool
    """The time column holds years."""
    measures: tuple[str, ...]
    """Numeric columns that say how much."""
    groups: tuple[str, ...]
    """Columns with a few repeated values."""


def find_roles(table: Table) -> Roles:
    """Decide by type and content what each column is for."""
    frame = table.frame
    moments: dict[str, tuple[pl.Series, bool]] = {}
    for name in frame.columns:
        parsed = _moments(frame[name])
        if parsed is not None:
            moments[name] = parsed
    named = [
        name for name in moments if re.search(r"date|time|month|year|day|quarter|period|week", name, re.IGNORECASE)
    ]
    chosen = next(iter(named or moments), None)
    others = [name for name in frame.columns if name != chosen]
    return Roles(
        time=chosen,
        moments=moments[chosen][0] if chosen else None,
        yearly=bool(chosen and moments[chosen][1]),
        measures=tuple(name for name in others if name not in moments and _is_measure(frame[name])),
        groups=tuple(name for name in others if name not in moments and _is_group(frame[name])),
    )


def profile(table: Table, roles: Roles) -> dict[str, JsonValue]:
    """Describe every column: type, missing, distinct, and its range or most frequent values."""
    columns: list[JsonValue] = [_describe(table.frame[name], name, roles) for name in table.frame.columns]
    span: JsonValue = None
    if roles.time and roles.moments is not None:
        low, high = roles.moments.min(), roles.moments.max()
        if isinstance(low, datetime) and isinstance(high, datetime):
            span = {"column": roles.time, "first": low.date().isoformat(), "last": high.date().isoformat()}
    duplicates = table.frame.height - table.frame.n_unique()
    return {
        "rows": table.shape[0],
        "columns": columns,
        "time": span,
        "measures": list(roles.measures),
        "groups": list(roles.groups),
        "duplicate_rows": duplicates,
        "notes": list(table.notes),
    }


def spoken_unit(column: str) -> str:
    """Return the unit that a column's name ends with in brackets: ``°C`` for ``"temp (°C)"``; empty without one."""
    found = _UNIT.search(column)
    return found.group(1).strip() if found else ""


def _describe(column: "pl.Series", name: str, roles: Roles) -> dict[str, JsonValue]:
    import polars as pl

    described: dict[str, JsonValue] = {
        "name": name,
        "type": _type_name(column, name, roles),
        "missing": column.null_count(),
        "distinct": column.drop_nulls().n_unique(),
    }
    present = column.drop_nulls()
    if not len(present):
        return described
    if column.dtype.is_numeric():
        values = present.cast(pl.Float64)
        values = values.filter(values.is_finite())
        figures = {
            "min": values.min(),
            "q1": values.quantile(0.25, "linear"),
            "median": values.median(),
            "mean": values.mean(),
            "q3": values.quantile(0.75, "linear"),
            "max": values.max(),
            "std": values.std(),
        }
        described |= {key: round(float(value), 6) for key, value in figures.items() if isinstance(value, (int, float))}
    elif column.dtype == pl.String:
        top = present.value_counts(sort=True).head(5)
        described["most_frequent"] = [{"value": str(value), "rows": int(rows)} for value, rows in top.iter_rows()]
    else:
        low, high = cast("object", present.min()), cast("object", present.max())
        described |= {"min": str(low), "max": str(high)}
    return described


def _type_name(column: "pl.Series", name: str, roles: Roles) -> str:
    import polars as pl

    if name == roles.time:
        return "year" if roles.yearly else "time"
    if column.dtype.is_integer():
        return "integer"
    if column.dtype.is_numeric():
        return "number"
    if column.dtype == pl.Boolean:
        return "boolean"
    if column.dtype.is_temporal():
        return "time"
    return "group" if name in roles.groups else "text"


def _is_measure(column: "pl.Series") -> bool:
    if not column.dtype.is_numeric() or column.drop_nulls().n_unique() < 2:
        return False
    if re.fullmatch(r"lat(?:itude)?|lon(?:g|gitude)?|lng", column.name, re.IGNORECASE):
        return False
    named_id = re.search(
        r"(?:^|_)(?:id|key|code|index|zip|postcode|number|nr|no)$|^unnamed|^$", column.name, re.IGNORECASE
    )
    counts_rows = column.dtype.is_integer() and len(column) > 2 and bool((column.diff().drop_nulls() == 1).all())
    return not (named_id and column.dtype.is_integer()) and not (counts_rows and not column.null_count())


def _is_group(column: "pl.Series") -> bool:
    import polars as pl

    if not (column.dtype == pl.String or column.dtype == pl.Boolean or column.dtype == pl.Categorical):
        return False
    distinct = column.drop_nulls().n_unique()
    return 2 <= distinct <= _MAX_GROUPS and distinct <= max(2, len(column) // 2)


def _moments(column: "pl.Series") -> "tuple[pl.Series, bool] | None":
    """Read a column as points in time; None where it is none. The flag says that it holds years."""
    import polars as pl

    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return column.cast(pl.Datetime("us")), False
    if column.dtype.is_float() and (column.drop_nulls() % 1 == 0).all():
        column = column.cast(pl.Int64, strict=False)
    if column.dtype.is_integer():
        present = column.drop_nulls()
        named = re.search(r"year|yr|jahr|ann[eé]e|año", column.name, re.IGNORECASE) is not None
        low, high = cast("int | None", present.min()), cast("int | None", present.max())
        if named and low is not None and high is not None and low >= 1500 and high <= 2200 and present.n_unique() > 1:
            years = [None if value is None else datetime.combine(date(int(value), 1, 1), time()) for value in column]
            return pl.Series(column.name, years, dtype=pl.Datetime("us")), True
        return None
    if column.dtype != pl.String:
        return None
    return _parsed(column)


def _parsed(column: "pl.Series") -> "tuple[pl.Series, bool] | None":
    import polars as pl

    text = column.str.strip_chars()
    present = text.drop_nulls()
    if not len(present) or not present.head(20).str.contains(r"\d").all():
        return None
    quarters = present.str.contains(r"(?i)^\d{4}[- ]?Q[1-4]$|^Q[1-4][- ]\d{4}$").all()
    if quarters:
        year, quarter = text.str.extract(r"(\d{4})").cast(pl.Int32), text.str.extract(r"[Qq]([1-4])").cast(pl.Int32)
        firsts = [None if y is None else datetime(y, 3 * q - 2, 1) for y, q in zip(year, quarter, strict=True)]
        return pl.Series(column.name, firsts, dtype=pl.Datetime("us")), False
    sample = present.unique(maintain_order=True).head(200)
    for form in _DATE_FORMATS + _TIME_FORMATS:
        if not sample.str.to_datetime(form, strict=False).null_count():
            found = text.str.to_datetime(form, strict=False).dt.replace_time_zone(None).cast(pl.Datetime("us"))
            if found.null_count() == text.null_count() and (found.drop_nulls().dt.year() >= 1000).all():
                return found, False
    for form in _MONTH_FORMATS:
        if not (sample + "-01").str.to_date(form, strict=False).null_count():
            found = (text + "-01").str.to_date(form, strict=False).cast(pl.Datetime("us"))
            if found.null_count() == text.null_count():
                return found, False
    return None
