"""Files that are there whole or not at all, and digests of their bytes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CHUNK_BYTES = 1 << 20
_PART = ".part-"


LINK_WITHOUT_CONTENT = "link without content: fetch it (datalad get, git annex get or git lfs pull)"
# what git-annex and git-lfs leave in the place of a file whose content was not fetched
POINTER_MARKS = (b"/annex/objects/", b"version https://git-lfs")


def is_link_without_content(path: Path) -> bool:
    """Whether a path is a link that leads nowhere, as git-annex and datalad leave for content not fetched."""
    return path.is_symlink() and not path.exists()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def text_sha256(text: str) -> str:
    """SHA-256 of a text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes `path`'s place when the block ends well, else it is removed.

    A reader sees the old file or the new one, never half of one, even after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # the name keeps its ending: nibabel and others choose the format by it
    handle, name = tempfile.mkstemp(prefix=_PART, suffix=f"-{path.name}", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o666 & ~_umask())
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if error.errno and error.filename is None:  # a write that fails does not say where
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what `whole_file` left under a folder where its process was killed; nothing ever reads such files."""
    for path in folder.rglob(f"{_PART}*"):
        path.unlink(missing_ok=True)


def _umask() -> int:
    """The process's umask (Unix tells it only by setting it)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all, keys in the order given, no NaN."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
