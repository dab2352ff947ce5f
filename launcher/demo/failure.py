"""What ends the demo early."""


class StepFailed(Exception):
    """Something was not as it must be; the text says what was seen instead."""


def check(condition: bool, otherwise: str) -> None:
    """Raise StepFailed with ``otherwise`` unless ``condition`` holds."""
    if not condition:
        raise StepFailed(otherwise)
