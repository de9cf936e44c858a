"""Whether anything of a superstep is at work: pure counting of the steps that were told to run and have not left."""

__all__ = ["Activity"]


class Activity:
    """Counts steps at work, and keeps apart those that only wait, each in its own way."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.held: set[str] = set()
        """Have an interrupt in hand."""
        self.asleep: set[str] = set()
        """Wait for a time."""
        self.queued: set[str] = set()
        """Wait until their branch may begin."""
        self._begun = 0
        self._placeless: set[str] = set()
        self._left: dict[str, int] = {}

    @property
    def idle(self) -> bool:
        """Whether no step does anything but wait."""
        multiplied = sum(1 for left in self._left.values() if left > 0)
        return self._begun <= len(self.held) + len(self.asleep) + len(self.queued) + multiplied

    @property
    def working(self) -> int:
        """How many steps are at work or about to be: those that wait for a human, or for their items, are not."""
        return self._begun - len(self.held) - sum(1 for left in self._left.values() if left > 0)

    @property
    def maps(self) -> frozenset[str]:
        """Maps whose items are being done."""
        return frozenset(self._left)

    def begin(self) -> None:
        """Count a step that may run."""
        self._begun += 1

    def end(self, step_id: str) -> bool:
        """Count a step no longer; say whether it still had the place it was given."""
        self._begun -= 1
        for waiting in (self.held, self.asleep, self.queued):
            waiting.discard(step_id)
        self._left.pop(step_id, None)
        return step_id not in self._placeless

    def hold(self, step_id: str) -> None:
        """Note that a step waits with an interrupt in hand, and has given its place back."""
        self.held.add(step_id)
        self._placeless.add(step_id)

    def lose_place(self, step_id: str) -> None:
        """Note that a step has no place to give back."""
        self._placeless.add(step_id)

    def wake(self, step_id: str) -> bool:
        """Note that a step that was held or asleep goes on; False for one that was neither."""
        waited = step_id in self.asleep or step_id in self.held
        self.asleep.discard(step_id)
        self.held.discard(step_id)
        return waited

    def multiply(self, map_id: str, count: int) -> None:
        """Note that a map now waits for so many steps of its items."""
        self._left[map_id] = count

    def item_over(self, map_id: str) -> None:
        """Note that one of them is over."""
        if map_id in self._left:
            self._left[map_id] -= 1
