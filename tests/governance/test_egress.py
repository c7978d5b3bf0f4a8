"""Requests to addresses that others chose: what is refused, in every spelling, and that nothing is asked twice."""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from governance import egress
from governance.egress import EgressRefused, Guard, ReceiverAway, check_url, exchange
from tests.support.receiver import receiving

LOOPBACK = Guard(("127.0.0.0/8",))

INNER = [
    "127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "017700000001", "0x7f.1", "[::1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "100.64.0.1", "169.254.169.254", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "0.0.0.0", "0", "[::]",
    "224.0.0.1", "[ff02::1]", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "[2001:db8::1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::127.0.0.1]", "[fec0::1]", "100.100.100.200",
    "192.0.0.192",
]  # fmt: skip
"""Addresses that are nobody's outside, or lead inside, spelled as attackers spell them."""


@pytest.mark.parametrize("host", INNER)
def test_an_inner_address_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(EgressRefused):
        check_url(f"https://{host}/hook", Guard())


@pytest.mark.parametrize("host", INNER)
def test_an_inner_address_is_refused_again_when_the_connection_is_made(host: str) -> None:
    """What ``check_url`` lets by for want of the name's addresses meets the same rule at the socket."""
    backend = egress._GuardedBackend(Guard(), secure=True, until=time.monotonic() + 1)
    with pytest.raises(EgressRefused):
        backend.connect_tcp(host.strip("[]"), 443)


@pytest.mark.parametrize(
    "url",
    [
        "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://user:pw@hooks.example/", "https://hooks.example/#x",
        "https://hooks.example\\@127.0.0.1/", "https://hooks.example/ x", "https://hooks.example/\n",
        "ftp://hooks.example/", "file:///etc/passwd", "https:///path", "https://[::1", "https://hooks.example:0/",
        "https://hooks.example:99999/", "gopher://127.0.0.1:6379/_x", "//hooks.example/", "", "http://hooks.example/",
        "https://" + "a" * 2100 + ".example/",
    ],
)  # fmt: skip
def test_a_url_that_is_not_plainly_https_to_a_host_is_refused(url: str) -> None:
    with pytest.raises(EgressRefused):
        check_url(url, Guard())


@given(url=st.text(max_size=60) | st.text(max_size=20).map(lambda rest: f"https://{rest}"))
def test_any_text_is_a_url_or_refused(url: str) -> None:
    with contextlib.suppress(EgressRefused):
        assert check_url(url, Guard()).scheme == "https"


@given(address=st.ip_addresses())
def test_no_address_without_a_world_of_its_own_is_admitted(address: Any) -> None:
    if Guard().admits("hooks.example", address, secure=True):
        plain = getattr(address, "ipv4_mapped", None) or address
        assert plain.is_global
        assert not plain.is_private
        assert not plain.is_multicast
        assert not plain.is_link_local


def test_without_tls_only_what_the_operator_named_is_reached() -> None:
    public = ipaddress.ip_address("93.184.216.34")
    assert Guard().admits("hooks.example", public, secure=True)
    assert not Guard().admits("hooks.example", public, secure=False)
    assert Guard(("hooks.example",)).admits("HOOKS.example", public, secure=False)


def test_metadata_services_are_refused_even_where_everything_is_allowed() -> None:
    everything = Guard(("0.0.0.0/0", "::/0", "metadata.example"))
    for address in ("169.254.169.254", "fd00:ec2::254", "fe80::1", "224.0.0.1", "::ffff:169.254.169.254"):
        assert not everything.admits("metadata.example", ipaddress.ip_address(address), secure=True)


def test_a_block_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(EgressRefused):
        Guard(("10.0.0.1/8",))


def test_what_the_operator_allowed_is_reached_and_its_body_is_read_as_far_as_asked() -> None:
    with receiving() as receiver:
        answer = exchange("POST", f"{receiver.url}/x?y=1", LOOPBACK, headers={"A": "b"}, content=b"hello", most_bytes=5)
        assert (answer.status, answer.body) == (200, b"inner")
        assert exchange("GET", receiver.url, LOOPBACK, headers={}).body == b""
    first = receiver.received[0]
    assert (first.method, first.path, first.headers["a"], first.body) == ("POST", "/x?y=1", "b", b"hello")


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiving() as inner, receiving() as receiver:
        receiver.answer, receiver.headers = 302, {"Location": inner.url}
        assert exchange("POST", receiver.url, LOOPBACK, headers={}).status == 302
        assert inner.received == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        exchange("POST", receiver.url, LOOPBACK, headers={})
        assert (len(proxy.received), len(receiver.received)) == (0, 1)


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer would lead inside, and nobody asks for it."""
    asked: list[str] = []
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])

        def resolve(host: str, *arguments: Any, **options: Any) -> Any:
            if options.get("flags") == socket.AI_NUMERICHOST or host == "127.0.0.1":
                return real(host, *arguments, **options)
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *arguments, **options)

        real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert exchange("POST", f"http://rebinding.example:{port}/", LOOPBACK, headers={}).status == 200
    assert asked == ["rebinding.example"]
    assert receiver.received[0].headers["host"] == f"rebinding.example:{port}"


def test_a_name_with_one_inner_address_among_its_addresses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]

    def resolve(*_: Any, **options: Any) -> Any:
        if options.get("flags") == socket.AI_NUMERICHOST:
            raise socket.gaierror
        return both

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(EgressRefused):
        exchange("POST", "https://mixed.example/", Guard(), headers={})


def test_nobody_there_is_a_fault_that_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ReceiverAway):
        exchange("POST", f"http://127.0.0.1:{port}/", LOOPBACK, headers={})


def test_a_receiver_that_drips_its_answer_holds_nobody_longer_than_the_limit() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                for _ in range(100):
                    connection.sendall(b"H")
                    time.sleep(0.05)
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    start = time.monotonic()
    with pytest.raises(ReceiverAway):
        exchange("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", LOOPBACK, headers={}, timeout_seconds=0.4)
    assert time.monotonic() - start < 2
    thread.join()
    listener.close()


def certified(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for ``name`` that is its own authority, and its key, as files."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_the_certificate_must_be_for_the_name_though_the_connection_goes_to_an_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, key = certified(tmp_path, "hooks.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    real = socket.getaddrinfo

    def resolve(host: str, *arguments: Any, **options: Any) -> Any:
        numeric = options.get("flags") == socket.AI_NUMERICHOST
        return real(host if numeric or host == "127.0.0.1" else "127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with receiving(context) as receiver:
        port = receiver.url.rpartition(":")[2]
        answer = exchange("POST", f"https://hooks.example:{port}/", LOOPBACK, headers={}, content=b"told")
        assert (answer.status, receiver.received[0].body) == (200, b"told")
        with pytest.raises(ReceiverAway):
            exchange("POST", f"https://others.example:{port}/", LOOPBACK, headers={}, content=b"told")
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(ReceiverAway):
            exchange("POST", f"https://hooks.example:{port}/", LOOPBACK, headers={}, content=b"told")
    assert len(receiver.received) == 1


def test_a_certificate_that_nobody_trusts_ends_the_exchange() -> None:
    """A plain server where TLS is spoken: the handshake fails before a byte of the request is sent."""
    with receiving() as receiver:
        with pytest.raises(ReceiverAway):
            exchange("POST", receiver.url.replace("http:", "https:"), LOOPBACK, headers={}, content=b"secret")
        assert all(b"secret" not in request.body for request in receiver.received)
