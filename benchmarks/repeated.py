"""Loads whose requests may be repeated without end, by wrk where it is installed, else by our own generator.

Loads in which every request is sent once, or whose responses are needed, always use our own (see decision 0031).
"""

import itertools
from collections.abc import Sequence
from functools import partial

from benchmarks import load, wrk
from benchmarks.load import Outcome


def run(url: str, requests: Sequence[bytes], *, connections: int, seconds: float) -> Outcome:
    """Send the requests one after another, from the beginning again at the end, until the time is over."""
    if wrk.is_installed():
        return wrk.run(url, requests, connections=connections, seconds=seconds)
    sources = [
        partial(itertools.cycle, requests[number :: load.MOST_PROCESSES] or requests)
        for number in range(load.MOST_PROCESSES)
    ]
    return load.run(url, sources, connections=connections, seconds=seconds)


def generator() -> str:
    """Return the name of the generator for the report."""
    return "wrk" if wrk.is_installed() else "our own generator"
