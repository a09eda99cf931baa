"""What the three trainers share: the corpus, the checksums of the data, the card."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from indexing.types import BadInput, Progress
from rewards.corpus import Corpus, texts_of
from rewards.readings import LAYER, Draft

TRUNK = "multilingual-e5-small"
CHANCE = 3
"""A head on shuffled labels sees every third example once: more of them teach it nothing either."""


def open_corpus(
    home: Path, out: Path, drafts: Iterable[Draft], progress: Progress | None, base: str = TRUNK, layer: int = LAYER
) -> Corpus:
    """The states of all drafts, under `out`/states; a killed run goes on there."""
    from models.trunk import Trunk
    from models.weights import model_folder

    trunk = Trunk.load(model_folder(home, base))
    return Corpus(trunk, texts_of(drafts), out / "states", layer).fill(progress=progress)


def checksums(data: Path, files: Sequence[str]) -> dict[str, str]:
    """sha256 by file from the catalogue, and a refusal of data whose weights may not be released."""
    try:
        entries = {row["file"]: row for row in json.loads((data / "catalogue.json").read_text(encoding="utf-8"))}
    except FileNotFoundError as error:
        raise BadInput(f"There is no catalogue.json in {data}.", "Name the data folder with --data.") from error
    for name in files:
        if name not in entries:
            raise BadInput(f"The data folder has no {name}.", "Fetch the data folder again.")
        if entries[name]["weights"] != "yes":
            raise BadInput(f"Weights trained on {name} may not be released.", "Train on another file.")
    return {name: str(entries[name]["sha256"]) for name in files}


def write_card(
    folder: Path, title: str, text: str, data: Mapping[str, str], rows: Sequence[Sequence[str]], limits: str
) -> None:
    """card.md of a judge: what it is, its data, its figures (first row: the names of the columns), its limits."""
    lines = [f"# {title}", "", text.strip(), "", "## Data", ""]
    lines += [f"- `{name}` (sha256 {digest[:16]})" for name, digest in data.items()]
    lines += [
        "",
        "## Figures",
        "",
        "95% intervals in brackets; whole articles, dialogues or prompts are resampled.",
        "",
    ]
    for i, row in enumerate(rows):
        lines.append("| " + " | ".join(row) + " |")
        if i == 0:
            lines.append("|" + "---|" * len(row))
    lines += ["", "## Limits", "", limits.strip(), ""]
    (folder / "card.md").write_text("\n".join(lines), encoding="utf-8")
