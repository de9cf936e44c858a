"""Files of plans, as text."""

from pathlib import Path

from goalgraph.planner.documents.faults import Fault, Refused
from goalgraph.planner.documents.limits import MAX_BYTES

__all__ = ["text_of_file"]


def text_of_file(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        Refused: It cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"the file cannot be read: {reason}"
        raise Refused([Fault("unreadable", message, hint="give the path of a YAML or JSON file")]) from error
    if len(content) > MAX_BYTES:
        raise Refused([Fault("too_large", f"the file has more than {MAX_BYTES:,} bytes", hint="split the plan")])
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:2]:
        raise Refused([Fault("bad_encoding", "expected UTF-8, found UTF-16 or UTF-32", hint="save it as UTF-8")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = f"expected UTF-8, found the byte 0x{content[error.start]:02x}"
        raise Refused([Fault("bad_encoding", message, hint="save it as UTF-8", place=place)]) from error
