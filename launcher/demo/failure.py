"""The failure of a step."""


class StepFailed(Exception):
    """A check of a step failed; the text states the actual value."""


def check(condition: bool, otherwise: str) -> None:
    """Raise StepFailed with ``otherwise`` unless ``condition`` holds."""
    if not condition:
        raise StepFailed(otherwise)
