"""The circuit breaker: opens after failures in a row, lets one probe through, closes when it answers."""

from services.payments.banks.breaker import CircuitBreaker


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_tries_again_later() -> None:
    seconds = Seconds()
    breaker = CircuitBreaker(failures=3, seconds=10, clock=seconds)
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    seconds.now = 10
    assert [breaker.allows(), breaker.allows()] == [True, False], "one probe at a time"
    breaker.failed()
    seconds.now = 19
    assert not breaker.allows()
    seconds.now = 20
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows(), breaker.allows()] == [True, True]


def test_a_probe_that_is_lost_does_not_shut_the_bank_out_for_ever() -> None:
    seconds = Seconds()
    breaker = CircuitBreaker(failures=1, seconds=10, clock=seconds)
    breaker.failed()
    seconds.now = 10
    assert breaker.allows()
    seconds.now = 20
    assert breaker.allows()
