"""JSON Lines files, compressed or not: what training data comes in."""

import gzip
import json
from pathlib import Path
from typing import Any

from indexing.types import BadInput


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file. Raises BadInput when it is absent or is no such file."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except FileNotFoundError:
        raise BadInput(f"There is no training file {path}.", "Name the data folder with --data.") from None
    except (OSError, EOFError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Copy it again.") from error


def kept_lines(path: Path) -> list[dict[str, Any]]:
    """What runs have added to a file so far: nothing where there is none. A line that a killed run left half-written is
    left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
