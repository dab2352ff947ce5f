"""Static files, read into memory when the process starts.

The content hash of a whole folder is part of every address in it (``/assets/<hash>/app.js``). Caches may
therefore store a file without limit, and since modules import each other by relative paths, a page never mixes the
files of two releases.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Self

from flask import Response, request

#: Content types by suffix. Files with other suffixes are not served.
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "no-cache"

#: Compressed already, or too small to gain by it.
_NOT_COMPRESSED: Final = frozenset({".png", ".woff2"})
_WORTH_COMPRESSING_BYTES: Final = 512


@cache
def _compress(body: bytes) -> bytes:
    """Compress once per process: the tests create many applications with the same files."""
    return gzip.compress(body, mtime=0)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file, with a gzip copy if compression helps."""

    body: bytes
    compressed: bytes | None
    content_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, suffix: str) -> Self:
        """Create it from its content and suffix, such as ``.js``."""
        compressed = None
        if suffix not in _NOT_COMPRESSED and len(body) >= _WORTH_COMPRESSING_BYTES:
            compressed = _compress(body)
        return cls(body, compressed, CONTENT_TYPES[suffix], hashlib.sha256(body).hexdigest()[:32])

    def response(self, cache_control: str, headers: Mapping[str, str], status: int = 200) -> Response:
        """Return the response to the current Flask request: 304 if the client has it, else gzip if accepted."""
        packed = self.compressed if request.accept_encodings.quality("gzip") > 0 else None
        response = Response(self.body if packed is None else packed, status=status, content_type=self.content_type)
        response.headers["Cache-Control"] = cache_control
        response.headers.extend(dict(headers))
        if self.compressed is not None:
            response.headers["Vary"] = "Accept-Encoding"
        if packed is not None:
            response.headers["Content-Encoding"] = "gzip"
        if status == 200:
            # Weak: the same content, whether compressed or not.
            response.set_etag(self.etag, weak=True)
            response.make_conditional(request)
        return response


@dataclass(frozen=True, slots=True)
class Folder:
    """The public files below a folder by relative path, and the hash of all of them."""

    files: Mapping[str, StaticFile]
    release: str

    @classmethod
    def load(cls, root: Path) -> Self:
        """Read the folder; raises OSError."""
        paths = sorted(path for path in root.rglob("*") if path.suffix in CONTENT_TYPES and path.is_file())
        digest = hashlib.sha256()
        files = {}
        for path in paths:
            name, body = path.relative_to(root).as_posix(), path.read_bytes()
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
            files[name] = StaticFile.of(body, path.suffix)
        return cls(files, digest.hexdigest()[:16])
