"""
What schemathesis does to each request before it is sent: see ``schemathesis.toml``.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import count
from typing import Any

import schemathesis

# Where benchmarks of networks take their addresses from (RFC 2544).
_addresses = map(IPv4Address, count(int(IPv4Address("198.18.0.1"))))


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: Any) -> None:
    """
    Let the request come from an address of its own; the server believes us to be its proxy.
    """
    case.headers["X-Forwarded-For"] = str(next(_addresses))
