"""Binds the server's sockets before anything else starts, so that a taken port is reported at once.

The sockets start to listen later (``infra.server.server``), when requests can be answered.
"""

import socket

from infra.http.authenticator import is_loopback


class NotHere(ValueError):
    """The server must not listen on this address; the message says why and what to do."""


class NotFree(Exception):
    """The address is taken or cannot be used; the message says what to do."""


def bind(host: str, port: int) -> list[socket.socket]:
    """Return a bound socket for each address of ``host``; port 0 picks a free one. The caller closes them.

    NotHere: without configured users, the server serves only this machine. NotFree: the address cannot be used.
    """
    if not is_loopback(host):
        raise NotHere(
            f"{host} can be reached from other machines, but no users are configured. Listen on 127.0.0.1, and put a "
            "proxy that checks users in front of it."
        )
    bound: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            each = socket.socket(family, kind, protocol)
            bound.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # allows a restart right after the last process
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind(address)
    except OSError as wrong:
        for each in bound:
            each.close()
        raise NotFree(
            f"{host}:{port} cannot be listened on ({wrong.strerror or wrong}); choose another --port"
        ) from None
    return bound
