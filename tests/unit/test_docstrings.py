"""What takes or returns arrays says their shape, unit and range in a numpydoc docstring, and by the names of `arrays`.

Read from the source, without importing it: annotations are looked at as they are written.
"""

import ast
import re
from pathlib import Path

import pytest

import graytrace

PACKAGE = Path(graytrace.__file__).parent
ROOMS = ("algorithms", "statistics", "images", "engines", "report", "api.py", "arrays.py")
ALIAS = re.compile(r"^(\w+): TypeAlias = NDArray\[", re.MULTILINE)
# names of arrays that are not ours
OTHERS = {"ArrayLike", "NDArray", "ndarray", "ScanLike"}


def _modules(*rooms):
    paths = [
        path
        for room in rooms
        for path in ([PACKAGE / room] if room.endswith(".py") else (PACKAGE / room).rglob("*.py"))
    ]
    return sorted(paths)


ARRAYS = {name for path in _modules(*ROOMS) for name in ALIAS.findall(path.read_text(encoding="utf-8"))} | OTHERS


def _public(tree):
    """Public functions of a module, and public methods of its public classes but properties."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        for found in inside:
            is_function = isinstance(found, ast.FunctionDef) and not found.name.startswith("_")
            if is_function and not any("property" in ast.unparse(decorator) for decorator in found.decorator_list):
                yield found


def _names(annotation):
    return set(re.findall(r"\w+", ast.unparse(annotation))) if annotation is not None else set()


def _parameters(function):
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument for argument in every if argument.arg not in {"self", "cls"}]


def _own(function):
    """The function's own nodes, without those of functions within it."""
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            yield node
            waiting += ast.iter_child_nodes(node)


def _section(docstring, title):
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", docstring, flags=re.MULTILINE | re.DOTALL)
    return found[1] if found else None


def _named(section):
    """Names before the colon of each entry: "a, b : float"."""
    entries = re.findall(r"^(\w[\w, ]*) : ", section or "", flags=re.MULTILINE)
    return {name for entry in entries for name in entry.split(", ")}


def _faults(function):
    docstring = ast.get_docstring(function) or ""
    parameters = {argument.arg for argument in _parameters(function)}
    missing = parameters - _named(_section(docstring, "Parameters"))
    if missing:
        yield f"Parameters lacks {sorted(missing)}"
    gives = function.returns is not None and ast.unparse(function.returns) != "None"
    if gives and not _section(docstring, "Returns"):
        yield "no Returns"
    raises = {
        node.exc.func.id
        for node in _own(function)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
    told = _section(docstring, "Raises") or ""
    for name in sorted(raises):
        if not re.search(rf"^{name}$", told, flags=re.MULTILINE):
            yield f"Raises lacks {name}"


def _fields(node):
    """Names written in the annotation of each field of a class."""
    every = [field for field in node.body if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)]
    return {field.target.id: _names(field.annotation) for field in every}


def _classes(path):
    """Public classes of a module that hold an array, with their fields that are one."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            holding = [name for name, kinds in _fields(node).items() if ARRAYS & kinds]
            if holding:
                yield node, holding


HOLDERS = {node.name for path in _modules(*ROOMS) for node, _ in _classes(path)}


def _id(path):
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", _modules(*ROOMS), ids=_id)
def test_functions_of_arrays_tell_parameters_results_and_errors(path):
    faults = []
    for function in _public(ast.parse(path.read_text(encoding="utf-8"))):
        annotations = [*(argument.annotation for argument in _parameters(function)), function.returns]
        if (ARRAYS | HOLDERS) & set().union(*map(_names, annotations)):
            faults += [f"{function.name} (line {function.lineno}): {fault}" for fault in _faults(function)]
    assert faults == []


@pytest.mark.parametrize("path", _modules(*ROOMS), ids=_id)
def test_classes_that_hold_arrays_tell_each_field(path):
    faults = []
    for node, holding in _classes(path):
        told = _named(_section(ast.get_docstring(node) or "", "Parameters"))
        faults += [f"{node.name}.{name}" for name in holding if name not in told]
    assert faults == []


def test_no_array_is_without_a_name():
    nameless = re.compile(r"NDArray\[Any\]")
    found = [_id(path) for path in PACKAGE.rglob("*.py") if nameless.search(path.read_text(encoding="utf-8"))]
    assert found == ["arrays.py"]  # where a file's voxels may be of any type


def test_each_name_of_an_array_tells_its_shape():
    body = ast.parse((PACKAGE / "arrays.py").read_text(encoding="utf-8")).body
    aliases = [place for place, node in enumerate(body) if isinstance(node, ast.AnnAssign)]
    assert aliases
    for place in aliases:
        told = body[place + 1]
        assert isinstance(told, ast.Expr)
        assert re.match(r"\([^)]+\)", told.value.value), ast.unparse(body[place])
