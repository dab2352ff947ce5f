"""Damages outside of the ledger: checks, payments, events on their way, and the bank's own books. See ``damages``."""

# ruff: noqa: E501  (one damage, one line)
# fmt: off

from typing import Final

from cli.audit import cross_bank, cross_checks, cross_payments, cross_refunds
from tests.integration.audit.damages import Damage


def _of(service: str, rule: str, *damages: tuple[str, str, str]) -> list[Damage]:
    return [Damage(name, service, (statement,), rule, subject) for name, statement, subject in damages]


CHECKS: Final = _of(
    "checks",
    cross_checks.RULE,
    ("used check active again", "UPDATE checks SET status = 'active', acceptor_id = NULL, closes_at = expires_at WHERE check_id = '{used}'", "check {used}"),
    ("expired check active again", "UPDATE checks SET status = 'active' WHERE check_id = '{expired}'", "check {expired}"),
    ("cancelled check active again", "UPDATE checks SET status = 'active', closes_at = expires_at WHERE check_id = '{cancelled}'", "check {cancelled}"),
    ("active check used by a thief", "UPDATE checks SET status = 'used', acceptor_id = '{vera}', closes_at = created_at WHERE check_id = '{active}'", "check {active}"),
    ("active check expired", "UPDATE checks SET status = 'expired' WHERE check_id = '{active}'", "check {active}"),
    ("active check cancelled", "UPDATE checks SET status = 'cancelled', closes_at = created_at WHERE check_id = '{active}'", "check {active}"),
    ("active check rejected", "UPDATE checks SET status = 'rejected' WHERE check_id = '{active}'", "check {active}"),
    ("used check cancelled", "UPDATE checks SET status = 'cancelled', acceptor_id = NULL WHERE check_id = '{used}'", "check {used}"),
    ("cancelled check used", "UPDATE checks SET status = 'used', acceptor_id = '{vera}' WHERE check_id = '{cancelled}'", "check {cancelled}"),
    ("expired check cancelled", "UPDATE checks SET status = 'cancelled', closes_at = created_at WHERE check_id = '{expired}'", "check {expired}"),
    ("rejected check active", "UPDATE checks SET status = 'active', closes_at = expires_at WHERE check_id = '{rejected}'", "check {rejected}"),
    ("pending check active without a hold", "UPDATE checks SET status = 'active', next_try_at = NULL WHERE check_id = '{pending}'", "check {pending}"),
    ("pending check rejected without a refusal", "UPDATE checks SET status = 'rejected', next_try_at = NULL WHERE check_id = '{pending}'", "check {pending}"),
    ("amount of a check", "UPDATE checks SET amount_minor = amount_minor + 1 WHERE check_id = '{active}'", "check {active}"),
    ("amount of a used check", "UPDATE checks SET amount_minor = amount_minor + 1 WHERE check_id = '{used}'", "check {used}"),
    ("amount of a rejected check", "UPDATE checks SET amount_minor = 1 WHERE check_id = '{rejected}'", "check {rejected}"),
    ("currency of a check", "UPDATE checks SET currency = 'USD' WHERE check_id = '{active}'", "check {active}"),
    ("acceptor of a check", "UPDATE checks SET acceptor_id = '{vera}' WHERE check_id = '{used}'", "check {used}"),
    ("creator of a check", "UPDATE checks SET creator_id = '{vera}' WHERE check_id = '{expired}'", "check {expired}"),
    ("creator of an active check", "UPDATE checks SET creator_id = '{vera}' WHERE check_id = '{active}'", "check {active}"),
    ("number of a check", "UPDATE checks SET number = '000000000000' WHERE check_id = '{active}'", "check {active}"),
    ("numbers of two checks exchanged", "WITH x AS (SELECT * FROM checks WHERE check_id IN ('{active}', '{active too}')) UPDATE checks c SET amount_minor = x.amount_minor FROM x WHERE c.check_id IN ('{active}', '{active too}') AND x.check_id <> c.check_id", "check {active too}"),
    ("active check deleted", "DELETE FROM checks WHERE check_id = '{active}'", "check {active}"),
    ("used check deleted", "DELETE FROM checks WHERE check_id = '{used}'", "check {used}"),
    ("rejected check deleted", "DELETE FROM checks WHERE check_id = '{rejected}'", "check {rejected}"),
    ("check under another id", "UPDATE checks SET check_id = '{nobody}' WHERE check_id = '{active}'", "check {nobody}"),
    ("check out of nowhere", "INSERT INTO checks (check_id, number, creator_id, amount_minor, currency, code_ciphertext, status, created_at, expires_at, closes_at) SELECT '{nobody}', '000000000000', creator_id, amount_minor, currency, '', status, created_at, expires_at, closes_at FROM checks WHERE check_id = '{active}'", "check {nobody}"),
    ("event on its way deleted", "DELETE FROM outbox WHERE payload ->> 'check_id' = '{on its way}'", "check {on its way}"),
    ("event on its way closed without effect", "UPDATE outbox SET closed_at = now() WHERE payload ->> 'check_id' = '{on its way}'", "check {on its way}"),
) + _of(
    "checks",
    cross_checks.PAYLOADS,
    ("amount in an event on its way", "UPDATE outbox SET payload = jsonb_set(payload, '{{amount_minor}}', '1') WHERE payload ->> 'check_id' = '{on its way}'", "event {event of on its way}"),
    ("amount in an event on its way that is no number", "UPDATE outbox SET payload = jsonb_set(payload, '{{amount_minor}}', '\"much\"') WHERE payload ->> 'check_id' = '{on its way}'", "event {event of on its way}"),
    ("acceptor in an event on its way", "UPDATE outbox SET payload = jsonb_set(payload, '{{acceptor_id}}', '\"{vera}\"') WHERE payload ->> 'check_id' = '{on its way}'", "event {event of on its way}"),
    ("type of an event on its way", "UPDATE outbox SET type = 'check.expired.v1' WHERE payload ->> 'check_id' = '{on its way}'", "event {event of on its way}"),
    ("id of an event on its way", "UPDATE outbox SET event_id = '{nobody}' WHERE payload ->> 'check_id' = '{on its way}'", "event {nobody}"),
    ("an event for an active check", "INSERT INTO outbox (event_id, subscriber, type, payload, occurred_at) SELECT '{nobody}', subscriber, type, jsonb_set(payload, '{{check_id}}', '\"{active}\"'), now() FROM outbox WHERE payload ->> 'check_id' = '{on its way}'", "event {nobody}"),
)

PAYMENTS: Final = _of(
    "payments",
    cross_payments.RULE,
    ("confirmed top-up pending again", "UPDATE topups SET status = 'pending', confirmed_at = NULL WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("pending top-up confirmed", "UPDATE topups SET status = 'confirmed', confirmed_at = now() WHERE topup_id = '{pending topup}'", "top-up {pending topup}"),
    ("failed top-up confirmed", "UPDATE topups SET status = 'confirmed', confirmed_at = now() WHERE topup_id = '{failed topup}'", "top-up {failed topup}"),
    ("amount of a top-up", "UPDATE topups SET amount_minor = amount_minor + 1 WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("currency of a top-up", "UPDATE topups SET currency = 'USD' WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("user of a top-up", "UPDATE topups SET user_id = '{vera}' WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("top-up deleted", "DELETE FROM topups WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("top-up under another id", "UPDATE topups SET topup_id = '{nobody}' WHERE topup_id = '{topup}'", "top-up {nobody}"),
    ("credit on its way closed without effect", "UPDATE outbox SET closed_at = now() WHERE payload ->> 'topup_id' = '{credit on its way}'", "top-up {credit on its way}"),
    ("credit on its way deleted", "DELETE FROM outbox WHERE payload ->> 'topup_id' = '{credit on its way}'", "top-up {credit on its way}"),
) + _of(
    "payments",
    cross_payments.PAYLOADS,
    ("user in a credit on its way", "UPDATE outbox SET payload = jsonb_set(payload, '{{user_id}}', '\"{vera}\"') WHERE payload ->> 'topup_id' = '{credit on its way}'", "event {event of credit on its way}"),
    ("amount in a credit on its way", "UPDATE outbox SET payload = jsonb_set(payload, '{{amount_minor}}', '1400000') WHERE payload ->> 'topup_id' = '{credit on its way}'", "event {event of credit on its way}"),
    ("a credit on its way for a pending top-up", "INSERT INTO outbox (event_id, subscriber, type, payload, occurred_at) SELECT '{nobody}', subscriber, type, jsonb_set(payload, '{{topup_id}}', '\"{pending topup}\"'), now() FROM outbox WHERE payload ->> 'topup_id' = '{credit on its way}'", "event {nobody}"),
) + _of(
    "payments",
    cross_payments.WORD,
    ("bank's word deleted", "DELETE FROM notifications WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("bank's word of another amount", "UPDATE notifications SET amount_minor = amount_minor - 1 WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("bank's word in another currency", "UPDATE notifications SET currency = 'USD' WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("bank's word was a refusal", "UPDATE notifications SET bank_status = 'REJECTED' WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("bank's word was not acted on", "UPDATE notifications SET verdict = 'wrong_amount' WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("failed top-up with a word that says paid", "UPDATE notifications SET bank_status = 'CONFIRMED' WHERE topup_id = '{failed topup}'", "top-up {failed topup}"),
    ("no attempt is paid", "UPDATE attempts SET state = 'payable' WHERE topup_id = '{topup}'", "top-up {topup}"),
    ("attempt of a pending top-up is paid", "UPDATE attempts SET state = 'paid' WHERE topup_id = '{pending topup}'", "top-up {pending topup}"),
    ("two attempts are paid", "INSERT INTO attempts (bank, bank_order_id, topup_id, attempt_no, state) VALUES ('tbank', 'x', '{topup}', 2, 'paid')", "top-up {topup}"),
) + _of(
    "payments",
    cross_refunds.RULE,
    ("done refund refused", "UPDATE refunds SET status = 'refused' WHERE refund_id = '{refund}'", "refund {refund}"),
    ("done refund returned", "UPDATE refunds SET status = 'returned' WHERE refund_id = '{refund}'", "refund {refund}"),
    ("returned refund done", "UPDATE refunds SET status = 'done' WHERE refund_id = '{returned refund}'", "refund {returned refund}"),
    ("amount of a refund", "UPDATE refunds SET amount_minor = amount_minor + 1 WHERE refund_id = '{refund}'", "refund {refund}"),
    ("refund of another top-up", "UPDATE refunds SET topup_id = '{topup}' WHERE refund_id = '{refund}'", "refund {refund}"),
    ("refund deleted", "DELETE FROM refunds WHERE refund_id = '{refund}'", "refund {refund}"),
    ("refund out of nowhere", "INSERT INTO refunds (refund_id, topup_id, bank_order_id, amount_minor, status, operator, reason, created_at, finished_at) SELECT '{nobody}', topup_id, bank_order_id, 5, 'done', operator, reason, created_at, finished_at FROM refunds WHERE refund_id = '{refund}'", "refund {nobody}"),
) + _of(
    "payments",
    cross_refunds.SUMS,
    ("sum of refunds", "UPDATE topups SET refunded_minor = refunded_minor + 1 WHERE topup_id = '{refunded topup}'", "top-up {refunded topup}"),
)

BANK: Final = _of(
    "sandbox_bank",
    cross_bank.RULE,
    ("bank says it was declined", "UPDATE payments SET state = 'REJECTED' WHERE order_id = '{order of topup}'", "top-up {topup}"),
    ("bank knows no such payment", "DELETE FROM payments WHERE order_id = '{order of topup}'", "top-up {topup}"),
    ("bank has another amount", "UPDATE payments SET amount_minor = amount_minor - 1 WHERE order_id = '{order of topup}'", "top-up {topup}"),
    ("bank has another currency", "UPDATE payments SET currency = 'USD' WHERE order_id = '{order of topup}'", "top-up {topup}"),
    ("bank has given it back", "UPDATE payments SET state = 'REFUNDED', refunded_minor = amount_minor WHERE order_id = '{order of topup}'", "top-up {topup}"),
    ("bank has not given a refund", "UPDATE payments SET state = 'CONFIRMED', refunded_minor = 0 WHERE order_id = '{order of refunded topup}'", "top-up {refunded topup}"),
    ("bank was paid for a failed top-up", "UPDATE payments SET state = 'CONFIRMED' WHERE order_id = '{order of failed topup}'", "top-up {failed topup}"),
    ("bank was paid for an order that nobody made", "UPDATE payments SET order_id = 'x' WHERE order_id = '{order of topup}'", "order tbank x"),
)
