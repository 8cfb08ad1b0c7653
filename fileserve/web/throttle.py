"""
How often somebody may guess at the upload key.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil

#: So many addresses are remembered; of more, the one that was wrong longest ago is forgotten.
MOST_ADDRESSES = 10_000

# What one customer has of IPv6 (RFC 6177), and in which every address is as good as another.
_PREFIX = 64


class Throttle:
    """
    Counts wrong keys by address, and says how long to wait after too many.

    :param limit: of wrong keys from one address within `seconds`.
    :param clock: seconds since any moment, never going back.
    """

    def __init__(self, clock: Callable[[], float], limit: int = 10, seconds: float = 60) -> None:
        self._clock = clock
        self._limit = limit
        self._seconds = seconds
        #: When the last wrong keys came, of each address, the address that was wrong last at the end.
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """
        How long to refuse every key, right or wrong, from this address.

        :return: whole seconds, for ``Retry-After``; 0 is not at all.
        """
        times = self._wrong.get(_one_client(address))
        if times is None or len(times) < self._limit:
            return 0
        return max(0, ceil(times[0] + self._seconds - self._clock()))

    def wrong(self, address: str) -> None:
        """
        A wrong key came from this address, and was looked at.
        """
        client = _one_client(address)
        times = self._wrong.setdefault(client, deque(maxlen=self._limit))
        times.append(self._clock())
        self._wrong.move_to_end(client)
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)


def _one_client(address: str) -> str:
    """What all addresses of one client have in common; what is no address stands for itself."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, _PREFIX), strict=False))
