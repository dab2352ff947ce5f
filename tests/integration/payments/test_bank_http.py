"""HTTP calls to one bank: retries, limits, the circuit breaker, and the trusted CA bundle."""

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from services.payments.banks.base import BankEnvironment, BankUnavailable
from services.payments.banks.http import MAX_RESPONSE_BYTES, BankHttp
from tests.integration.payments.servers import serving
from tests.support.eventually import eventually


def http(url: str, **settings: object) -> BankHttp:
    values = {"environment": "sandbox", "bank_timeout_seconds": 1.0, **settings}
    return BankHttp("bank", url, BankEnvironment.model_validate(values))


class CannedResponses:
    """Serve these responses one after another, and repeat the last one."""

    def __init__(self, *responses: tuple[str, bytes]) -> None:
        self.responses = list(responses)
        self.calls = 0

    def __call__(self, _environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.calls += 1
        status, body = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        start_response(status, [("Content-Length", str(len(body))), ("Location", "http://127.0.0.1:9/elsewhere")])
        return [body]


def serving_responses(bank: CannedResponses) -> AbstractContextManager[str]:
    return serving(lambda _url: bank)


@contextmanager
def silent_bank() -> Iterator[str]:
    """Accept connections and never respond."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_only_a_repeatable_call_is_retried() -> None:
    for repeatable, calls in ((True, 3), (False, 1)):
        bank = CannedResponses(("500 X", b""), ("503 X", b""), ("200 OK", b'{"a": 1}'))
        with serving_responses(bank) as url:
            client = http(url, bank_timeout_seconds=4.0)
            if repeatable:
                assert client.request("POST", "x", repeatable=True).json() == {"a": 1}
            else:
                with pytest.raises(BankUnavailable):
                    client.request("POST", "x")
        assert bank.calls == calls


def test_call_that_times_out_is_not_retried() -> None:
    with silent_bank() as url:
        started = time.monotonic()
        with pytest.raises(BankUnavailable):
            http(url).request("GET", "x", repeatable=True)
        assert time.monotonic() - started < 2.0


def test_hanging_bank_uses_only_its_own_connection_slots() -> None:
    with silent_bank() as url:
        client = http(url, bank_pool_size=2, bank_timeout_seconds=3.0, bank_breaker_failures=100)
        with ThreadPoolExecutor(2) as threads:
            held = [threads.submit(client.request, "GET", "x") for _ in range(2)]
            eventually(lambda: client._slots._value == 0)
            started = time.monotonic()
            with pytest.raises(BankUnavailable, match="in use"):
                client.request("GET", "x")
            assert time.monotonic() - started < 1.5
            for one in held:
                with pytest.raises(BankUnavailable):
                    one.result()


def test_breaker_opens_after_consecutive_failures_and_closes_after_a_success() -> None:
    bank = CannedResponses(("500 X", b""))
    with serving_responses(bank) as url:
        client = http(url, bank_breaker_failures=3, bank_breaker_seconds=0.3)
        for _ in range(6):
            with pytest.raises(BankUnavailable):
                client.request("GET", "x")
        assert bank.calls == 3
        bank.responses = [("200 OK", b"{}")]
        threading.Event().wait(0.35)
        assert client.request("GET", "x").json() == {}
        assert client.request("GET", "x").status == 200


def test_invalid_response_counts_as_unavailable() -> None:
    for status, body in (("200 OK", b"<html>"), ("200 OK", b"[1]"), ("200 OK", b"")):
        with serving_responses(CannedResponses((status, body))) as url, pytest.raises(BankUnavailable):
            http(url).request("GET", "x").json()
    too_large = CannedResponses(("200 OK", b"x" * (MAX_RESPONSE_BYTES + 1)))
    with serving_responses(too_large) as url, pytest.raises(BankUnavailable, match="too large"):
        http(url).request("GET", "x")
    with serving_responses(CannedResponses(("302 Found", b"{}"))) as url:
        assert http(url).request("GET", "x").status == 302, "a redirect is not followed"


def test_only_the_configured_ca_bundle_is_trusted(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = make_server("127.0.0.1", 0, CannedResponses(("200 OK", b'{"a": 1}')), threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}/"
    try:
        with pytest.raises(BankUnavailable):
            http(url).request("GET", "x")
        assert http(url, bank_ca_bundle=str(certificate)).request("GET", "x").json() == {"a": 1}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_missing_ca_bundle_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bank_ca_bundle"):
        http("https://bank.example/", bank_ca_bundle=str(tmp_path / "none.pem"))


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a bank's own root")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths
