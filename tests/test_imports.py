"""The import rules: which package may know which."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ["indexing", "models", "rewards", "service", "eval", "tests"]
FROM_INDEXING = {"indexing.types", "indexing.split", "indexing.chinese"}
"""All that models and rewards may take from indexing."""

FILES = sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever the statement stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    relative = path.relative_to(ROOT)
    own = relative.parts[0]
    names, used = imported(path), packages(path)
    later = set(ORDER[ORDER.index(own) + 1 :])
    if relative == Path("service/cli.py"):
        later.discard("eval")
    assert not used & later, f"{relative} imports from {used & later}"
    if own in ("models", "rewards"):
        modules = {".".join(name.split(".")[:2]) for name in names if name.startswith("indexing")}
        assert modules <= FROM_INDEXING, f"{relative} takes {modules - FROM_INDEXING} from indexing"
    if own != "tests" and relative != Path("indexing/dense.py"):
        assert "faiss" not in used, f"{relative} imports faiss"
    if relative == Path("service/pipeline.py"):
        assert not used & {"fastapi", "starlette"}, f"{relative} knows the web framework"
    if relative.name in ("schemas.py", "operator_schemas.py", "api.py"):
        assert not used & {"torch", "transformers", "faiss"}, f"{relative} imports a model library"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_environment_is_read_in_one_place(path: Path) -> None:
    relative = path.relative_to(ROOT)
    if relative.parts[0] == "tests" or relative == Path("service/config.py"):
        return
    source = path.read_text(encoding="utf-8")
    assert "os.environ" not in source, f"{relative} reads the environment"
    assert "os.getenv" not in source, f"{relative} reads the environment"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_import_does_no_work(path: Path) -> None:
    """Statements at module level define; they call nothing that opens, loads or listens."""
    if path.relative_to(ROOT).parts[0] == "tests":
        return
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr):
            guarded = isinstance(node.value, ast.Constant)
            assert guarded, f"{path}:{node.lineno} does work at import"
        assert not isinstance(node, ast.With | ast.While), f"{path}:{node.lineno} does work at import"


def test_packages_import_without_loading_models() -> None:
    import subprocess

    code = "import service.pipeline, service.schemas, sys; assert 'torch' not in sys.modules, 'torch loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
