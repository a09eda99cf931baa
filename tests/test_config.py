"""Settings: their origins, their faults, and their documentation."""

import re
from pathlib import Path

import pytest

from indexing.types import BadInput
from service.config import Settings, load, unknown_variables

DOCS = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_later_origins_win(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("port: 8100\nmode: fast\nnearest: 5\n")
    environment = {"PASSERINE_HOME": str(tmp_path), "PASSERINE_PORT": "8200", "PASSERINE_MODE": "careful"}
    settings = load({"port": 8300, "host": None}, environment)
    assert (settings.port, settings.mode, settings.nearest, settings.host) == (8300, "careful", 5, "127.0.0.1")
    assert settings.origin("port") == "option --port"
    assert settings.origin("mode") == "environment PASSERINE_MODE"
    assert settings.origin("nearest") == str(tmp_path / "settings.yaml")
    assert settings.origin("host") == "default"


def test_every_value_is_printed_with_its_origin_and_a_secret_is_not(tmp_path: Path) -> None:
    settings = load(
        {"home": tmp_path}, {"PASSERINE_GENERATOR_KEY": "s3cret", "PASSERINE_ALLOWED_HOSTS": "a.org, b.org"}
    )
    rows = {name: (value, origin) for name, value, origin in settings.rows()}
    assert set(rows) == set(Settings.model_fields)
    assert rows["generator_key"] == ("set", "environment PASSERINE_GENERATOR_KEY")
    assert rows["allowed_hosts"][0] == "a.org, b.org"
    assert "s3cret" not in repr(settings)


def test_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("prot: 8100\n")
    with pytest.raises(BadInput) as caught:
        load({"home": tmp_path}, {})
    assert "'prot'" in caught.value.message
    assert "'port'" in caught.value.hint


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("port: many\n", "port"),
        ("port: 70000\n", "port"),
        ("mode: quick\n", "mode"),
        ("answer_threshold: 2\n", "answer_threshold"),
    ],
)
def test_wrong_value_names_the_setting_and_its_origin(tmp_path: Path, written: str, named: str) -> None:
    (tmp_path / "settings.yaml").write_text(written)
    with pytest.raises(BadInput) as caught:
        load({"home": tmp_path}, {})
    assert f"'{named}'" in caught.value.message
    assert "settings.yaml" in caught.value.message


@pytest.mark.parametrize("written", ["port: [\n", "- a list\n", "home: /elsewhere\n"])
def test_file_that_is_no_settings_file_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "settings.yaml").write_text(written)
    with pytest.raises(BadInput, match=r"settings\.yaml"):
        load({"home": tmp_path}, {})


def test_misspelt_variables_are_found() -> None:
    assert unknown_variables({"PASSERINE_PORT": "1", "PASSERINE_PROT": "1", "PATH": ""}) == ["PASSERINE_PROT"]


def test_every_setting_has_its_row_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", DOCS, flags=re.M))
    assert set(rows) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if name == "home":
            continue
        default = field.get_default(call_default_factory=False)
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        expected = "empty" if shown in ("", "None", "()") or name == "generator_key" else f"`{shown}`"
        assert rows[name].strip() == expected, name
