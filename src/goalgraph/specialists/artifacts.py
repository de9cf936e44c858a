"""Where outputs too large for a checkpoint are kept: a store of bytes by reference, by default a folder."""

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Protocol, cast
from uuid import uuid4

from pydantic import JsonValue

from goalgraph.errors import DamagedArtifact, MissingArtifact
from goalgraph.planner.outcome import REFERENCE_FIELDS, Artifact

__all__ = ["ArtifactStore", "FolderArtifacts", "as_store", "loaded", "stored"]

_REFERENCE = re.compile(r"sha256:([0-9a-f]{64})")
_PREVIEW = 1_000
_TEXT, _JSON = "text/plain", "application/json"


class ArtifactStore(Protocol):
    """Keeps bytes, and gives them back by reference, in this process and in later ones.

    Called from threads, several at a time.
    """

    def put(self, content: bytes, media_type: str) -> str:
        """Keep bytes; once this returns they are there to stay.

        Args:
            content: The bytes.
            media_type: What they are, such as ``"application/json"``.

        Returns:
            A reference, at most some hundred characters; the same content may have the same one.
        """
        ...

    def get(self, reference: str) -> bytes:
        """Return what was kept under the ``reference`` that `put` gave, unchanged.

        Raises:
            MissingArtifact: Nothing is kept under it, or it is none.
            DamagedArtifact: It is not what was kept.
        """
        ...


class FolderArtifacts:
    """Keeps each content once, in a file named by its SHA-256: ``<root>/ab/abcdef...``.

    Several processes may use the folder at once; it need not exist. Files are their owner's alone, are whole or not
    there at all, and are checked when they are read. Trouble with the disk is an `OSError`.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        """The folder, absolute."""

    def put(self, content: bytes, media_type: str) -> str:
        """Keep bytes; see `ArtifactStore`. The type is not kept: who holds the reference knows it."""
        reference = f"sha256:{hashlib.sha256(content).hexdigest()}"
        path = self.path_of(reference)
        with contextlib.suppress(MissingArtifact, DamagedArtifact):  # a damaged file is written anew
            self.get(reference)
            return reference
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        part = path.with_name(f".{uuid4().hex}.part")
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        for folder in (path.parent, self.root):
            _flush(folder)
        return reference

    def get(self, reference: str) -> bytes:
        """Return the bytes; see `ArtifactStore`."""
        path = self.path_of(reference)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise MissingArtifact(
                f"there is no artifact {reference!r} in {str(self.root)!r}", hint="use the folder that the run wrote to"
            ) from error
        if hashlib.sha256(content).hexdigest() != path.name:
            raise DamagedArtifact(
                f"the artifact {reference!r} in {str(self.root)!r} is damaged", hint="do the step that wrote it again"
            )
        return content

    def path_of(self, reference: str) -> Path:
        """Return the file of a ``reference``, whether it is there or not.

        Raises:
            MissingArtifact: It is no reference of such a folder.
        """
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            shown = repr(reference[:100])
            raise MissingArtifact(f"{shown} is no reference to an artifact", hint="use one that an output holds")
        return self.root / match[1][:2] / match[1]


def as_store(given: ArtifactStore | str | Path | None) -> ArtifactStore | None:
    """Return the store that a caller gave: as it is, or as the path of a folder."""
    return FolderArtifacts(given) if isinstance(given, (str, Path)) else given


def stored(output: JsonValue, store: ArtifactStore) -> tuple[dict[str, JsonValue], Artifact]:
    """Keep an output, and return the object that stands for it, and where it is.

    Args:
        output: Plain JSON; text is kept as text, anything else as JSON.
        store: Where to.
    """
    is_text = isinstance(output, str)
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, separators=(",", ":"))
    content, media_type = text.encode(), _TEXT if is_text else _JSON
    reference = store.put(content, media_type)
    path = str(store.path_of(reference)) if isinstance(store, FolderArtifacts) else reference
    found: dict[str, JsonValue] = {
        "artifact": reference,
        "media_type": media_type,
        "characters": len(text),
        "bytes": len(content),
        "preview": text[:_PREVIEW],
    }
    return found, Artifact(path=path, media_type=media_type, title="output")


def loaded(output: JsonValue, store: ArtifactStore | None) -> JsonValue:
    """Return the output that an object stands for; any other output as it is.

    Raises:
        MissingArtifact: It is not there, or there is no store.
        DamagedArtifact: It is not what was kept.
    """
    if not (isinstance(output, dict) and output.keys() == REFERENCE_FIELDS):
        return output
    reference, media_type = output["artifact"], output["media_type"]
    if not isinstance(reference, str) or media_type not in (_TEXT, _JSON):
        return output
    if store is None:
        raise MissingArtifact(
            f"the output is the artifact {reference[:100]!r}, and the agent has no store of artifacts",
            hint="create_plan_agent(..., artifacts=...) with the store that it was written to",
        )
    try:
        text = store.get(reference).decode()
        return text if media_type == _TEXT else cast("JsonValue", json.loads(text))
    except ValueError as error:
        if isinstance(error, DamagedArtifact):
            raise
        raise DamagedArtifact(
            f"the artifact {reference[:100]!r} is no {media_type}", hint="do the step that wrote it again"
        ) from error


def _flush(folder: Path) -> None:
    """Have a folder's new names survive a power cut."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
