"""Folders of files: what is served, and how the release changes."""

import gzip
from pathlib import Path

import pytest
from flask import Flask

from services.gateway.static_files import IMMUTABLE, REVALIDATE, Folder, StaticFile

SCRIPT = b"export const greeting = 'hello';\n" * 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "app.js").write_bytes(SCRIPT)
    (tmp_path / "parts" / "dot.svg").write_text("<svg/>")
    (tmp_path / "README.md").write_text("not for the public")
    (tmp_path / ".env").write_text("nor this")
    return tmp_path


def test_only_files_of_known_kinds_are_for_the_public(root: Path) -> None:
    assert set(Folder.load(root).files) == {"app.js", "parts/dot.svg"}


def test_the_release_follows_content_and_names_and_nothing_else(root: Path) -> None:
    first = Folder.load(root).release
    (root / "README.md").write_text("changed")
    assert Folder.load(root).release == first
    (root / "app.js").write_bytes(SCRIPT + b"\n")
    second = Folder.load(root).release
    (root / "app.js").rename(root / "app2.js")
    assert len({first, second, Folder.load(root).release}) == 3


def test_a_file_is_compressed_for_who_can_read_it(root: Path) -> None:
    file = Folder.load(root).files["app.js"]
    with Flask("test").test_request_context(headers={"Accept-Encoding": "gzip, br"}):
        packed = file.response(IMMUTABLE, {"X-Extra": "1"})
    with Flask("test").test_request_context(headers={"Accept-Encoding": "gzip;q=0, *"}):
        plain = file.response(IMMUTABLE, {})
    assert gzip.decompress(packed.get_data()) == plain.get_data() == SCRIPT
    assert (packed.headers["Content-Encoding"], packed.headers["X-Extra"]) == ("gzip", "1")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_small_files_and_pictures_are_left_as_they_are() -> None:
    assert StaticFile.of(b"<svg/>", ".svg").compressed is None
    assert StaticFile.of(b"\x89PNG" * 1000, ".png").compressed is None


def test_who_has_the_content_already_is_told_so(root: Path) -> None:
    file = Folder.load(root).files["app.js"]
    with Flask("test").test_request_context():
        etag = file.response(REVALIDATE, {}).headers["ETag"]
    with Flask("test").test_request_context(headers={"If-None-Match": etag}):
        assert file.response(REVALIDATE, {}).status_code == 304
    with Flask("test").test_request_context(headers={"If-None-Match": etag}):
        assert file.response(REVALIDATE, {}, status=404).status_code == 404
