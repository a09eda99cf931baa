"""The doctor finds what is wrong and says what to do."""

import shutil
from pathlib import Path

import pytest

from service.config import load
from service.doctor import Finding, examine


def findings(home: Path, repair: bool = False) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in examine(load({"home": home}, {}), repair):
        found.setdefault(finding.subject, []).append(finding)
    return found


@pytest.fixture
def copied(examples_home: Path, tmp_path: Path) -> Path:
    """A home of its own with the example index."""
    shutil.copytree(examples_home / "index", tmp_path / "index")
    (tmp_path / "models").symlink_to(examples_home / "models")
    return tmp_path


def test_a_whole_installation_has_no_failure(copied: Path) -> None:
    found = findings(copied)
    assert {"python", "packages", "faiss", "disk", "database", "model", "index", "encoder", "address"} <= set(found)
    assert [finding for each in found.values() for finding in each if finding.level == "fail"] == []


def test_an_empty_home_lacks_model_and_index(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert found["model"][0].level == "fail"
    assert "passerine models install" in found["model"][0].advice
    assert found["index"][0].level == "warn"


def test_a_damaged_index_file_is_named_and_repaired(copied: Path) -> None:
    [segment, *_] = sorted((copied / "index" / "segments").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(bytes(data))
    [broken] = findings(copied)["index"]
    assert broken.level == "fail"
    assert segment.name in broken.message
    assert "--repair" in broken.advice
    found = findings(copied, repair=True)
    assert found["repair"][0].level == "ok"
    assert findings(copied)["index"][0].level == "ok"


def test_a_damaged_database_is_named(copied: Path) -> None:
    (copied / "passerine.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    [broken] = findings(copied)["database"]
    assert broken.level == "fail"
    assert broken.advice


def test_a_misspelt_variable_is_named(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERINE_PROT", "9000")
    [odd] = findings(copied)["environment"]
    assert odd.level == "warn"
    assert "PASSERINE_PROT" in odd.message
