"""The arithmetic of the trunk: which precisions there are, and which one suits this machine."""

import torch

from indexing.types import BadInput

PRECISIONS = ("auto", "float32", "bfloat16", "int8")


def resolve(precision: str, device: torch.device) -> str:
    """The precision that "auto" stands for on this machine; any other name as it is. Raises BadInput."""
    if precision not in PRECISIONS:
        raise BadInput(f"There is no precision {precision!r}.", f"Use one of {', '.join(PRECISIONS)}.")
    if precision == "int8" and (device.type != "cpu" or not has_fast_bytes()):
        raise BadInput("8 bits need a CPU with AVX-512 VNNI.", "Use auto.")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if device.type == "cpu" and has_fast_bytes():
        return "int8"
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bfloat16"
    return "float32"


def has_fast_bytes() -> bool:
    """Whether this CPU and this build of torch multiply bytes fast and exactly.

    Older vector units add pairs of products in 16 bits, which overflow; VNNI adds in 32.
    """
    capable = torch.backends.cpu.get_cpu_capability().startswith("AVX512") and torch.cpu._is_vnni_supported()
    fused = hasattr(torch.ops.onednn, "qlinear_pointwise")
    return capable and fused and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
