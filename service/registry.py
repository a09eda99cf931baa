"""Versions of trained models: a model that passed the gate is promoted, and the one before it stays for a rollback.

A version is a folder as its trainer made it, copied whole under home/registry/KIND/VERSION beside the gate's result.
Which one is live stands in home/registry/KIND/live.json, which is replaced at once or not at all.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexing.types import BadInput, ModelDamaged
from models.heads import file_sha256

KINDS = ("chat", "reader", "preference", "rules", "support")
WEIGHTS = ("adapter_model.safetensors", "weights.safetensors")
BUNDLED = "bundled"
"""The version that comes with the install; it lies in no folder of the registry."""


@dataclass(frozen=True, slots=True)
class Version:
    """One model of the registry. `passed` are the guarded measures with their lower bounds."""

    kind: str
    name: str
    folder: Path
    promoted_at: str
    passed: Mapping[str, float]


class Registry:
    """Versions of all kinds under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def live(self, kind: str) -> Path | None:
        """The folder of the live version; None when it is the bundled one. Raises BadInput, or ModelDamaged when the
        version's weights are not those that passed the gate."""
        name = self.history(kind)[-1]
        if name == BUNDLED:
            return None
        folder = self.place(kind) / name
        facts = read_json(folder / "version.json")
        if any(facts.get(name, checksum) != checksum for name, checksum in checksums(folder).items()):
            raise ModelDamaged(f"The promoted {kind} model {name} is damaged.", f"`passerine rollback {kind}`.")
        return folder

    def history(self, kind: str) -> list[str]:
        """Names of what was live, oldest first; the last is live now."""
        path = self.place(kind) / "live.json"
        return [str(name) for name in read_json(path)["history"]] if path.is_file() else [BUNDLED]

    def versions(self) -> list[Version]:
        """All promoted models that are kept."""
        found = []
        for path in sorted(self.folder.glob("*/*/version.json")):
            facts = read_json(path)
            bounds = {name: float(one["low"]) for name, one in facts["gate"]["measures"].items()}
            found.append(Version(path.parts[-3], path.parent.name, path.parent, facts["promoted_at"], bounds))
        return found

    def promote(self, kind: str, model: Path, gate: Path) -> Version:
        """Copies a model into the registry and makes it live. Raises BadInput when the gate did not pass, or judged
        another model."""
        result, judged = read_json(gate), checksums(model)
        if any(result.get(name) != checksum for name, checksum in judged.items()):
            raise BadInput(f"{gate} judged another model than {model}.", "Run `passerine evaluate gate` for this one.")
        if not result.get("passed"):
            worse = ", ".join(name for name, one in result["measures"].items() if not one["passed"])
            raise BadInput(f"The model did not pass the gate: {worse}.", "Train it further, or keep the one there is.")
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S}-{judged['weights_sha256'][:8]}"
        place = self.place(kind)
        fresh = place / f"{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(model, fresh, ignore=shutil.ignore_patterns("work"))
        facts = {"promoted_at": now.isoformat(timespec="seconds"), **judged, "gate": result}
        (fresh / "version.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        fresh.replace(place / name)
        self.point(kind, [*self.history(kind), name])
        return next(version for version in self.versions() if version.name == name)

    def rollback(self, kind: str) -> str:
        """Makes the version before the live one live again; returns its name. Raises BadInput at the first one."""
        history = self.history(kind)
        if len(history) == 1:
            raise BadInput(f"There is no earlier {kind} model.", "`passerine versions` lists what was promoted.")
        self.point(kind, history[:-1])
        return history[-2]

    def point(self, kind: str, history: Sequence[str]) -> None:
        """Writes which versions were live, beside its place and then into it."""
        place = self.place(kind)
        place.mkdir(parents=True, exist_ok=True)
        (place / "live.new").write_text(json.dumps({"history": list(history)}) + "\n", encoding="utf-8")
        (place / "live.new").replace(place / "live.json")

    def place(self, kind: str) -> Path:
        """The folder of a kind. Raises BadInput for an unknown one."""
        if kind not in KINDS:
            raise BadInput(f"There is no kind of model '{kind}'.", f"The kinds: {', '.join(KINDS)}.")
        return self.folder / kind


def weights_of(model: Path) -> Path:
    """The weight file of a model's folder. Raises BadInput when it holds none."""
    for name in WEIGHTS:
        if (model / name).is_file():
            return model / name
    raise BadInput(f"{model} holds no trained model.", "Name a folder that `passerine train` made.")


def checksums(model: Path) -> dict[str, str]:
    """What a model says by: the sha256 of its weights, and of its sum where it has one (the support judge's)."""
    weights = weights_of(model)
    summed = weights.with_name("calibration.json")
    found = {"weights_sha256": file_sha256(weights)}
    return found | ({"calibration_sha256": file_sha256(summed)} if summed.is_file() else {})


def read_json(path: Path) -> dict[str, Any]:
    """An object of a JSON file. Raises BadInput when it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}).", "Name a file that Passerine wrote.") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no object.", "Name a file that Passerine wrote.")
    return found
