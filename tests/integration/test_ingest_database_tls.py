"""Encrypted connections to real servers with certificates made here: the right authority and name are needed, and nothing less."""

import datetime as dt
import ipaddress
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ingest.database import DatabaseBot
from lake.errors import UsageError
from local import mariadb, postgresql
from tests.integration.conftest import Server, server
from tests.integration.databases import owner
from tests.integration.test_ingest_database_chunks import Database, read


@dataclass(frozen=True)
class Proofs:
    """An authority, a server's certificate that it signed for one name, and an authority that signed nothing."""

    ca: Path
    other_ca: Path
    certificate: Path
    key: Path


def certificate(name: str, issuer: Any, names: list[x509.GeneralName]) -> tuple[Any, Any]:
    """A certificate with its key; signed by the issuer, or an authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names:
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return built.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def proofs_in(folder: Path, names: list[x509.GeneralName]) -> Proofs:
    authority, other = certificate("authority", None, []), certificate("another", None, [])
    signed, key = certificate("server", authority, names)
    found = Proofs(folder / "ca.pem", folder / "other.pem", folder / "server.pem", folder / "server.key")
    for path, (proof, _) in ((found.ca, authority), (found.other_ca, other), (found.certificate, (signed, None))):
        path.write_bytes(proof.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    found.key.write_bytes(key.private_bytes(*form))
    return found


LOOPBACK = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
ELSEWHERE: list[x509.GeneralName] = [x509.DNSName("db.example.com")]


@dataclass
class Encrypted:
    """A database whose server proves itself by `proofs`."""

    database: Database
    proofs: Proofs

    def tables(self, folder: Path, **tls: Any) -> int:
        return len(read(self.database.source(table=None, query="select 1 as id", tls=tls), folder))


def mysql_with(proofs: Proofs, folder: Path) -> Server:
    words = [f"--ssl-cert={proofs.certificate}", f"--ssl-key={proofs.key}"]
    facts = {name: getattr(mariadb, name) for name in dir(mariadb) if not name.startswith("_")}
    running = server(SimpleNamespace(**{**facts, "command": lambda *given: [*mariadb.command(*given), *words]}), folder)
    running.start()
    mariadb.provision(running.settings, running.state)
    with owner(running) as connection:
        connection.query("alter user shop_reader@'127.0.0.1' require ssl")
    return running


def postgresql_with(proofs: Proofs, folder: Path) -> Server:
    running = server(postgresql, folder)
    postgresql.prepare(running.settings, running.state)
    data = postgresql.data_folder(running.settings)
    for path, name in ((proofs.certificate, "server.crt"), (proofs.key, "server.key")):
        target = Path(shutil.copy(path, data / name))
        os.chown(target, data.stat().st_uid, data.stat().st_gid)
        target.chmod(0o600)
    with (data / "postgresql.conf").open("a") as file:
        file.write("ssl = on\n")
    running.start()
    postgresql.provision(running.settings, running.state)
    return running


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def encrypted(request: pytest.FixtureRequest) -> Iterator[Encrypted]:
    """A server whose certificate is for 127.0.0.1."""
    yield from _encrypted(request.param, LOOPBACK)


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Encrypted]:
    """A server whose certificate is for another host."""
    yield from _encrypted(request.param, ELSEWHERE)


def _encrypted(engine: str, names: list[x509.GeneralName]) -> Iterator[Encrypted]:
    with tempfile.TemporaryDirectory(prefix="tls-") as folder:
        proofs = proofs_in(Path(folder), names)
        running = (mysql_with if engine == "mysql" else postgresql_with)(proofs, Path(folder))
        (url,) = running.module.variables(running.state).values()
        yield Encrypted(Database(engine, running, lambda words: None, url), proofs)
        running.stop()
        if engine == "postgresql":
            shutil.rmtree(postgresql.home_folder(running.settings), ignore_errors=True)


def test_a_server_proven_by_its_authority_and_name_is_read(encrypted: Encrypted, tmp_path: Path) -> None:
    assert encrypted.tables(tmp_path, ca=str(encrypted.proofs.ca)) == 1
    assert encrypted.tables(tmp_path, mode="verify_ca", ca=str(encrypted.proofs.ca)) == 1


def test_the_rows_come_encrypted(encrypted: Encrypted, tmp_path: Path) -> None:
    shown = {
        "mysql": "select variable_value as id from information_schema.session_status where variable_name = 'Ssl_cipher'",
        "postgresql": "select cipher as id from pg_stat_ssl where pid = pg_backend_pid()",
    }[encrypted.database.engine]
    source = encrypted.database.source(table=None, query=shown, tls={"ca": str(encrypted.proofs.ca)})
    import pyarrow.parquet as pq

    (part,) = DatabaseBot(source, {}).originals(_visit(tmp_path))
    assert "AES" in pq.read_table(part.path).column("id")[0].as_py()


def _visit(folder: Path) -> Any:
    from tests.integration.test_ingest_database_chunks import visit

    return visit(folder)


def test_another_authority_is_refused(encrypted: Encrypted, tmp_path: Path) -> None:
    for mode in ("verify_identity", "verify_ca"):
        with pytest.raises(UsageError, match="got a certificate that does not prove the server"):
            encrypted.tables(tmp_path, mode=mode, ca=str(encrypted.proofs.other_ca))


def test_the_systems_authorities_do_not_prove_a_certificate_made_at_home(encrypted: Encrypted, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got a certificate that does not prove the server"):
        encrypted.tables(tmp_path, mode="verify_identity")


def test_another_host_name_is_refused_unless_only_the_authority_counts(elsewhere: Encrypted, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got a certificate that does not prove the server"):
        elsewhere.tables(tmp_path, ca=str(elsewhere.proofs.ca))
    assert elsewhere.tables(tmp_path, mode="verify_ca", ca=str(elsewhere.proofs.ca)) == 1


def test_a_server_without_encryption_is_refused(shop_database: Server, postgres_database: Server, tmp_path: Path) -> None:
    proofs = proofs_in(tmp_path, LOOPBACK)
    for engine, running in (("mysql", shop_database), ("postgresql", postgres_database)):
        (url,) = running.variables.values()
        plain = Encrypted(Database(engine, running, lambda words: None, url), proofs)
        with pytest.raises(UsageError, match="tls"):
            plain.tables(tmp_path, ca=str(proofs.ca))


def test_an_authority_that_is_no_file_of_certificates_is_named(encrypted: Encrypted, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tls"):
        encrypted.tables(tmp_path, ca=str(tmp_path / "nothing.pem"))
