"""`passerine train ranges`: the ranges of the bundled trunk and reader found anew, which a start then only looks up."""

from pathlib import Path

from indexing.types import BadInput, Progress
from models.heads import file_sha256
from models.layers import LayerWeights
from models.ranges import NAME, save_ranges
from models.reader import BUNDLED, Reader, read_config, read_upper
from models.trunk import Trunk
from models.weights import model_folder

TRUNK = "multilingual-e5-small"


def train_ranges(home: Path, out: Path, progress: Progress | None = None, reader: Path = BUNDLED) -> None:
    """Write `out`/calibration/ranges.safetensors for the trunk and `out`/reader/ranges.safetensors for the reader of a
    folder. Raises BadInput on a processor that does not multiply bytes fast."""
    from safetensors.torch import load_file

    folder = model_folder(home, TRUNK)
    trunk = Trunk.load(folder)
    if trunk.precision != "int8":
        raise BadInput("This processor has no use for ranges.", "Find them on one with AVX-512 VNNI.")
    weights = load_file(folder / "model.safetensors")
    own = trunk.calibrated([LayerWeights.of(number, weights) for number in range(trunk.layers)])
    config = read_config(reader)
    read = Reader(trunk, trunk.tokenizer, read_upper(reader, config), config)
    found = {
        "calibration": (own.ranges, trunk.fingerprint),
        "reader": (read.ranges, file_sha256(reader / "weights.safetensors")),
    }
    for number, (name, (ranges, made_for)) in enumerate(found.items(), 1):
        (out / name).mkdir(parents=True, exist_ok=True)
        save_ranges(out / name / NAME, ranges, made_for)
        if progress is not None:
            progress("ranges", number, len(found))
