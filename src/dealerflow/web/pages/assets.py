"""Our own style sheets, scripts and pictures. Their addresses change with their content, so browsers keep them for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from litestar import Response
from litestar import get as litestar_get
from litestar.params import FromPath

from dealerflow.domain.errors import NotFound
from dealerflow.web.security import STATIC

FOLDER = files("dealerflow.web") / "static"
MEDIA_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "png": "image/png",
}
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True)
class Assets:
    """All files by name. `version` is a hash over them all: scripts import each other by relative addresses."""

    version: str
    contents: dict[str, bytes]

    def url(self, name: str) -> str:
        """The address of that file. One that does not exist is a mistake of ours: KeyError."""
        if name not in self.contents:
            raise KeyError(name)
        return f"{STATIC}{self.version}/{name}"


@lru_cache(maxsize=1)
def assets() -> Assets:
    """Read once; they come with the program."""
    contents = {
        file.name: file.read_bytes()
        for file in FOLDER.iterdir()
        if file.name.rpartition(".")[2] in MEDIA_TYPES
    }
    whole = hashlib.sha256()
    for name in sorted(contents):
        whole.update(name.encode() + b"\0" + contents[name])
    return Assets(version=whole.hexdigest()[:12], contents=contents)


@litestar_get(
    STATIC + "{version:str}/{name:str}",
    include_in_schema=False,
    sync_to_thread=False,
    media_type="text/plain",
)
def send_asset(version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A file. During an update an older page may ask for an older version: it gets the present file, and does not keep it."""
    content = assets().contents.get(name)
    if content is None:
        raise NotFound(f"there is no file {name}")
    caching = FOR_EVER if version == assets().version else ASK_EACH_TIME
    kind = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response(content, media_type=kind, headers={"Cache-Control": caching})


ROUTES = (send_asset,)
