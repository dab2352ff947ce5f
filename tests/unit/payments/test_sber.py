"""The RBS protocol's checksums, symmetric and asymmetric."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from common.core.money import Money
from services.payments.banks.base import BadSignature, BankEnvironment, PaymentOrder, PaymentStatus
from services.payments.banks.http import BankHttp
from services.payments.banks.sber import AmbiguousFields, Sber, SberSettings, checksum, verify_rsa

FIELDS = {
    "mdOrder": "3ff6962a",
    "orderNumber": "0784sse49d",
    "operation": "deposited",
    "status": "1",
    "amount": "35000099",
}
TEXT = "amount;35000099;mdOrder;3ff6962a;operation;deposited;orderNumber;0784sse49d;status;1;"
SECRET = "secret"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(key: rsa.RSAPrivateKey, text: str = TEXT, digest: HashAlgorithm | None = None) -> str:
    return key.sign(text.encode(), padding.PKCS1v15(), digest or SHA512()).hex()


def test_asymmetric_checksum_uses_sha_512(key: rsa.RSAPrivateKey) -> None:
    signature = sign(key)
    assert verify_rsa(FIELDS, signature, pem(key))
    assert verify_rsa({**FIELDS, "checksum": "x", "sign_alias": "SHA-256 with RSA"}, signature.upper(), pem(key))
    assert not verify_rsa(FIELDS, sign(key, digest=SHA256()), pem(key))
    assert not verify_rsa({**FIELDS, "amount": "35000098"}, signature, pem(key))
    assert not verify_rsa({**FIELDS, "more": "x"}, signature, pem(key))


@pytest.mark.parametrize("signature", ["", "zz", "00", "Ω", "0" * 511])
def test_malformed_signature_is_rejected(key: rsa.RSAPrivateKey, signature: str) -> None:
    assert not verify_rsa(FIELDS, signature, pem(key))


def test_key_other_than_rsa_raises() -> None:
    for bad in (b"", b"-----BEGIN PUBLIC KEY-----", pem(ec.generate_private_key(ec.SECP256R1()))):
        with pytest.raises(ValueError):
            verify_rsa(FIELDS, "00", bad)


def test_separator_in_a_field_is_rejected(key: rsa.RSAPrivateKey) -> None:
    """Both {"a": "1", "b": "2"} and {"a": "1;b;2"} would be signed as ``a;1;b;2;``."""
    assert checksum({"a": "1", "b": "2"}, SECRET)
    for ambiguous in ({"a": "1;b;2"}, {"a;1;b": "2"}):
        with pytest.raises(AmbiguousFields):
            checksum(ambiguous, SECRET)
        assert not verify_rsa(ambiguous, sign(key, "a;1;b;2;"), pem(key))


def bank(**settings: object) -> Sber:
    values: dict[str, object] = {"user_name": "u", "password": SecretStr("p"), "url": "http://127.0.0.1:9/", **settings}
    return Sber(
        SberSettings.model_validate(values), BankEnvironment(environment="sandbox", bank_connect_timeout_seconds=0.1)
    )


def test_signed_callback_with_an_amount_needs_no_poll(key: rsa.RSAPrivateKey) -> None:
    symmetric = bank(callback_secret=SecretStr(SECRET))
    asymmetric = bank(callback_public_key=pem(key).decode())
    for adapter, signature in ((symmetric, checksum(FIELDS, SECRET)), (asymmetric, sign(key))):
        notification = adapter.parse_notification("GET", {}, b"", {**FIELDS, "checksum": signature}, "")
        assert (notification.status, notification.amount_minor, notification.currency) == (
            PaymentStatus.CONFIRMED,
            35_000_099,
            "RUB",
        )
        assert (notification.bank_payment_id, notification.order_id) == ("3ff6962a", "0784sse49d")


def test_callback_by_post_is_parsed_as_a_form() -> None:
    signature = checksum(FIELDS, SECRET).lower()
    raw = "&".join(f"{name}={value}" for name, value in {**FIELDS, "checksum": signature}.items()).encode()
    adapter = bank(callback_secret=SecretStr(SECRET))
    assert adapter.parse_notification("POST", {}, raw, {}, "").amount_minor == 35_000_099
    for broken in (raw + b"&amount=1", b"", b"\xff\xfe", b"a", b"&".join([b"a=1"] * 100)):
        with pytest.raises(BadSignature):
            adapter.parse_notification("POST", {}, broken, {}, "")


def test_callback_without_a_checksum_is_rejected(key: rsa.RSAPrivateKey) -> None:
    for adapter in (bank(callback_secret=SecretStr(SECRET)), bank(callback_public_key=pem(key).decode())):
        for forged in (FIELDS, {**FIELDS, "checksum": ""}, {**FIELDS, "checksum": "00" * 32}, {"a": ";"}):
            with pytest.raises(BadSignature):
                adapter.parse_notification("GET", {}, b"", forged, "")


def test_invalid_public_key_stops_the_start() -> None:
    with pytest.raises(ValueError):
        bank(callback_public_key="not a key")


def with_order_status(adapter: Sber, monkeypatch: pytest.MonkeyPatch, **status: object) -> list[str]:
    """Answer every call of the adapter with this order status; returns the list of methods that it calls."""
    called: list[str] = []

    def call(method: str, fields: Mapping[str, object], http: BankHttp, *, repeatable: bool = False) -> dict[str, Any]:
        called.append(method)
        return {"errorCode": "0", "orderNumber": FIELDS["orderNumber"], "currency": "643", **status}

    monkeypatch.setattr(adapter, "_call", call)
    return called


def test_unsigned_callback_is_a_hint_and_the_bank_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a secret and without a key, a callback that claims a payment credits nothing by itself."""
    adapter = bank()
    called = with_order_status(adapter, monkeypatch, orderStatus=0, amount=35_000_099)
    notification = adapter.parse_notification("GET", {}, b"", FIELDS, "")
    assert called == ["getOrderStatusExtended.do"]
    assert notification.status is PaymentStatus.OPEN


def test_partial_capture_reports_the_deposited_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = bank()
    captured = {"depositedAmount": 30_000, "refundedAmount": 0}
    with_order_status(adapter, monkeypatch, orderStatus=2, amount=50_000, paymentAmountInfo=captured)
    now = datetime.now(UTC)
    order = PaymentOrder(uuid4(), "0784sse49d", Money(50_000, "RUB"), "", now, now + timedelta(hours=1), "3ff6962a")
    notification = adapter.fetch_status(order)
    assert (notification.status, notification.amount_minor) == (PaymentStatus.CONFIRMED, 30_000)
