"""Mail over SMTP, to a real server: with and without encryption and login, refused for now and for good, broken off."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from consumers.ports.notifications import PostRefused, PostUnavailable, PostUnsure
from infra.addresses.smtp import SmtpAt, Tls
from infra.notifications.mail.smtp import SmtpPost
from tests.integration.notifications.test_building import MAIL, SENDER, lines


class Inbox:
    """A server's behavior with mail: it answers as set, else it stores the mail."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.rcpt = self.data = ""
        self.breaks_off = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.data:
            return self.data
        self.taken.append(envelope)
        if self.breaks_off:
            assert server.transport is not None
            server.transport.close()
        return "250 taken"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


Serve = Callable[..., tuple[Inbox, int]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Controller] = []

    def start(**options: Any) -> tuple[Inbox, int]:
        inbox = Inbox()
        port = free_port()
        controller = Controller(inbox, hostname="127.0.0.1", port=port, server_hostname="localhost", **options)
        controller.start()
        running.append(controller)
        return inbox, port

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("tls")
    key, cert = place / "key.pem", place / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert)]
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return cert, key


def post(port: int, tls: Tls = "none", **more: Any) -> SmtpPost:
    return SmtpPost(SmtpAt("127.0.0.1", port, SENDER, tls, timeout=5, **more))


def test_a_mail_arrives_as_it_was_meant(serve: Serve) -> None:
    inbox, port = serve()
    post(port).hand_over(MAIL)
    [envelope] = inbox.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("orders@acme.example", [MAIL.to])
    parsed = message_from_bytes(envelope.content, policy=default)
    assert parsed["Subject"] == MAIL.subject
    text, _ = parsed.iter_parts()
    assert lines(text) == MAIL.text, "dots at the beginning of lines and all"
    assert post(port).has(MAIL.message_id) is None


@pytest.mark.parametrize(("where", "answer", "error"), [
    ("rcpt", "550 no such person", PostRefused),
    ("rcpt", "450 later", PostUnavailable),
    ("data", "554 not here", PostRefused),
    ("data", "451 later", PostUnavailable),
])  # fmt: skip
def test_the_code_of_a_refusal_decides_whether_it_is_permanent(
    serve: Serve, where: str, answer: str, error: type[Exception]
) -> None:
    inbox, port = serve()
    setattr(inbox, where, answer)
    with pytest.raises(error, match=answer[:3]):
        post(port).hand_over(MAIL)
    assert inbox.taken == []


def test_a_connection_that_breaks_off_before_the_answer_leaves_it_open(serve: Serve) -> None:
    inbox, port = serve()
    inbox.breaks_off = True
    with pytest.raises(PostUnsure):
        post(port).hand_over(MAIL)
    assert len(inbox.taken) == 1


def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    with pytest.raises(PostUnavailable, match="cannot be reached"):
        post(free_port()).hand_over(MAIL)


def test_the_way_is_encrypted_and_the_server_trusted_by_its_authority(
    serve: Serve, certificate: tuple[Path, Path]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    inbox, port = serve(tls_context=context, require_starttls=True)
    with pytest.raises(PostUnavailable, match="let us in"):
        post(port, "starttls").hand_over(MAIL)  # an authority that nobody knows
    with pytest.raises((PostRefused, PostUnavailable)):
        post(port, "none").hand_over(MAIL)
    assert inbox.taken == []
    post(port, "starttls", ca_file=str(certificate[0])).hand_over(MAIL)
    assert len(inbox.taken) == 1
    inbox, port = serve(ssl_context=context)
    post(port, "tls", ca_file=str(certificate[0])).hand_over(MAIL)
    assert len(inbox.taken) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_refused_login_does_not_reveal_the_password(serve: Serve) -> None:
    def judge(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == b"secret-7"
        return AuthResult(success=good, handled=good)

    inbox, port = serve(authenticator=judge, auth_required=True, auth_require_tls=False)
    with pytest.raises(PostUnavailable, match="login was refused") as refused:
        post(port, user="rescind", password="wrong-9").hand_over(MAIL)
    assert "wrong-9" not in str(refused.value) and inbox.taken == []
    good = post(port, user="rescind", password="secret-7")
    good.hand_over(MAIL)
    assert len(inbox.taken) == 1
    assert "secret-7" not in repr(SmtpAt("h", 1, SENDER, password="secret-7"))
