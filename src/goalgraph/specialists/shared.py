"""The state that the steps of a run share, and who has written what into it."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from threading import RLock

from pydantic import JsonValue

from goalgraph.planner.outcome import SharedWrite
from goalgraph.specialists.told import as_told, checked_name

__all__ = ["SharedState", "SharedStore"]

_MOST_KEYS = 1_000


@dataclass(slots=True)
class SharedStore:
    """Latest values by key, and the latest write of each step to each key; may be used from any thread."""

    lock: RLock = field(default_factory=RLock)
    _values: dict[str, SharedWrite] = field(default_factory=dict[str, SharedWrite])
    _writers: dict[str, str] = field(default_factory=dict[str, str])
    """Who has written what holds, by key."""
    _by_step: dict[str, dict[str, SharedWrite]] = field(default_factory=dict[str, dict[str, SharedWrite]])
    _number: int = 0

    def fold(self, step: str, writes: Iterable[SharedWrite]) -> None:
        """Take in what a step has written in another process; the order in which steps are taken in is no matter."""
        with self.lock:
            for write in writes:
                known = self._values.get(write.key)
                if known is None or write.number > known.number:
                    self._values[write.key], self._writers[write.key] = write, step
                self._number = max(self._number, write.number)

    def get(self, key: str, default: JsonValue) -> JsonValue:
        """Return a value that nobody else has a hand in."""
        with self.lock:
            found = self._values.get(key)
        return default if found is None else deepcopy(found.value)

    def put(self, step: str, key: str, value: JsonValue) -> None:
        """Set a value, and note that the step did, unless it is what this step has set already.

        Raises:
            ValueError: There are too many keys.
        """
        with self.lock:
            known = self._values.get(key)
            if known is None and len(self._values) >= _MOST_KEYS:
                raise ValueError(f"the shared state has {_MOST_KEYS} keys, and takes no more; found {key!r}")
            if known is not None and self._writers[key] == step and _is_same(known.value, value):
                return
            self._number += 1
            write = SharedWrite(key=key, value=value, number=self._number)
            self._values[key], self._writers[key] = write, step
            self._by_step.setdefault(step, {})[key] = write

    def written(self, step: str) -> tuple[SharedWrite, ...]:
        """Return what a step has written in this process, the last of each key, in the order of the writes."""
        with self.lock:
            found = self._by_step.get(step)
            return tuple(sorted(found.values(), key=lambda write: write.number)) if found else ()

    def snapshot(self) -> dict[str, JsonValue]:
        """Return all values, of one moment."""
        with self.lock:
            return {key: deepcopy(write.value) for key, write in self._values.items()}


@dataclass(frozen=True, slots=True)
class SharedState:
    """The state that all steps of a run share, as a step sees it: text to JSON values.

    A step's writes are seen by all others at once, and are recorded with its outcome, also where it fails. A run that
    is resumed has the writes of all recorded steps, of each key the newest. What a step has written that was not
    recorded is gone with the process, and the step runs again and may write it again; but another step that was
    recorded may have seen it, and built on it: so a counter may count twice what was done twice. Keep values by the id
    of the step, or write them so that a second time does no harm.
    """

    _store: SharedStore
    _step: str
    _check: Callable[[], None]
    """Raises where the attempt is over."""

    def get(self, key: str, default: JsonValue = None) -> JsonValue:
        """Return a value, which is the caller's own to change."""
        return self._store.get(key, default)

    def put(self, key: str, value: object) -> None:
        """Set a value.

        Raises:
            TypeError: It has no JSON form.
            ValueError: It has more than 100,000 characters, the key is none, or there are 1,000 keys already.
            AttemptOver: The attempt is over.
        """
        clean = as_told(value, f"the shared value {checked_name(key, 'a key')!r}")
        self._check()
        self._store.put(self._step, key, clean)

    def update(self, key: str, function: Callable[[JsonValue], object], default: JsonValue = None) -> JsonValue:
        """Set a value to what a function makes of it, and return that; nobody writes meanwhile, in any thread.

        Args:
            key: Of the value.
            function: Given the value, or the default; to be quick, and not to wait for anything.
            default: What it is given where there is none.

        Raises:
            TypeError: As for `put`.
            ValueError: As for `put`.
            AttemptOver: As for `put`.
        """
        with self._store.lock:
            self.put(key, function(self._store.get(key, default)))
            return self._store.get(key, None)

    def snapshot(self) -> dict[str, JsonValue]:
        """Return all values, of one moment."""
        return self._store.snapshot()


def _is_same(one: JsonValue, other: JsonValue) -> bool:
    """Whether values are the same JSON: ``1`` and ``true`` are not, though Python takes them for equal."""
    return one == other and repr(one) == repr(other)
