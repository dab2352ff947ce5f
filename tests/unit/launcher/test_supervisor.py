"""The delay between restarts of a process."""

from launcher.supervisor import restart_delay


def test_restart_delay_doubles_up_to_its_maximum() -> None:
    assert [restart_delay(failures) for failures in (1, 2, 3, 4, 7, 50)] == [0.5, 1, 2, 4, 30, 30]
