"""What waits: orders in the queue and announcements in the stream, as groups that share one moment."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Group:
    """Orders that were accepted in the same step and have been received as often."""

    since: int  # the step in which they were accepted
    receives: int
    count: int


class Backlog:
    """Groups in the order in which they are handed out; those that come back come first, being the older ones.

    SQS promises no order. Handing out the oldest first is what it does in the mean, and gives the
    shortest "oldest order" that any order of receipt can have.
    """

    def __init__(self) -> None:
        self._fresh: deque[Group] = deque()
        self._returned: deque[Group] = deque()
        self.count = 0

    def add(self, since: int, count: int) -> None:
        """Add fresh ones."""
        if count > 0:
            self._fresh.append(Group(since, 0, count))
            self.count += count

    def give_back(self, group: Group) -> None:
        """Make a group visible again that was handed out before."""
        self._returned.append(group)
        self.count += group.count

    def take(self, count: int) -> list[Group]:
        """Hand out up to `count`, the oldest first; their receives grow by one."""
        taken = []
        for groups in (self._returned, self._fresh):
            while groups and count > 0:
                group = groups[0]
                part = min(group.count, count)
                taken.append(Group(group.since, group.receives + 1, part))
                group.count -= part
                count -= part
                self.count -= part
                if group.count == 0:
                    groups.popleft()
        return taken

    def oldest(self) -> int | None:
        """Return the step since which the oldest one waits, or None where nothing does."""
        heads = [groups[0].since for groups in (self._returned, self._fresh) if groups]
        return min(heads, default=None)

    def oldest_fresh(self) -> int | None:
        """Return the step since which the oldest one waits that was not handed out yet, or None."""
        return self._fresh[0].since if self._fresh else None

    def drop_older_than(self, step: int) -> int:
        """Remove all that wait since before `step` and return how many."""
        dropped = 0
        for groups in (self._returned, self._fresh):
            while groups and groups[0].since < step:
                dropped += groups.popleft().count
        self.count -= dropped
        return dropped


def split(groups: list[Group], share: list[int]) -> Iterator[tuple[Group, Group]]:
    """Yield each group in two: without and with the number that `share` gives for it."""
    for group, part in zip(groups, share, strict=True):
        yield Group(group.since, group.receives, group.count - part), Group(group.since, group.receives, part)
