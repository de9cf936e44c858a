"""One object of a draft's list, read field by field; what is wrong is collected, not raised."""

import json
import re
from collections.abc import Mapping
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.values import STEP_ID

__all__ = ["STAND_IN", "Item", "clean", "missing", "surplus", "wrong"]

STAND_IN = "(not written)"
"""In the place of a text that cannot be read."""

_Model = TypeVar("_Model", bound=BaseModel)


class Item:
    """What a model wrote as one step."""

    def __init__(self, written: Mapping[object, object], place: str, fields: tuple[str, ...]) -> None:
        """Read the id, and find fields that there are not.

        Args:
            written: The object.
            place: Where it stands, such as ``"steps[0]"``.
            fields: All that it should have.
        """
        self._written = written
        self._place = place
        self.problems: list[PlanProblem] = []
        value = written.get("id")
        self.id = _as_id(value)
        """None where there is none that could be used."""
        self.step = self.id if self.id is not None else _shown_id(value)
        """The id as problems tell it."""
        if self.id is None:
            at = "id" if isinstance(value, str) else f"{place}.id"
            found = missing(f"{place}.id", None) if value is None else _invalid_id(value, self.step, at)
            self.problems.append(found)
        where = "a step" if self.step is not None else place
        known = (*fields, *(("depends_on",) if "follows" in fields else ()))
        self.problems += [surplus(key, self.step, where, ", ".join(fields)) for key in written if key not in known]

    def text(self, name: str) -> str | None:
        """Read a text; None, and a problem, where there is none."""
        value = self._written.get(name)
        if isinstance(value, str) and clean(value).strip():
            return clean(value)
        self._unreadable(name, value, "text")
        return None

    def one_of(self, name: str, choices: tuple[str, ...]) -> str | None:
        """Read one of several words; None, and a problem, where it is none of them."""
        value = self._written.get(name)
        if isinstance(value, str) and value in choices:
            return value
        self._unreadable(name, value, "one of " + ", ".join(map(repr, choices)))
        return None

    def ids(self, name: str) -> tuple[str, ...]:
        """Read a list of ids of steps, each once."""
        value = self._listed(name, "a list of step ids")
        found = [(item, _as_id(item)) for item in value]
        self.problems += [_invalid_id(item, self.step, self._field(name)) for item, need in found if need is None]
        return tuple(dict.fromkeys(need for _, need in found if need is not None))

    def follows(self) -> tuple[str, ...]:
        """Read what has to be over first, in the word of either kind of list."""
        return self.ids("depends_on" if "follows" not in self._written and "depends_on" in self._written else "follows")

    def names(self, name: str) -> tuple[str, ...]:
        """Read a list of texts, each once."""
        found: list[str] = []
        for item in self._listed(name, "a list of texts"):
            if isinstance(item, str) and clean(item).strip():
                found.append(clean(item).strip())
            else:
                self.problems.append(wrong(self._field(name), "a list of texts", item, self.step))
        return tuple(dict.fromkeys(found))

    def objects(self, name: str, fields: tuple[str, ...]) -> list[dict[str, str]]:
        """Read a list of objects whose fields are texts; those that are not whole are left out, with a problem."""
        found: list[dict[str, str]] = []
        expected = f"objects with {', '.join(fields)}, all of them texts"
        for item in self._listed(name, f"a list of {expected}"):
            values = _fields(item)
            texts = {field: clean(text) for field in fields if isinstance(text := values.get(field), str)}
            if len(texts) == len(fields) == len(values):
                found.append(texts)
            else:
                self.problems.append(wrong(self._field(name), expected, item, self.step))
        return found

    def add(self, code: ProblemCode, field: str, message: str, hint: str) -> None:
        """Add a problem of a field."""
        self.problems.append(
            PlanProblem(code=code, step=self.step, field=self._field(field), message=message, hint=hint)
        )

    def made(
        self,
        model: type[_Model],
        values: Mapping[str, object],
        stand_ins: Mapping[str, object],
        written_as: Mapping[str, str] | None = None,
    ) -> _Model:
        """Make a step, with a stand-in for each value that it does not take, and a problem.

        Args:
            model: Type of the step.
            values: Its fields; ids and dependencies are right already.
            stand_ins: What takes the place of the others.
            written_as: Names of fields in the draft, where they differ.
        """
        try:
            return model.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
        bad = {str(detail["loc"][0]) for detail in found}
        for detail in found:
            field = str(detail["loc"][0])
            self.add(
                "invalid_field",
                (written_as or {}).get(field, field),
                detail["msg"].removeprefix("Value error, "),
                "write it as the schema says",
            )
        return model.model_validate({**values, **{name: value for name, value in stand_ins.items() if name in bad}})

    def _listed(self, name: str, expected: str) -> list[object]:
        value = self._written.get(name)
        if isinstance(value, list):
            return cast("list[object]", value)
        self._unreadable(name, value, expected)
        return []

    def _unreadable(self, name: str, value: object, expected: str) -> None:
        field = self._field(name)
        self.problems.append(
            missing(field, self.step) if value is None else wrong(field, expected, value, self.step),
        )

    def _field(self, name: str) -> str:
        return name if self.step is not None else f"{self._place}.{name}"


def clean(text: str) -> str:
    """Replace characters that no store keeps."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def missing(field: str, step: str | None) -> PlanProblem:
    """Tell of a field that is not there."""
    return PlanProblem(
        code="missing_field", step=step, field=field, message="the field is missing", hint="every field must be there"
    )


def surplus(key: object, step: str | None, where: str, expected: str) -> PlanProblem:
    """Tell of a field that should not be there."""
    return PlanProblem(
        code="unknown_field",
        step=step,
        field=" ".join(clean(str(key)).split())[:80],
        message=f"{where} has no such field, only {expected}",
        hint="leave it out, and say what matters in the task",
    )


def wrong(field: str, expected: str, found: object, step: str | None = None) -> PlanProblem:
    """Tell of a value that is something else than expected."""
    return PlanProblem(
        code="wrong_type",
        step=step,
        field=field,
        message=f"expected {expected}, found {_found(found)}",
        hint="write it as the schema says",
    )


def _fields(value: object) -> Mapping[object, object]:
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {}


def _as_id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return str(value)
    return value.strip() if isinstance(value, str) and re.fullmatch(STEP_ID, value.strip()) else None


def _shown_id(value: object) -> str | None:
    return clean(value[:128]) if isinstance(value, str) and value.strip() else None


def _invalid_id(value: object, step: str | None, field: str) -> PlanProblem:
    return PlanProblem(
        code="invalid_id",
        step=step,
        field=field,
        message=f"expected an id of letters, digits, '_', '-' and '.', found {_found(value)}",
        hint="write ids like 'read_report'",
    )


def _found(value: object) -> str:
    if isinstance(value, str):
        return repr(clean(value if len(value) <= 60 else f"{value[:60]}..."))
    if isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return repr(value) if isinstance(value, int) and abs(value) < 10**18 else "a number"
