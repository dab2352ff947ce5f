"""The circuit breaker: opens after consecutive failures, allows one probe, closes after a success."""

from services.payments.banks.breaker import CircuitBreaker


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_breaker_opens_after_consecutive_failures_and_allows_one_probe_later() -> None:
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


def test_lost_probe_is_followed_by_another() -> None:
    seconds = Seconds()
    breaker = CircuitBreaker(failures=1, seconds=10, clock=seconds)
    breaker.failed()
    seconds.now = 10
    assert breaker.allows()
    seconds.now = 20
    assert breaker.allows()
