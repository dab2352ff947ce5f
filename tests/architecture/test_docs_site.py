"""The documentation site builds strictly without a network, and every internal link has a target."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tools.reference_pages import ROOT

TIMEOUT_SECONDS = 120


class _Page(HTMLParser):
    """The link targets and the anchors of one HTML page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site in a temporary folder, with every proxy at a closed port."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    offline = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:1")
    result = subprocess.run(
        [str(Path(sys.executable).parent / "zensical"), "build", "--strict", "--clean"],
        cwd=folder,
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / ".cache" / "site"


def test_site_has_a_page_for_each_source(site: Path) -> None:
    sources = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    pages = {page.relative_to(site) for page in site.rglob("*.html")}
    expected = {
        path.with_suffix(".html") if path.name != "README.md" else path.parent / "index.html" for path in sources
    }
    assert expected <= pages


def test_every_internal_link_has_a_target(site: Path) -> None:
    pages = {page: _Page(page.read_text()) for page in site.rglob("*.html")}
    broken = [
        f"{page.relative_to(site)}: {target}"
        for page, content in pages.items()
        for target in content.targets
        if not _exists(page, target, pages)
    ]
    assert broken == []
    assert sum(len(content.targets) for content in pages.values()) > 1_000


def _exists(page: Path, target: str, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(target)
    # 404.html is served at any path, so that its links start at the root of the site.
    if parts.scheme or parts.netloc or page.name == "404.html":
        return True
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if file.is_dir():
        file /= "index.html"
    if not file.exists():
        return False
    return file not in pages or not parts.fragment or unquote(parts.fragment) in _anchors(pages[file])


def _anchors(content: _Page) -> Iterator[str]:
    yield from content.anchors
    # The theme scrolls to the top of a page.
    yield "__skip"
