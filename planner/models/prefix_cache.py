"""Prefix blocks in the cache of a replica: shared while requests hold them, kept after, evicted oldest first."""

from __future__ import annotations

from collections.abc import Sequence


class PrefixCache:
    """Which blocks are in the cache, and who holds them.

    A block is known to later requests as soon as the request that brought it has entered, since the
    prompts of earlier ones are computed first. A block that nobody holds stays until its room is needed;
    the one that was let go longest ago leaves first, of one request the last block first.

    Parameters
    ----------
    block_tokens : tokens per block [token]

    References
    ----------
    .. [1] Kwon et al., "Efficient Memory Management for Large Language Model Serving with
       PagedAttention", SOSP 2023; automatic prefix caching of vLLM.

    Examples
    --------
    >>> cache = PrefixCache(16)
    >>> cache.hold([1, 2]), cache.hold([1, 3])  # new tokens that each brings
    (32, 16)
    >>> cache.release([1, 2]), cache.release([1, 3])  # tokens that nobody holds any more
    (16, 32)
    >>> cache.hits([1, 2, 9]), cache.idle_tokens
    (2, 48)
    >>> cache.evict(room_tokens=40); cache.hits([1, 2, 9])  # block 2 was let go first
    1
    """

    def __init__(self, block_tokens: int) -> None:
        if block_tokens < 1:
            raise ValueError(f"blocks of {block_tokens} tokens")
        self.block_tokens = block_tokens
        self._holders: dict[int, int] = {}
        self._idle: dict[int, None] = {}  # in order of release

    @property
    def idle_tokens(self) -> int:
        """Tokens in blocks that nobody holds: free for whoever needs the room. [token]"""
        return len(self._idle) * self.block_tokens

    def hits(self, ids: Sequence[int]) -> int:
        """Leading blocks that are in the cache."""
        for count, id in enumerate(ids):
            if id not in self._holders and id not in self._idle:
                return count
        return len(ids)

    def held_tokens(self, ids: Sequence[int]) -> int:
        """Tokens of these blocks that other requests hold already: they take no further room. [token]"""
        return self.block_tokens * sum(id in self._holders for id in ids)

    def hold(self, ids: Sequence[int]) -> int:
        """Hold all of these; returns the tokens that nobody held before. [token]"""
        new = 0
        for id in ids:
            holders = self._holders.get(id, 0)
            if not holders:
                new += self.block_tokens
                self._idle.pop(id, None)
            self._holders[id] = holders + 1
        return new

    def release(self, ids: Sequence[int]) -> int:
        """Let go of these; returns the tokens that nobody holds any more. [token]"""
        idle = 0
        for id in reversed(ids):
            holders = self._holders.pop(id) - 1
            if holders:
                self._holders[id] = holders
            else:
                idle += self.block_tokens
                self._idle[id] = None
        return idle

    def evict(self, room_tokens: float) -> None:
        """Drop the oldest idle blocks until they fit into the room that running requests leave."""
        while self.idle_tokens > room_tokens:
            del self._idle[next(iter(self._idle))]
