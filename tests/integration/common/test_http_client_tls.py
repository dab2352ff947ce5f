"""TLS and mutual TLS between services, on real sockets with certificates of an own CA."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.core.settings import HttpSettings
from common.http.client.client import HttpClient, TlsFiles, UnknownOutcome
from deploy.certificates import Authority, Certificate
from tests.support.scripted_server import ScriptedServer, ok, serve_all

HOSTS = ["127.0.0.1", "localhost"]
Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("test CA")


@pytest.fixture(scope="module")
def foreign() -> Authority:
    return Authority.create("foreign CA")


def _server(write: Write, own: Certificate, clients_of: Authority | None = None) -> ScriptedServer:
    """Return a server that identifies itself as ``own`` and, if an authority is given, requires its certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write("server.pem", own.certificate), write("server.key", own.key))
    if clients_of is not None:
        context.load_verify_locations(cadata=clients_of.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return ScriptedServer(serve_all, tls=context)


def _client(url: str, write: Write, trusted: Authority, own: Certificate | None = None) -> HttpClient:
    ca = write("ca.pem", trusted.pem)
    files = TlsFiles(ca)
    if own is not None:
        files = TlsFiles(ca, write("client.pem", own.certificate), write("client.key", own.key))
    return HttpClient(url, timeout_seconds=5, max_connections=1, tls=files)


def _get(client: HttpClient) -> bytes:
    return client.request("GET", "/", headers={}).body


def test_server_of_the_trusted_ca_is_called_over_one_kept_connection(write: Write, authority: Authority) -> None:
    with _server(write, authority.issue("balance", HOSTS)) as server:
        client = _client(server.url, write, authority)
        assert [_get(client) for _ in range(3)] == [b"1", b"1", b"1"]
        assert client.request("POST", "/", headers={}, body=b"{}").body == b"1"


def test_server_of_another_ca_is_rejected_before_anything_is_sent(
    write: Write, authority: Authority, foreign: Authority
) -> None:
    with _server(write, foreign.issue("balance", HOSTS)) as server:
        with pytest.raises(UnknownOutcome):
            _get(_client(server.url, write, authority))
        assert server.requests == []


def test_certificate_for_another_host_is_rejected(write: Write, authority: Authority) -> None:
    with _server(write, authority.issue("balance", ["balance.example", "127.0.0.2"])) as server:
        with pytest.raises(UnknownOutcome):
            _get(_client(server.url, write, authority))
        assert server.requests == []


def test_expired_certificate_is_rejected(write: Write, authority: Authority) -> None:
    expired = authority.issue("balance", HOSTS, expires_at=datetime.now(UTC) - timedelta(hours=1))
    with _server(write, expired) as server:
        with pytest.raises(UnknownOutcome):
            _get(_client(server.url, write, authority))
        assert server.requests == []


def test_client_certificate_is_accepted_where_it_is_required(write: Write, authority: Authority) -> None:
    with _server(write, authority.issue("balance", HOSTS), clients_of=authority) as server:
        assert _get(_client(server.url, write, authority, authority.issue("checks", ["checks"]))) == b"1"


@pytest.mark.parametrize("wrong", ["missing", "foreign", "expired"])
def test_server_that_requires_a_client_certificate_gets_no_request_without_a_valid_one(
    write: Write, authority: Authority, foreign: Authority, wrong: str
) -> None:
    own = {
        "missing": None,
        "foreign": foreign.issue("checks", ["checks"]),
        "expired": authority.issue("checks", ["checks"], expires_at=datetime.now(UTC) - timedelta(hours=1)),
    }[wrong]
    with _server(write, authority.issue("balance", HOSTS), clients_of=authority) as server:
        with pytest.raises(UnknownOutcome):
            _client(server.url, write, authority, own).request("POST", "/", headers={}, body=b"{}")
        assert server.requests == []


def test_server_without_tls_is_rejected(write: Write, authority: Authority) -> None:
    with ScriptedServer(lambda peer: peer.send(ok())) as server, pytest.raises(UnknownOutcome):
        _get(_client(server.url.replace("http:", "https:"), write, authority))


def test_tls_1_1_is_rejected(write: Write, authority: Authority) -> None:
    server = _server(write, authority.issue("balance", HOSTS))
    context = server._tls
    assert context is not None
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with server, pytest.raises(UnknownOutcome):
        _get(_client(server.url, write, authority))


def test_renewed_client_certificate_is_read_at_the_next_connection(
    write: Write, authority: Authority, foreign: Authority
) -> None:
    with _server(write, authority.issue("balance", HOSTS), clients_of=authority) as server:
        client = _client(server.url, write, authority, foreign.issue("checks", ["checks"]))
        with pytest.raises(UnknownOutcome):
            _get(client)
        renewed = authority.issue("checks", ["checks"])
        write("client.pem", renewed.certificate)
        write("client.key", renewed.key)
        assert _get(client) == b"2"


def test_files_come_from_the_settings(write: Write, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    own = authority.issue("checks", ["checks"])
    files = {"CA": authority.pem, "CERT": own.certificate, "KEY": own.key}
    for name, content in files.items():
        monkeypatch.setenv(f"FASTCHECK_TLS_{name}", str(write(name, content)))
    with _server(write, authority.issue("balance", HOSTS), clients_of=authority) as server:
        assert _get(HttpClient.of(HttpSettings(), server.url)) == b"1"
