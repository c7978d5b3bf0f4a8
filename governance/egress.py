"""Requests that the service itself sends to addresses that others chose: one guarded exchange, for all who need it.

The name is resolved once, every address it stands for is looked at, and the connection goes to the very address that
was looked at, so that a name which resolves otherwise the second time gains nothing. Redirects are not followed, and
proxies of the environment are not used: a proxy would resolve the name again.

Source: OWASP, Server-Side Request Forgery Prevention; IANA special-purpose address registries (RFC 6890).
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpcore

from governance.errors import AssayError, InputRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NEVER = tuple(
    ipaddress.ip_network(block)
    for block in ("0.0.0.0/32", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "100.100.100.200/32",
                  "192.0.0.192/32", "::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128")
)  # fmt: skip
"""Link-local, multicast and the metadata services of clouds: refused even where they are allowed by mistake."""

CARRIERS = tuple(
    ipaddress.ip_network(block)
    for block in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10")
)  # fmt: skip
"""Forms of IPv6 that carry an IPv4 address, which a gateway would unpack after we have looked."""

LONGEST_URL = 2048


class EgressRefused(InputRefused):
    """The address is one that the service does not connect to."""

    code = "egress.refused"
    title = "The service does not connect to this address"


class ReceiverAway(AssayError):
    """Nothing answered at an address outside, or not in time."""

    code = "egress.away"
    status = 502
    exit_code = 6
    title = "The address outside did not answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the first bytes of the body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Guard:
    """What the service may connect to: public addresses by TLS, and beside them what the operator named.

    ``allowed`` holds host names, addresses and blocks of addresses (``hooks.bank.example``, ``10.20.0.0/16``). What it
    names may be private, and may be reached without TLS.
    """

    allowed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an entry that looks like an address block and is none.

        Raises:
            EgressRefused: a block with bits beyond its length, or an impossible address.
        """
        for entry in self.allowed:
            if "/" in entry and _network(entry) is None:
                raise EgressRefused(
                    expected="a host name, an address or a block of addresses such as 10.20.0.0/16",
                    found=repr(entry[:80]),
                    remedy="Correct the setting of allowed hosts.",
                )

    def names(self, host: str) -> bool:
        """Whether the operator named this host itself."""
        return host.lower() in {entry.lower() for entry in self.allowed}

    def holds(self, address: Address) -> bool:
        """Whether the operator named this address or a block that it is in."""
        networks = [network for entry in self.allowed if (network := _network(entry)) is not None]
        return any(address.version == network.version and address in network for network in networks)

    def admits(self, host: str, address: Address, *, secure: bool) -> bool:
        """Whether the service may connect to ``address``, for which ``host`` stands."""
        plain = _unmapped(address)
        if _within(plain, NEVER) or (_within(plain, CARRIERS) and not plain.is_loopback):
            return False
        if self.names(host) or self.holds(plain):
            return True
        return secure and plain.is_global and not plain.is_reserved


def check_url(url: str, guard: Guard) -> SplitResult:
    """The parts of a URL that the service may send to, as far as can be told without asking for its name's addresses.

    Raises:
        EgressRefused: not https (or http where the operator named the host), credentials, a fragment, control
            characters, a port that cannot be, or an address in any spelling that the guard does not admit.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise _refused("a URL", str(fault)) from fault
    host = parts.hostname or ""
    if len(url) > LONGEST_URL or not url.isascii() or any(sign <= " " or sign in "\\\x7f" for sign in url):
        raise _refused("a URL of printable ASCII characters, the host in its xn-- form", f"{url[:80]!r}")
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise _refused("https:// and a host", f"{url[:80]!r}")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("a URL without user, password and fragment", "one with them")
    literal = _literal(host)
    secure = parts.scheme == "https"
    if literal is not None and not guard.admits(host, literal, secure=secure):
        raise _refused("a public address", f"{literal}, which is not, or not without TLS")
    if literal is None and not secure and not guard.allowed:
        raise _refused("https, since only hosts that the operator allows are reached without TLS", "http")
    return parts


def exchange(
    method: str,
    url: str,
    guard: Guard,
    *,
    headers: Mapping[str, str],
    content: bytes = b"",
    timeout_seconds: float = 10,
    most_bytes: int = 0,
) -> Answer:
    """One request and the first ``most_bytes`` of its answer; the rest is not read.

    ``timeout_seconds`` is for the whole exchange, however slowly its parts arrive. The certificate must be for the name
    in the URL and lead to an authority of the system (or of ``SSL_CERT_FILE``).

    Raises:
        EgressRefused: the URL, or an address that its host stands for, is not admitted.
        ReceiverAway: no address, no connection, no valid certificate, or no answer in time.
    """
    parts = check_url(url, guard)
    backend = _GuardedBackend(guard, secure=parts.scheme == "https", until=time.monotonic() + timeout_seconds)
    limits = dict.fromkeys(("connect", "read", "write", "pool"), timeout_seconds)
    sent = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=ssl.create_default_context(), network_backend=backend, retries=0
            ) as pool,
            pool.stream(method, url, headers=sent, content=content, extensions={"timeout": limits}) as answer,
        ):
            return Answer(answer.status, _first_bytes(answer.iter_stream(), most_bytes))
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as fault:
        raise ReceiverAway(
            expected=f"an answer from {parts.hostname}",
            found=type(fault).__name__,
            remedy="Check that the receiver listens there, with a certificate that this machine trusts.",
        ) from fault


def _first_bytes(chunks: Iterable[bytes], most: int) -> bytes:
    kept = b""
    while len(kept) < most and (chunk := next(iter(chunks), None)) is not None:
        kept += chunk
    return kept[:most]


class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were looked at, and to nothing by name."""

    def __init__(self, guard: Guard, *, secure: bool, until: float) -> None:
        self._guard = guard
        self._secure = secure
        self._until = until
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        addresses = _resolve(host, port)
        for address in addresses:
            # One that is refused spoils the name: it would be the one that is connected to the next time.
            if not self._guard.admits(host, address, secure=self._secure):
                raise _refused("a host whose addresses are all public", f"{host}, which stands for {address}")
        fault: Exception = httpcore.ConnectError("the host stands for no address")
        for address in addresses:
            try:
                left = _left(self._until, timeout)
                stream = self._plain.connect_tcp(str(address), port, left, local_address, socket_options)
                return _TimedStream(stream, self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                fault = failed
        raise fault


class _TimedStream(httpcore.NetworkStream):
    """A connection that ends at one instant: a receiver that sends a byte now and then cannot hold a worker."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._until, timeout))
        return _TimedStream(secured, self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float, timeout: float | None) -> float:
    """Seconds that one step may take; a thousandth where the time is up, since none would mean without end."""
    left = max(until - time.monotonic(), 0.001)
    return left if timeout is None else min(left, timeout)


def _resolve(host: str, port: int) -> list[Address]:
    """Every address that a name or a spelling of an address stands for, in the order of the resolver."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise httpcore.ConnectError(f"{host} stands for no address") from fault
    return list(dict.fromkeys(ipaddress.ip_address(each[4][0]) for each in found))


def _literal(host: str) -> Address | None:
    """The address that a host's spelling is, without asking anybody; None for a name. ``127.1`` is 127.0.0.1."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return ipaddress.ip_address(found[0][4][0])


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


def _refused(expected: str, found: str) -> EgressRefused:
    return EgressRefused(
        expected=expected,
        found=found,
        remedy="Name a public https address, or let the operator allow the host.",
        pointer="/url",
    )
