"""What ``assay serve`` listens on."""

import socket

from governance.cli.server import listen


def test_an_answer_in_two_writes_is_not_held_back() -> None:
    listener = listen("127.0.0.1", 0)
    with listener, socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
