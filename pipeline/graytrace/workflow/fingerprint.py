"""Which code is behind a result: a digest of modules and of everything of this package that they import."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

from graytrace.files import file_sha256, text_sha256

_PACKAGE = Path(__file__).resolve().parents[1]
_ROOT_NAME = _PACKAGE.name


@functools.cache
def code_fingerprint(*modules: str) -> str:
    """Digest of the code behind modules of this package: theirs and what they import of it, data files included.

    Snakemake sees a change of a rule, not of a module that the rule's command imports; this digest as a parameter of
    the rule makes it see both. Comments and layout do not count.

    Parameters
    ----------
    *modules : str
        Dotted names, for example ``graytrace.steps.inspect``. A name of a folder or file under the package that is no
        module (``graytrace/engines/embedded/weights/structures.onnx``) counts by its bytes.
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
