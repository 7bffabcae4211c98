"""Which code made a result, from which bytes, and files that are there whole or not at all."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent
_ROOT_NAME = _PACKAGE.name
_CHUNK_BYTES = 1 << 20
_PART = ".part-"


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


def package_version(distribution: str) -> str:
    """Version of an installed distribution, ``unknown`` when it is not installed as one."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def package_versions(*distributions: str) -> dict[str, str]:
    """Versions of installed distributions by name."""
    return {name: package_version(name) for name in distributions}


@functools.cache
def code_fingerprint(*modules: str) -> str:
    """Digest of the code behind modules of this package: theirs and what they import of it, data files included.

    Snakemake sees a change of a rule, not of a module that the rule's command imports; this digest as a parameter of
    the rule makes it see both. Comments and layout do not count.

    Parameters
    ----------
    *modules : str
        Dotted names, for example ``graytrace.steps.inspect``. A name of a folder or file under the package that is no
        module (``graytrace/engines/weights/structures.onnx``) counts by its bytes.
    """
    parts = [name for name in modules if "/" not in name]
    files = [name for name in modules if "/" in name]
    lines = [f"{name} {_facts(name)[0]}" for name in sorted(_closure(parts))]
    for name in files:
        path = _PACKAGE.parent / name
        lines.append(f"{name} {file_sha256(path) if path.is_file() else 'absent'}")
    return text_sha256("\n".join(lines))[:16]


def _closure(modules: list[str]) -> set[str]:
    """The modules and everything of this package that they import, directly or not."""
    known: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in known or _source_path(name) is None:
            continue
        known.add(name)
        waiting += _facts(name)[1]
        waiting += [name.rpartition(".")[0]]
    return known


@functools.cache
def _source_path(module: str) -> Path | None:
    """File of a module of this package, None for what is no module of it."""
    first, *rest = module.split(".")
    if first != _ROOT_NAME:
        return None
    base = _PACKAGE.joinpath(*rest)
    candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


@functools.cache
def _facts(module: str) -> tuple[str, tuple[str, ...]]:
    """Digest of a module, and every name of this package that it imports, wherever in it the import stands."""
    path = _source_path(module)
    if path is None:
        raise ModuleNotFoundError(f"No module {module!r} in {_PACKAGE}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return text_sha256(ast.dump(tree)), tuple(name for name in names if name.split(".")[0] == _ROOT_NAME)
