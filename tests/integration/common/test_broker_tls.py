"""TLS to the broker and the cache: the server is verified, whatever kombu and redis-py do by default."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from common.bus.celery_app import create_celery
from common.core.settings import BusSettings, TlsSettings
from deploy.certificates import Authority, Certificate
from services.gateway.scripts import ScriptRunner
from tests.support.scripted_server import Peer, ScriptedServer

HOSTS = ["127.0.0.1"]
Connect = Callable[[int, TlsSettings], None]


def by_celery_to_redis(port: int, tls: TlsSettings) -> None:
    _connect(f"rediss://127.0.0.1:{port}/0", tls)


def by_celery_to_rabbitmq(port: int, tls: TlsSettings) -> None:
    _connect(f"amqps://user:password@127.0.0.1:{port}//", tls)


def by_the_gateway_to_redis(port: int, tls: TlsSettings) -> None:
    ScriptRunner(f"rediss://127.0.0.1:{port}/1", {}, pool_size=1, timeout_seconds=5, tls=tls).ping()


def _connect(url: str, tls: TlsSettings) -> None:
    settings = BusSettings(broker_url=SecretStr(url), **dict(tls))
    create_celery("checks", settings).connection_for_write().ensure_connection(max_retries=1, timeout=5)


@pytest.fixture(params=[by_celery_to_redis, by_celery_to_rabbitmq, by_the_gateway_to_redis])
def connect(request: pytest.FixtureRequest) -> Connect:
    found: Connect = request.param
    return found


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("test CA")


def _files(folder: Path, name: str, issued: Certificate) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(issued.certificate)
    key.write_bytes(issued.key)
    return certificate, key


def _server(folder: Path, issued: Certificate, clients_of: Authority) -> ScriptedServer:
    """Return a server that takes note of what arrives through TLS, and requires a certificate of its clients."""

    def script(peer: Peer) -> None:
        peer.server.requests.append(peer._connection.recv(1))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_files(folder, "server", issued))
    context.load_verify_locations(cadata=clients_of.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    return ScriptedServer(script, tls=context)


def _settings(folder: Path, authority: Authority) -> TlsSettings:
    ca = folder / "ca.pem"
    ca.write_bytes(authority.pem)
    certificate, key = _files(folder, "client", authority.issue("checks", []))
    return TlsSettings(tls_ca=ca, tls_cert=certificate, tls_key=key)


#: What the clients raise if the server closes the connection or is not trusted.
FAILURES = (OSError, redis.RedisError, Exception)


def test_server_of_the_own_ca_is_sent_to(connect: Connect, tmp_path: Path, authority: Authority) -> None:
    with _server(tmp_path, authority.issue("broker", HOSTS), authority) as server:
        with pytest.raises(FAILURES):  # it closes the connection after the first byte
            connect(server.port, _settings(tmp_path, authority))
        assert server.requests
        assert all(server.requests)


@pytest.mark.parametrize("hosts", [["127.0.0.2"], ["broker.example"]])
def test_server_with_another_name_is_sent_nothing(
    connect: Connect, tmp_path: Path, authority: Authority, hosts: list[str]
) -> None:
    with _server(tmp_path, authority.issue("broker", hosts), authority) as server:
        with pytest.raises(FAILURES, match=r"certificate verify failed|mismatch"):
            connect(server.port, _settings(tmp_path, authority))
        assert not any(server.requests)


def test_server_of_another_ca_is_sent_nothing(connect: Connect, tmp_path: Path, authority: Authority) -> None:
    foreign = Authority.create("foreign CA")
    with _server(tmp_path, foreign.issue("broker", HOSTS), authority) as server:
        with pytest.raises(FAILURES, match="certificate verify failed"):
            connect(server.port, _settings(tmp_path, authority))
        assert not any(server.requests)


def test_without_a_ca_those_of_the_machine_are_trusted(connect: Connect, tmp_path: Path, authority: Authority) -> None:
    with _server(tmp_path, authority.issue("broker", HOSTS), authority) as server:
        with pytest.raises(FAILURES, match="certificate verify failed"):
            connect(server.port, TlsSettings())
        assert not any(server.requests)
