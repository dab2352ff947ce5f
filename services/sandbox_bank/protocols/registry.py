"""The enabled protocols: those whose keys are set."""

from collections.abc import Mapping

from services.sandbox_bank.config import SandboxBankSettings
from services.sandbox_bank.protocols import sber, tbank, yookassa
from services.sandbox_bank.protocols.base import Wire


def wires(settings: SandboxBankSettings) -> Mapping[str, Wire]:
    """Return the message formats of each enabled protocol by its name."""
    found: list[Wire] = [tbank.TBankWire(settings.tbank_terminal_key, settings.tbank_password.get_secret_value())]
    if settings.yookassa_shop_id:
        base = (settings.callback_base_url or settings.public_url).rstrip("/")
        notify_url = f"{base}/bank/webhook/yookassa" if base else ""
        found.append(
            yookassa.YooKassaWire(settings.yookassa_shop_id, notify_url, settings.sandbox_bank_url.rstrip("/"))
        )
    if settings.sber_user_name:
        found.append(
            sber.SberWire(
                settings.sber_callback_secret.get_secret_value(),
                settings.sandbox_bank_sber_private_key.get_secret_value(),
            )
        )
    return {wire.name: wire for wire in found}
