"""Static files: types, release hash, compression, conditional requests."""

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
    (tmp_path / "README.md").write_text("private")
    (tmp_path / ".env").write_text("private")
    return tmp_path


def test_only_files_of_known_types_are_served(root: Path) -> None:
    assert set(Folder.load(root).files) == {"app.js", "parts/dot.svg"}


def test_release_depends_on_the_served_content_and_names_only(root: Path) -> None:
    first = Folder.load(root).release
    (root / "README.md").write_text("changed")
    assert Folder.load(root).release == first
    (root / "app.js").write_bytes(SCRIPT + b"\n")
    second = Folder.load(root).release
    (root / "app.js").rename(root / "app2.js")
    assert len({first, second, Folder.load(root).release}) == 3


def test_file_is_compressed_if_the_client_accepts_it(root: Path) -> None:
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


def test_small_files_and_images_are_not_compressed() -> None:
    assert StaticFile.of(b"<svg/>", ".svg").compressed is None
    assert StaticFile.of(b"\x89PNG" * 1000, ".png").compressed is None


def test_unchanged_content_gets_304(root: Path) -> None:
    file = Folder.load(root).files["app.js"]
    with Flask("test").test_request_context():
        etag = file.response(REVALIDATE, {}).headers["ETag"]
    with Flask("test").test_request_context(headers={"If-None-Match": etag}):
        assert file.response(REVALIDATE, {}).status_code == 304
    with Flask("test").test_request_context(headers={"If-None-Match": etag}):
        assert file.response(REVALIDATE, {}, status=404).status_code == 404
