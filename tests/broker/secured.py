"""A broker that authenticates its clients: SCRAM over TLS, client certificates, and ACLs. With a door for the tests.

Its listeners are SASL_SSL (users with passwords), SSL (client certificates) and PLAINTEXT, where everybody may do
everything: tests make topics, users and ACLs there, and only there.
"""

import datetime
import ipaddress
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)

from infra.addresses.kafka import Security
from tests.broker.local import LocalCluster, free_port

MECHANISM: Final = "SCRAM-SHA-256"
PASSWORD: Final = "correct horse battery staple"
_KINDS = {"Topic": ResourceType.TOPIC, "Group": ResourceType.GROUP, "Cluster": ResourceType.CLUSTER,
          "TransactionalId": ResourceType.TRANSACTIONAL_ID}  # fmt: skip
_OPERATIONS = {"Read": ACLOperation.READ, "Write": ACLOperation.WRITE, "Create": ACLOperation.CREATE,
               "Describe": ACLOperation.DESCRIBE, "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
               "IdempotentWrite": ACLOperation.IDEMPOTENT_WRITE}  # fmt: skip


@dataclass(frozen=True)
class Allowed:
    """One ACL: who may do what. ``name`` ends with ``*`` where it is a prefix."""

    kind: str
    name: str
    operation: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}"

    def acl(self, principal: str) -> ACL:
        prefixed = self.name.endswith("*")
        form = ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL
        name = "kafka-cluster" if self.kind == "Cluster" else self.name.rstrip("*")
        return ACL(
            principal, "*", _OPERATIONS[self.operation], ACLPermissionType.ALLOW,
            ResourcePattern(_KINDS[self.kind], name, form),
        )  # fmt: skip


class SecuredBroker:
    """Ready when it is made. Close it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.sasl_port, self.ssl_port = free_port(), free_port()
        self.authority = _Authority("tests of rescind")
        self.ca_file = _written(folder / "ca.pem", self.authority.certificate)
        own = _written(folder / "broker.pem", *self.authority.signed("broker"))
        where = "127.0.0.1"
        jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        self._cluster = LocalCluster(
            1,
            {
                "super.users": "User:ANONYMOUS",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,CERT:SSL",
                "inter.broker.listener.name": "PLAINTEXT",
                "sasl.enabled.mechanisms": MECHANISM,
                "listener.name.sasl.scram-sha-256.sasl.jaas.config": jaas,
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": own,
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.ca_file,
                "listener.name.cert.ssl.client.auth": "required",
            },
            listeners={"SASL": self.sasl_port, "CERT": self.ssl_port},
        )
        self.admin: Any = KafkaAdminClient(bootstrap_servers=self._cluster.servers, reconnect_backoff_max_ms=200)
        self.open_servers = self._cluster.servers
        """Access for everybody to everything."""
        self.sasl_servers, self.ssl_servers = f"{where}:{self.sasl_port}", f"{where}:{self.ssl_port}"

    def close(self) -> None:
        self.admin.close()
        self._cluster.close()

    def user(self, name: str) -> Security:
        """A new user, who may do nothing yet."""
        self.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, MECHANISM, PASSWORD)])
        return Security("SASL_SSL", "SCRAM-SHA-256", name, PASSWORD, self.ca_file)

    def bearer(self, name: str) -> Security:
        """Access with a certificate of this name. The principal is ``User:CN=NAME``."""
        chain, key = self.authority.signed(name)
        certificate = _written(self.folder / f"{name}.pem", chain)
        return Security("SSL", ca_file=self.ca_file, certificate_file=certificate,
                        key_file=_written(self.folder / f"{name}.key", key))  # fmt: skip

    def allow(self, principal: str, allowed: Iterable[Allowed]) -> None:
        self.admin.create_acls([each.acl(principal) for each in allowed])

    def forbid(self, principal: str) -> None:
        """Take all ACLs of somebody away."""
        every = ResourcePattern(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        self.admin.delete_acls([ACLFilter(principal, "*", ACLOperation.ANY, ACLPermissionType.ANY, every)])


class _Authority:
    """Signs certificates that are good for 127.0.0.1."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.certificate = self._certificate.public_bytes(serialization.Encoding.PEM)

    def signed(self, name: str) -> tuple[bytes, bytes]:
        """A certificate and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._sign(subject, key, x509.BasicConstraints(ca=False, path_length=None))
        plain = serialization.NoEncryption()
        return (
            made.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
        )

    def _sign(self, subject: x509.Name, key: Any, constraints: x509.BasicConstraints) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(constraints, critical=True)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _written(path: pathlib.Path, *parts: bytes) -> str:
    path.touch(0o600)
    path.write_bytes(b"".join(parts))
    return str(path)
