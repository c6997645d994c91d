"""The queue of work that could start: newest first, but the oldest never waits for ever."""

import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

OLDEST_EVERY = 8
"""One start in so many takes the oldest, so that a stream faster than the workers starves nothing."""


class ReadyQueue(Generic[T]):
    """Entries ordered by age; entries that are no longer valid are dropped when they come up."""

    def __init__(self, valid: Callable[[T], bool]) -> None:
        self._valid = valid
        self._newest: list[tuple[int, int, T]] = []
        self._oldest: list[tuple[int, int, T]] = []
        self._pushed = 0
        self._taken = 0

    def push(self, order: int, entry: T) -> None:
        """Add an entry; a greater `order` is newer."""
        self._pushed += 1
        heapq.heappush(self._newest, (-order, self._pushed, entry))
        heapq.heappush(self._oldest, (order, self._pushed, entry))

    def peek(self) -> T | None:
        """Return the entry whose turn it is, or None."""
        heap = self._turn()
        while heap and not self._valid(heap[0][2]):
            heapq.heappop(heap)
        self._shrink()
        return heap[0][2] if heap else None

    def count(self, most: int) -> int:
        """Return the number of valid entries, counting no further than `most` of them."""
        found: set[T] = set()
        for _, _, entry in self._oldest:
            if len(found) >= most:
                break
            if self._valid(entry):
                found.add(entry)
        return len(found)

    def pop(self) -> None:
        """Take away the entry that `peek` returned."""
        heapq.heappop(self._turn())
        self._taken += 1

    def _turn(self) -> list[tuple[int, int, T]]:
        return self._oldest if self._taken % OLDEST_EVERY == OLDEST_EVERY - 1 else self._newest

    def _shrink(self) -> None:
        """Rebuild the heaps when most of what they hold was taken through the other one."""
        for heap in (self._newest, self._oldest):
            other = self._oldest if heap is self._newest else self._newest
            if len(heap) > 64 and len(heap) > 2 * len(other):
                heap[:] = [entry for entry in heap if self._valid(entry[2])]
                heapq.heapify(heap)
