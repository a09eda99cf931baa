"""Documentation that can rot: the lists of files, the README's commands and tree, the links."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ["indexing", "models", "rewards", "service", "eval"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_lists_its_files(package: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))) or ""
    listed = re.findall(r"^([a-z_0-9]+) +\S", text, re.MULTILINE)
    files = {path.stem for path in (ROOT / package).glob("*.py") if path.stem != "__init__"}
    folders = {path.name for path in (ROOT / package).iterdir() if path.is_dir()}
    assert sorted(listed) == sorted(set(listed)), "listed twice"
    assert files <= set(listed), f"not listed: {files - set(listed)}"
    assert set(listed) <= files | folders, f"listed, and not there: {set(listed) - files - folders}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_names_make_targets_and_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)", readme)) - {"when"} <= targets
    from typer.main import get_command

    from service.cli import build_cli

    commands = set(get_command(build_cli()).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"bin/passerine (\w+)", readme)) <= commands


def test_every_dependency_has_its_line() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    listed = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    for requirement in wanted:
        name = re.split(r"[\[<>=; ]", requirement)[0]
        assert name == "passerine" or re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", listed), name


def test_an_install_brings_every_file_that_is_no_code() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    for package in PACKAGES:
        folder = ROOT / package
        brought = {path for pattern in settings["package-data"]["*"] for path in folder.glob(f"{pattern}/*")}
        brought |= {path for pattern in settings["package-data"]["*"] for path in folder.glob(pattern)}
        files = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        files = {path for path in files if path.suffix not in (".py", ".pyc") and path.name != ".gitignore"}
        assert files <= brought, f"left out: {sorted(files - brought)[:5]}"


def test_schedulers_know_the_exit_statuses_of_a_refresh() -> None:
    import yaml

    from service.source_commands import BUSY, UNREAD

    unit = (ROOT / "docs/examples/passerine-refresh.service").read_text(encoding="utf-8")
    assert f"SuccessExitStatus={UNREAD} {BUSY}\n" in unit
    job = yaml.safe_load((ROOT / "docs/examples/cronjob.yaml").read_text(encoding="utf-8"))
    (rule,) = job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [UNREAD, BUSY]


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
