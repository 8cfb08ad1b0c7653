"""
Who the client is, and what it asked for, when a proxy stands between: ``X-Forwarded-For``, ``-Proto`` and
``-Host``, believed only from trusted addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What stands for the client where nothing says more than that it came by a UNIX socket.
UNIX = "unix"

# `[::1]`, `[::1]:99` and `1.2.3.4:5678`; a bare IPv6 address has no port.
_WITH_PORT = re.compile(r"\[(?P<bracketed>[^][]*)\](?::[0-9]{1,5})?|(?P<plain>[0-9.]+):[0-9]{1,5}")

# A host as RFC 3986 section 3.2.2 spells it, but for escapes, which no browser sends, and its port.
_HOST = re.compile(r"(?P<host>[A-Za-z0-9._~!$&'()*+;=-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{0,5}))?")

# The ports that an origin does not name (RFC 6454 section 6.2), and all the schemes we are reached by.
_DEFAULT_PORTS = {"http": "80", "https": "443"}

# The bits of `::ffff:0:0/96`, under which IPv4 addresses are mapped (RFC 4291 section 2.5.5.2).
_MAPPED_PREFIX = 96


def parse_networks(text: str) -> tuple[Network, ...]:
    """
    Read the networks whose word is believed.

    :param text: addresses and networks, separated by commas or white space; none is fine.
    :raise ValueError: with one sentence that names the first bad one.  A network with host bits set
        (``10.0.0.1/8``) is bad: it would trust more than it seems to.
    """
    return tuple(_network(word) for word in re.split(r"[,\s]+", text) if word)


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """
    The address of the client: the last one in the chain of proxies that no trusted one vouches for.

    Read from right to left, ``X-Forwarded-For`` is believed as long as it was a trusted address that
    wrote it.  The first untrusted address is the client, else the leftmost; what is no address ends the
    walk before it, so a client can put nothing into our logs but an address.

    :param peer: the address of the other end of the connection; ``None`` is a UNIX socket, trusted.
    :param forwarded_for: the values of ``X-Forwarded-For`` in the order they came.
    :return: an address without port, zone or brackets, IPv4 in its own form where it came mapped into
        IPv6; `peer` as it is where it is no address; ``unix`` where only a UNIX socket is known.
    """
    client = UNIX if peer is None else _plain(peer)
    if not believed(peer, trusted):
        return client
    for element in reversed(",".join(forwarded_for).split(",")):
        if not element.strip(" \t"):
            continue  # an empty element does not count (RFC 9110 section 5.6.1)
        address = _address(element)
        if address is None:
            break
        client = str(address)
        if not _within(address, trusted):
            break
    return client


def believed(peer: str | None, trusted: Iterable[Network]) -> bool:
    """
    Whether what a peer says of somebody else is to be believed.

    :param peer: the address of the other end of the connection; ``None`` is a UNIX socket, trusted.
    """
    if peer is None:
        return True
    address = _address(peer)
    return address is not None and _within(address, trusted)


def forwarded_origin(
    peer: str | None,
    ours: str,
    forwarded_proto: Sequence[str],
    forwarded_host: Sequence[str],
    trusted: Sequence[Network],
) -> str:
    """
    The origin under which the client knows us, as browsers spell it: ``https://files.example``.

    Of several values the last counts, which is that of the proxy next to us: in front of it anybody may have
    written.  What is no scheme of HTTP, or no host, does not count.

    :param peer: the address of the other end of the connection; ``None`` is a UNIX socket, trusted.
    :param ours: scheme and host as the connection and its ``Host`` have it, ``http://127.0.0.1:8080``.
    :param forwarded_proto: the values of ``X-Forwarded-Proto`` in the order they came.
    :param forwarded_host: the same of ``X-Forwarded-Host``.
    :return: in lower case, without the port that goes without saying; it begins with ``https://`` where the
        client speaks TLS.
    """
    scheme, _, host = ours.partition("://")
    if believed(peer, trusted):
        said = _last(forwarded_proto).lower()
        scheme = said if said in _DEFAULT_PORTS else scheme
        host = said if _HOST.fullmatch(said := _last(forwarded_host)) else host
    return f"{scheme}://{_without_default_port(host, scheme)}".lower()


def _last(values: Sequence[str]) -> str:
    elements = [element.strip(" \t") for element in ",".join(values).split(",")]
    return next((element for element in reversed(elements) if element), "")


def _without_default_port(host: str, scheme: str) -> str:
    found = _HOST.fullmatch(host)
    return found["host"] if found is not None and found["port"] in {"", _DEFAULT_PORTS.get(scheme)} else host


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _plain(peer: str) -> str:
    address = _address(peer)
    return peer if address is None else str(address)


def _address(text: str) -> Address | None:
    """An address in any of the ways that peers and proxies write it."""
    text = text.strip(" \t")
    if (with_port := _WITH_PORT.fullmatch(text)) is not None:
        text = with_port["bracketed"] or with_port["plain"] or ""
    # ipaddress takes any text as a zone, line ends too; no network has a zone either.
    text, _, _ = text.partition("%")
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _network(word: str) -> Network:
    try:
        network = ip_network(word)
    except ValueError:
        network = None
    if network is None or "%" in word:  # a zone is a matter of this machine, and no part of a network
        raise ValueError(f"{word!r} is no IP address, and no network with its host bits zero.")
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_PREFIX:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_PREFIX))
    return network
