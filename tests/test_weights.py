"""The model store finds what is missing, cut or changed, says what to do, and mends it."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from indexing.types import BadInput, ModelDamaged, ModelMissing, StorageFailed
from models import e5_format, manifest, wheels
from models.generator import LocalGenerator
from models.gguf_format import _unpermute
from models.weights import MODELS, install, model_folder, verify
from models.wheels import Wheel

NAME = "tiny"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with the least that makes a model."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    save_file({"weight": np.arange(1000, dtype=np.float32)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def home(tmp_path: Path, source: Path) -> Path:
    """A home with that model installed."""
    install(NAME, tmp_path / "home", f"folder:{source}")
    return tmp_path / "home"


def leftovers(home: Path) -> list[str]:
    return [path.name for path in (home / "models").iterdir() if path.name != NAME]


def test_an_installed_model_is_whole_and_names_every_file(home: Path, source: Path) -> None:
    folder = model_folder(home, NAME)
    assert verify(NAME, home) == []
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert set(files) == {"config.json", "model.safetensors"}
    assert manifest.weights_sha256(folder) == hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    assert leftovers(home) == []


def test_a_cut_file_is_found_at_once_and_mended(home: Path, source: Path) -> None:
    weights = home / "models" / NAME / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(ModelDamaged, match="wrong size") as caught:
        model_folder(home, NAME)
    assert f"passerine models install {NAME}" in caught.value.hint
    install(NAME, home, f"folder:{source}")
    assert weights.read_bytes() == whole
    assert verify(NAME, home) == []
    assert leftovers(home) == []


def test_a_changed_byte_is_found_by_verify_and_mended(home: Path, source: Path) -> None:
    weights = home / "models" / NAME / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert verify(NAME, home) == ["model.safetensors fails its checksum."]
    install(NAME, home, f"folder:{source}")
    assert verify(NAME, home) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99, "files": {}}', '{"format": 1, "files": {}}'])
def test_an_unreadable_manifest_is_damage(home: Path, content: str) -> None:
    (home / "models" / NAME / "manifest.json").write_text(content)
    with pytest.raises(ModelDamaged, match="manifest"):
        model_folder(home, NAME)


def test_a_lost_file_is_named(home: Path) -> None:
    (home / "models" / NAME / "config.json").unlink()
    assert verify(NAME, home) == [f"The model {NAME} lacks its file config.json."]


def test_a_whole_model_is_not_made_again(home: Path) -> None:
    before = (home / "models" / NAME / "manifest.json").stat().st_mtime_ns
    install(NAME, home, "folder:/nowhere")
    assert (home / "models" / NAME / "manifest.json").stat().st_mtime_ns == before


def test_an_absent_model_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        model_folder(tmp_path, "multilingual-e5-small")
    assert caught.value.hint == "Run: passerine models install multilingual-e5-small"


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        install("multilingual-e5-smal", tmp_path)
    assert all(name in caught.value.hint for name in MODELS)


@pytest.mark.parametrize("name", ["../tiny", "a/b", "", ".hidden", "Tiny"])
def test_a_name_cannot_leave_the_store(tmp_path: Path, source: Path, name: str) -> None:
    with pytest.raises(BadInput):
        install(name, tmp_path, f"folder:{source}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("wrong", ["http://example.org/model", "hub:", "disk"])
def test_an_unknown_source_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(BadInput, match="source"):
        install(NAME, tmp_path, wrong)


def test_a_folder_without_weights_is_refused_and_leaves_nothing(tmp_path: Path, source: Path) -> None:
    (source / "model.safetensors").unlink()
    with pytest.raises(ModelMissing, match="safetensors"):
        install(NAME, tmp_path / "home", f"folder:{source}")
    assert leftovers(tmp_path / "home") == []


def test_without_the_hub_the_message_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelMissing) as caught:
        install(NAME, tmp_path / "home", "hub:intfloat/multilingual-e5-small")
    assert "folder:PATH" in caught.value.hint
    assert leftovers(tmp_path / "home") == []


def test_what_a_killed_install_left_is_swept_and_a_running_one_is_not(home: Path, source: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = home / "models" / f".{NAME}.{ended.pid}.abc"
    alive = home / "models" / f".{NAME}.{os.getpid()}.abc"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "half").write_text("x")
    (home / "models" / NAME / "config.json").unlink()
    install(NAME, home, f"folder:{source}")
    assert not dead.exists()
    assert alive.exists()


def test_a_full_disk_is_said_and_leaves_the_old_model(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    changed = home / "models" / NAME / "config.json"
    changed.write_text("{}")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed, match="full"):
        install(NAME, home, f"folder:{source}")
    assert changed.read_text() == "{}"
    assert leftovers(home) == []


def make_wheel(folder: Path, content: bytes) -> Wheel:
    """A wheel of one file, in a folder that pip can look into."""
    path = folder / "passerine_probe-1.0-py3-none-any.whl"
    info = "passerine_probe-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("probe/model.bin", content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: passerine-probe\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return Wheel("passerine-probe==1.0", manifest.sha256(path), "probe/model.bin", hashlib.sha256(content).hexdigest())


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the registry."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def test_a_wheel_is_fetched_and_its_member_checked(registry: Path, tmp_path: Path) -> None:
    wheel = make_wheel(registry, b"weights")
    archive = wheels.download(wheel, tmp_path)
    assert wheels.unpack(archive, wheel, tmp_path / "unpacked").read_bytes() == b"weights"


def test_a_wheel_that_is_not_the_pinned_one_is_refused(registry: Path, tmp_path: Path) -> None:
    wheel = make_wheel(registry, b"weights")
    make_wheel(registry, b"other weights")
    with pytest.raises(ModelDamaged, match="not the file"):
        wheels.download(wheel, tmp_path)


def test_a_wheel_that_cannot_be_had_is_missing_with_a_hint(registry: Path, tmp_path: Path) -> None:
    wheel = make_wheel(registry, b"weights")
    next(registry.glob("*.whl")).unlink()
    with pytest.raises(ModelMissing) as caught:
        wheels.download(wheel, tmp_path)
    assert "folder:PATH" in caught.value.hint


def test_a_member_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, b"weights")
    make_wheel(tmp_path, b"other weights")
    with pytest.raises(ModelDamaged, match="checksum"):
        wheels.unpack(next(tmp_path.glob("*.whl")), wheel, tmp_path / "unpacked")


def test_a_cut_wheel_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, b"weights" * 100)
    archive = next(tmp_path.glob("*.whl"))
    archive.write_bytes(archive.read_bytes()[:-50])
    with pytest.raises(ModelDamaged, match="whole"):
        wheels.unpack(archive, wheel, tmp_path / "unpacked")


def test_4_bit_blocks_become_the_weights_they_stand_for() -> None:
    block = np.zeros(1, e5_format.BLOCK)
    block["scale"] = 0.5
    block["nibbles"][0, 0] = 0xF3
    weights = e5_format.dequantise(block)
    assert (weights[0], weights[16], weights[1]) == ((3 - 8) * 0.5, (15 - 8) * 0.5, -4.0)


@pytest.mark.parametrize("content", [b"", b"E5S1", b"E5S1" + b"\1" * 200, b"GGUF" + b"\0" * 200])
def test_a_file_of_another_kind_is_no_e5_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(ModelDamaged, match=r"model\.bin"):
        e5_format.read(path)


def test_rotary_rows_come_back_in_halves() -> None:
    heads, rows = 2, 8
    halves = np.arange(rows, dtype=np.float32)[:, None]
    paired = halves.reshape(heads, 2, rows // heads // 2, 1).swapaxes(1, 2).reshape(rows, 1)
    assert not np.array_equal(paired, halves)
    assert np.array_equal(_unpermute(paired, heads), halves)


def test_the_chat_model_answers_and_splits_digits(local: LocalGenerator) -> None:
    tokenizer = local.template.tokenizer
    assert tokenizer.tokenize("in 1969") == ["in", "Ġ", "1", "9", "6", "9"]
    turns = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert tokenizer.decode(prompt["input_ids"][0]).endswith("<|im_end|>\n<|im_start|>assistant\n")
    reply = local.model.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(reply) == "The capital of France is Paris.<|im_end|>"
