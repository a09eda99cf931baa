"""The preference judge: how much people would rather have a candidate than an average demonstration."""

from collections.abc import Sequence
from pathlib import Path

from models.types import Candidate, Conversation
from rewards.interaction import Interaction, Trained, load_network
from rewards.network_fit import outputs_of
from rewards.readings import Readings, draft

BUNDLED = Path(__file__).parent / "bundled" / "preference"


class TrainedPreference:
    """r(dialogue, quote, candidate), with demonstrations at 0 on average (InstructGPT's bias shift)."""

    name = "preference"

    def __init__(self, readings: Readings, network: Interaction, trained: Trained) -> None:
        self.readings = readings
        self.network = network
        self.shift = float(trained.numbers.get("shift", 0.0))

    @classmethod
    def load(cls, readings: Readings, folder: Path = BUNDLED) -> "TrainedPreference":
        """The judge of `folder`. Raises ModelMissing, ModelDamaged or EncoderMismatch."""
        return cls(readings, *load_network(folder, readings.fingerprint, readings.layer))

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[float]:
        """One scalar a candidate; higher is better; demonstrations average 0."""
        if not candidates:
            return []
        drafts = [draft(conversation, candidate) for candidate in candidates]
        return [float(value) - self.shift for value in outputs_of(self.network, self.readings, drafts)[:, 0]]
