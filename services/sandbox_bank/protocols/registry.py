"""Which protocols the sandbox bank speaks."""

from collections.abc import Mapping

from services.sandbox_bank.config import SandboxBankSettings
from services.sandbox_bank.protocols import tbank
from services.sandbox_bank.protocols.base import Wire


def wires(settings: SandboxBankSettings) -> Mapping[str, Wire]:
    """The messages of each protocol, with the merchant's keys."""
    found: list[Wire] = [
        tbank.TBankWire(settings.tbank_terminal_key, settings.tbank_password.get_secret_value()),
    ]
    return {wire.name: wire for wire in found}
