"""Where the server is to listen, taken before anything else is done: what cannot be had costs nothing then.

Bound here and listening later (``infra.server.server``): nobody gets through before requests are taken.
"""

import socket

from infra.http.authenticator import is_loopback


class NotHere(ValueError):
    """The server may not listen there; the message says why and what to do."""


class NotFree(Exception):
    """Somebody else listens there, or it cannot be listened on; the message says what to do."""


def bind(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of ``host``; port 0 takes a free one. The caller closes them.

    NotHere: without users configured only this machine may be served. NotFree.
    """
    if not is_loopback(host):
        raise NotHere(
            f"{host} can be reached from elsewhere, and no users are configured: listen on 127.0.0.1, and put what "
            "checks users in front of it"
        )
    bound: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            each = socket.socket(family, kind, protocol)
            bound.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that has just ended is in nobody's way
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind(address)
    except OSError as wrong:
        for each in bound:
            each.close()
        raise NotFree(
            f"{host}:{port} cannot be listened on ({wrong.strerror or wrong}): choose another --port"
        ) from None
    return bound
