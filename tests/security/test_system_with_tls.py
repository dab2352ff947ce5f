"""A system of ``fastcheck up --tls`` works, and each kind of connection rejects clients without a certificate.

One system serves all tests. Skipped without stunnel, which the embedded servers need for TLS.
"""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg2
import pytest
import redis
import requests

from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpClient, TlsFiles
from deploy.certificates import Authority
from launcher.embedded.stunnel import installed
from launcher.ports import HOST
from tests.support.system import RunningSystem, fastcheck, running

pytestmark = pytest.mark.skipif(installed() is None, reason="no stunnel here (Debian: apt-get install stunnel4)")

#: The gateway's web process is behind the proxy.
INTERNAL = ("accounts-web", "balance-web", "checks-web", "payments-web", "webhooks-web", "gateway-web")
PUBLIC = ("gateway-proxy", "sandbox_bank-web")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    with running(tmp_path_factory.mktemp("tls") / "data", {}, "--tls") as started:
        yield started


@pytest.fixture(scope="module")
def trusted(system: RunningSystem) -> TlsFiles:
    folder = system.data_dir / "tls"
    return TlsFiles(folder / "ca.pem", folder / "operator.pem", folder / "operator.key")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, trusted: TlsFiles) -> TlsFiles:
    """A client that trusts the system's CA, with a certificate of another one."""
    folder = tmp_path_factory.mktemp("foreign")
    issued = Authority.create("FastCheck").issue("operator", [HOST])
    (folder / "operator.pem").write_bytes(issued.certificate)
    (folder / "operator.key").write_bytes(issued.key)
    (folder / "operator.key").chmod(0o600)
    return TlsFiles(trusted.ca, folder / "operator.pem", folder / "operator.key")


def _serves_plaintext(url: str) -> bool:
    connection = http.client.HTTPConnection(HOST, urlsplit(url).port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _status(url: str, files: TlsFiles) -> int:
    client = HttpClient(url, timeout_seconds=5, max_connections=1, tls=files)
    return client.request("GET", "/healthz", headers={}).status


def _with(url: str, **parameters: str) -> str:
    """Return the URL with these parameters; an empty one is removed."""
    parts = urlsplit(url)
    merged = {**dict(parse_qsl(parts.query)), **parameters}
    return urlunsplit(parts._replace(query=urlencode({name: value for name, value in merged.items() if value})))


def test_demo_passes(system: RunningSystem) -> None:
    arguments = ("--url", system.gateway_url, "--data-dir", str(system.data_dir), "--lifetime", "2")
    result = fastcheck("demo", *arguments, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "The books are right" in result.stdout


@pytest.mark.parametrize("name", INTERNAL)
def test_services_serve_certificates_of_the_system_only(
    system: RunningSystem, trusted: TlsFiles, foreign: TlsFiles, name: str
) -> None:
    url = system.url(name)
    assert url.startswith("https://")
    assert not _serves_plaintext(url)
    for files in (TlsFiles(trusted.ca), foreign):
        with pytest.raises(ServiceUnavailable):
            _status(url, files)
    assert _status(url, trusted) == 200


@pytest.mark.parametrize("name", PUBLIC)
def test_browsers_and_banks_need_the_ca_and_no_certificate(
    system: RunningSystem, trusted: TlsFiles, tmp_path: Path, name: str
) -> None:
    url = system.url(name)
    assert not _serves_plaintext(url)
    assert requests.get(f"{url}/healthz", verify=str(trusted.ca), timeout=10).status_code == 200
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.create("other").pem)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{url}/healthz", verify=str(other), timeout=10)


def test_postgresql_serves_certificates_of_the_system_only(system: RunningSystem, foreign: TlsFiles) -> None:
    url = system.postgres_url
    without = {"sslcert": "/nonexistent", "sslkey": "/nonexistent"}
    for rejected in (
        _with(url, sslmode="disable"),
        _with(url, **without),
        _with(url, sslcert=str(foreign.certificate), sslkey=str(foreign.key)),
    ):
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(rejected, connect_timeout=5).close()
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW listen_addresses")
        assert cursor.fetchone() == ("",)


def test_redis_serves_certificates_of_the_system_only(
    system: RunningSystem, trusted: TlsFiles, foreign: TlsFiles
) -> None:
    url = system.redis_url
    for rejected in (
        _with(url, ssl_certfile="", ssl_keyfile="", ssl_ca_certs="", ssl_cert_reqs="").replace("rediss:", "redis:"),
        _with(url, ssl_certfile="", ssl_keyfile=""),
        _with(url, ssl_certfile=str(foreign.certificate), ssl_keyfile=str(foreign.key)),
    ):
        with redis.Redis.from_url(rejected, socket_timeout=5) as client, pytest.raises(redis.ConnectionError):
            client.ping()
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        assert client.config_get("port") == {b"port": b"0"} or client.config_get("port") == {"port": "0"}


def test_keys_are_readable_to_their_owner_only(system: RunningSystem) -> None:
    keys = [*(system.data_dir / "tls").glob("*.key"), *(system.data_dir / "stunnel").glob("*.key")]
    assert len(keys) > len(INTERNAL + PUBLIC)
    assert {oct(key.stat().st_mode & 0o777) for key in keys} == {"0o600"}


def test_tls_1_1_is_rejected(system: RunningSystem, trusted: TlsFiles) -> None:
    context = ssl.create_default_context(cafile=trusted.ca)
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    connection = http.client.HTTPSConnection(HOST, urlsplit(system.gateway_url).port, context=context, timeout=5)
    with pytest.raises(OSError, match=r"(?i)ssl|reset|closed"):
        connection.request("GET", "/healthz")


def test_commands_of_the_operator_reach_the_system(system: RunningSystem) -> None:
    data_dir = ("--data-dir", str(system.data_dir))
    for command in (("events", "list"), ("payments", "refused")):
        result = fastcheck(*command, *data_dir)
        assert result.returncode == 0, (command, result.stdout + result.stderr)
