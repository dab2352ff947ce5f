"""Counting of failed attempts, and equal work for wrong codes and unknown numbers."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.checks.codes import repository
from services.checks.codes.repository import Allowance
from services.checks.codes.vault import CodeVault
from services.checks.models import Attempt, number_of
from services.checks.repository import find_own
from tests.integration.checks.checks_system import ChecksSystem, wrong_code


def test_failure_beyond_the_allowance_does_not_count_on_the_check(system: ChecksSystem) -> None:
    creator, user = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    now = system.clock.now()
    attempt = Attempt(user, number_of(check["fastcheck"]), wrong_code(check), now)
    allowance = Allowance(1, now - timedelta(hours=1))
    with system.context.db.transaction() as tx:
        assert repository.record_failure(tx, attempt, allowance, None) is None
    with system.context.db.transaction() as tx:
        found = find_own(tx, attempt.number, creator, lock=True)
        assert found is not None
        assert repository.record_failure(tx, attempt, allowance, replace(found, failed_attempts=1)) == now
    assert system.stored(check)["failed_attempts"] == 0


def test_unknown_number_decrypts_as_often_as_a_wrong_code(
    system: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    decrypted: list[UUID] = []
    decrypt = CodeVault.open

    def counting(vault: CodeVault, check_id: UUID, ciphertext: bytes) -> str:
        decrypted.append(check_id)
        return decrypt(vault, check_id, ciphertext)

    monkeypatch.setattr(CodeVault, "open", counting)
    assert system.accept(creator, check, wrong_code(check)).status_code == 404
    assert len(decrypted) == 1
    assert system.accept(creator, {"fastcheck": "0000-0000-0000", "code": "0000"}).status_code == 404
    assert len(decrypted) == 2
