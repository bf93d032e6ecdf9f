"""PyTorch: tensors by dtype, shape, device, values and gradient; modules come apart into tensors by themselves."""

import sys
from typing import Any

from ezpyp.hashing.framing import digest, tag, text
from ezpyp.hashing.walk import Children, Node, Walker

# Loaded by then: this module is imported when a tensor is met. Nothing else may load it, it takes seconds.
torch: Any = sys.modules.get("torch")

_TENSOR = tag("tensor")
_GRADIENT = tag("gradient")
_GENERATOR = tag("torch generator")


def walk_tensor(w: Walker, tensor: Any) -> Children:
    """A tensor: class, dtype, device, shape, whether it asks for a gradient, and values."""
    if w.met(tensor):
        return
    reason = _reason_to_refuse(tensor)
    if reason:
        w.refuse(tensor, reason)
        return
    w.emit(_TENSOR + text(str(tensor.dtype)) + text(str(tensor.device)) + text(str(tensor.layout)))
    yield type(tensor)
    yield (tuple(tensor.shape), tensor.requires_grad)
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    # Seen as bytes, since NumPy knows no bfloat16.
    w.emit(digest(flat.view(torch.uint8).numpy().data if flat.numel() else b""))
    # A parameter's own copies and pickles leave its gradient behind, so no step ever sees it.
    if not isinstance(tensor, torch.nn.Parameter) and tensor.is_leaf and tensor.grad is not None:
        w.emit(_GRADIENT)
        yield tensor.grad


def _reason_to_refuse(tensor: Any) -> str:
    if tensor.is_nested or tensor.layout is not torch.strided:
        return "only dense tensors have a plain memory to hash; pass .to_dense()"
    if tensor.is_quantized:
        return "the numbers of a quantized tensor mean nothing without their scale; pass .dequantize(), or both"
    return "a meta tensor has no values; pass its shape and dtype" if tensor.is_meta else ""


def walk_generator(w: Walker, generator: Any) -> Children:
    """A random generator: device and state."""
    w.emit(_GENERATOR + text(str(generator.device)))
    yield generator.get_state()


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is a tensor or generator."""
    if kind is torch.Tensor:
        return walk_tensor
    return walk_generator if kind is torch.Generator else None
