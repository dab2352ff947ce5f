"""The credentials of one system, stored in its data folder so that they are the same after every restart."""

from dataclasses import asdict
from typing import Final

from deploy.credentials import Credentials, complete
from launcher.data_dir import DataDir

FILE: Final = "credentials.json"


def load_or_create(data_dir: DataDir) -> Credentials:
    """Return the stored credentials; create and store the missing ones, and never change an existing one."""
    stored = data_dir.read_json(FILE) or {}
    credentials = complete(stored)
    if asdict(credentials) != stored:
        data_dir.write_json(FILE, asdict(credentials))
    return credentials


def load(data_dir: DataDir) -> Credentials | None:
    """Return the stored credentials; None if no system was ever started in this folder."""
    stored = data_dir.read_json(FILE)
    return complete(stored) if stored else None
