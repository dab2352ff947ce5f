"""The banks' published examples, checked against the adapters and the sandbox bank, which share no code."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.payments.banks import sber, tbank, yookassa
from services.sandbox_bank.protocols import tbank as sandbox_tbank

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["tbank"], ids=lambda vector: vector["name"])
def test_tbank_token_equals_the_published_one(vector: dict[str, Any]) -> None:
    assert tbank.token(vector["fields"], vector["password"]) == vector["token"]
    assert sandbox_tbank.sign(vector["fields"], vector["password"]) == vector["token"]


@pytest.mark.parametrize("vector", VECTORS["sber"], ids=lambda vector: vector["name"])
def test_sber_checksum_equals_the_published_one(vector: dict[str, Any]) -> None:
    assert sber.checksum(vector["fields"], vector["secret"]) == vector["checksum"]
    with_unsigned = {**vector["fields"], "checksum": "anything", "sign_alias": "anything"}
    assert sber.checksum(with_unsigned, vector["secret"]) == vector["checksum"]


@pytest.mark.parametrize("address", VECTORS["yookassa_addresses"]["trusted"])
def test_address_of_yookassa_is_trusted(address: str) -> None:
    assert yookassa.is_trusted_address(address)


@pytest.mark.parametrize(
    "address", [*VECTORS["yookassa_addresses"]["refused"], "", "localhost", "77.75.153.75, 1.1.1.1"]
)
def test_other_address_is_not_trusted(address: str) -> None:
    assert not yookassa.is_trusted_address(address)


def test_ipv4_mapped_address_is_treated_as_ipv4() -> None:
    assert yookassa.is_trusted_address("::ffff:77.75.156.35")
    assert not yookassa.is_trusted_address("::ffff:77.75.156.36")
