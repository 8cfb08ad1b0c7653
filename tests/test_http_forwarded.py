"""
``fileserve.http.forwarded``: who is believed about whom.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.forwarded import (
    Network,
    believed,
    client_address,
    forwarded_origin,
    parse_networks,
)

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

TRUSTED = parse_networks("10.0.0.0/8, 192.0.2.1, fd00::/8")

proxies = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8")
clients = st.ip_addresses(network="203.0.113.0/24") | st.ip_addresses(network="2001:db8::/32")
junk = st.text(max_size=20) | st.sampled_from(
    ("unknown", "_hidden", "10.0.0.1", "127.0.0.1, 10.0.0.1", ",", "%")
)


@st.composite
def written(draw: st.DrawFn, addresses: st.SearchStrategy[object]) -> str:
    """An address in one of the ways that proxies write it."""
    address = str(draw(addresses))
    forms = ("[{}]", "[{}]:99", "{}", " {}\t") if ":" in address else ("{}", "{}:5678", "::ffff:{}", " {}\t")
    return draw(st.sampled_from(forms)).format(address)


class ParseNetworksTests(SynchronousTestCase):
    """The networks of the command line."""

    def test_separators(self) -> None:
        """Commas and white space separate; an address alone is a network of one; nothing is nothing."""
        expected: tuple[Network, ...] = (
            IPv4Network("10.0.0.0/8"),
            IPv4Network("127.0.0.1/32"),
            IPv6Network("::1/128"),
        )
        for text in (
            "10.0.0.0/8,127.0.0.1,::1",
            " 10.0.0.0/8 127.0.0.1\n::1 ",
            "10.0.0.0/8 , 127.0.0.1,, ::1/128,",
        ):
            self.assertEqual(parse_networks(text), expected, text)
        for text in ("", "  ", ","):
            self.assertEqual(parse_networks(text), (), text)

    def test_mapped(self) -> None:
        """A network of mapped IPv4 addresses is one of IPv4 addresses, as which they are compared."""
        self.assertEqual(parse_networks("::ffff:10.0.0.0/104"), (IPv4Network("10.0.0.0/8"),))

    def test_bad(self) -> None:
        """The first bad one is named in one sentence."""
        for bad in (
            "localhost",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "1.2.3",
            "010.0.0.1",
            "fe80::1%eth0",
            "*",
            "fe80::/a",
        ):
            error = self.assertRaises(ValueError, parse_networks, f"127.0.0.1, {bad}, worse")
            self.assertEqual(str(error), f"'{bad}' is no IP address, and no network with its host bits zero.")

    @patient
    @given(st.lists(st.ip_addresses(v=4)), st.sampled_from((", ", " ", ",", "\n")))
    def test_reads_what_ipaddress_writes(self, addresses: list[object], separator: str) -> None:
        """Addresses are read in the order they stand."""
        text = separator.join(map(str, addresses))
        self.assertEqual(parse_networks(text), tuple(ip_network(str(address)) for address in addresses))


class BelievedTests(SynchronousTestCase):
    """Whose word about protocol and host counts."""

    def test_peers(self) -> None:
        """A UNIX socket and the trusted networks are believed, nobody else."""
        for peer in (None, "10.1.2.3", "192.0.2.1", "::ffff:10.1.2.3", "fd00::1", "fd00::1%eth0"):
            self.assertTrue(believed(peer, TRUSTED), peer)
        for peer in ("192.0.2.2", "127.0.0.1", "::1", "::ffff:127.0.0.1", "", "localhost", "10.1.2.3.4"):
            self.assertFalse(believed(peer, TRUSTED), peer)

    def test_nobody_trusted(self) -> None:
        """Without trusted networks only a UNIX socket is believed."""
        self.assertTrue(believed(None, ()))
        self.assertFalse(believed("127.0.0.1", ()))


class ClientAddressTests(SynchronousTestCase):
    """The walk through ``X-Forwarded-For``."""

    def test_table(self) -> None:
        """The client is the first from the right that no trusted address vouches for."""
        for peer, forwarded_for, client in (
            # nobody forwards
            ("203.0.113.7", [], "203.0.113.7"),
            ("10.0.0.1", [], "10.0.0.1"),
            (None, [], "unix"),
            (None, [""], "unix"),
            # an untrusted peer is not believed
            ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
            # one proxy, then two; what the client itself wrote does not count
            ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
            (None, ["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", ["203.0.113.7", "10.0.0.3", "10.0.0.2"], "203.0.113.7"),
            # a client inside the trusted networks
            ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            # junk ends the walk
            ("10.0.0.1", ["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", ["unknown"], "10.0.0.1"),
            (None, ["unknown"], "unix"),
            # empty elements do not count
            ("10.0.0.1", ["203.0.113.7, , ,", ""], "203.0.113.7"),
            # no address
            ("somewhere", ["203.0.113.7"], "somewhere"),
        ):
            self.assertEqual(client_address(peer, forwarded_for, TRUSTED), client, (peer, forwarded_for))

    def test_spellings(self) -> None:
        """Ports, brackets and zones are left out; a mapped IPv4 address is an IPv4 address."""
        for text, client in (
            ("1.2.3.4:5678", "1.2.3.4"),
            ("[::1]:99", "::1"),
            ("[::1]", "::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
            ("fe80::1%eth0", "fe80::1"),
            ("\t1.2.3.4 ", "1.2.3.4"),
        ):
            self.assertEqual(client_address(None, [text], ()), client, text)
            self.assertEqual(client_address(text, [], ()), client, text)

    def test_no_addresses(self) -> None:
        """What is only like an address is junk."""
        for text in (
            "1.2.3", "1.2.3.4.5", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:123456", "256.1.1.1", "01.2.3.4",
            "1.2.3.4/8", "[::1", "::1]", "[]", "[]:80", "[::1]x", "[[::1]]", '"1.2.3.4"', "for=1.2.3.4",
            "1.2.3.4 5", "16909060", "\uff11.2.3.4", "1.2.3.4\n", ":80", "%", "[::1]:٩",
        ):  # fmt: skip
            self.assertEqual(client_address(None, [text], ()), "unix", text)

    def test_mapped_proxy(self) -> None:
        """A proxy that reaches us over IPv6 from an IPv4 address is trusted as that."""
        self.assertEqual(client_address("::ffff:10.0.0.1", ["203.0.113.7"], TRUSTED), "203.0.113.7")

    @patient
    @given(
        st.lists(junk, max_size=3),
        written(clients),
        st.lists(written(proxies), max_size=3),
        st.none() | written(proxies),
        st.data(),
    )
    def test_forgery_changes_nothing(
        self, forged: list[str], client: str, through: list[str], peer: str | None, draw: st.DataObject
    ) -> None:
        """Whatever a client wrote into the header, and however proxies split it, the client is the client."""
        honest = client_address(client, [], ())
        self.assertEqual(str(ip_address(honest)), honest)
        elements = [*forged, client, *through]
        cut = draw.draw(st.integers(0, len(elements)))
        headers = [",".join(elements[:cut]), ", ".join(elements[cut:])]
        self.assertEqual(client_address(peer, headers, TRUSTED), honest)

    @patient
    @given(st.lists(st.text() | junk | written(clients | proxies)), st.none() | written(clients | proxies))
    def test_only_addresses_come_out(self, headers: list[str], peer: str | None) -> None:
        """Nothing but an address in its shortest form, or ``unix``, can reach a log."""
        client = client_address(peer, headers, TRUSTED)
        if client != "unix":
            self.assertEqual(str(ip_address(client)), client)


class ForwardedOriginTests(SynchronousTestCase):
    """The origin under which the client knows us."""

    def test_direct(self) -> None:
        """Without a proxy it is the connection's own, spelt as browsers spell it."""
        for ours, origin in (
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://Files.Example:80", "http://files.example"),
            ("https://files.example:443", "https://files.example"),
            ("https://files.example:80", "https://files.example:80"),
            ("http://files.example:443", "http://files.example:443"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://files.example:", "http://files.example"),
        ):
            self.assertEqual(forwarded_origin("203.0.113.7", ours, [], [], ()), origin)

    def test_table(self) -> None:
        """What a trusted proxy says last counts, and nothing that is no scheme or no host."""
        ours = "http://10.0.0.9:8080"
        for peer, proto, host, origin in (
            # not believed
            ("203.0.113.7", ["https"], ["evil.example"], ours),
            # believed: a UNIX socket, a trusted network; each header alone
            (None, ["https"], ["files.example"], "https://files.example"),
            ("10.0.0.1", ["https"], ["files.example"], "https://files.example"),
            ("::ffff:10.0.0.1", ["HTTPS"], ["Files.Example:443"], "https://files.example"),
            ("10.0.0.1", ["https"], [], "https://10.0.0.9:8080"),
            ("10.0.0.1", [], ["files.example:8443"], "http://files.example:8443"),
            ("10.0.0.1", ["https"], ["[2001:db8::1]:444"], "https://[2001:db8::1]:444"),
            # the proxy next to us speaks last
            ("10.0.0.1", ["http, https"], ["evil.example, files.example"], "https://files.example"),
            ("10.0.0.1", ["https", "http"], ["evil.example", "files.example"], "http://files.example"),
            ("10.0.0.1", [" https\t, ,"], ["files.example,"], "https://files.example"),
            # junk
            ("10.0.0.1", ["wss"], ["a/b"], ours),
            ("10.0.0.1", ["https://"], ["user@evil.example"], ours),
            ("10.0.0.1", [""], [""], ours),
            ("10.0.0.1", ["x"], ["files.example:99999999"], ours),
            ("10.0.0.1", ["x"], ["a b"], ours),
        ):
            self.assertEqual(forwarded_origin(peer, ours, proto, host, TRUSTED), origin, (peer, proto, host))

    @patient
    @given(st.lists(st.text()), st.lists(st.text()), st.none() | written(clients | proxies))
    def test_only_an_origin_comes_out(self, proto: list[str], host: list[str], peer: str | None) -> None:
        """Whatever the headers hold, the result is one word of a scheme and a host."""
        origin = forwarded_origin(peer, "http://here:8080", proto, host, TRUSTED)
        self.assertRegex(origin, r"\Ahttps?://[!-.0-9:;=A-\[\]_a-z~]+\Z")

    @patient
    @given(
        st.sampled_from(["http", "https"]),
        st.sampled_from(["files.example", "127.0.0.1", "[::1]"]),
        st.sampled_from(["", ":80", ":443", ":8080"]),
    )
    def test_same_however_known(self, scheme: str, host: str, port: str) -> None:
        """It does not matter whether we know it from the connection or from a proxy."""
        direct = forwarded_origin("203.0.113.7", f"{scheme}://{host}{port}", [], [], TRUSTED)
        proxied = forwarded_origin(None, "http://unix", [scheme], [host + port], TRUSTED)
        self.assertEqual(proxied, direct)
