"""PyTorch's values by content; run where PyTorch is: ``python -m pytest tests/hashing/check_torch.py``.

It weighs gigabytes, so the suite does without it, and this file has no name that pytest looks for.
"""

import copy
import pickle
import subprocess
import sys

import pytest

from ezpyp.errors import DeclarationError, UnhashableValueError
from ezpyp.hashing.encode import encode, value_digest
from ezpyp.steps.arguments import fill

from ..mpi import ROOT


@pytest.fixture
def torch():
    import torch

    return torch


@pytest.fixture
def tensor(torch):
    return torch.arange(12.0).reshape(3, 4)


def with_gradient(tensor):
    tensor = tensor.clone().requires_grad_()
    tensor.sum().backward()
    return tensor


DIFFERENT = {
    "value": lambda torch, tensor: tensor + 1,
    "dtype": lambda torch, tensor: tensor.double(),
    "bfloat16": lambda torch, tensor: tensor.bfloat16(),
    "float8": lambda torch, tensor: tensor.to(torch.float8_e4m3fn),
    "complex": lambda torch, tensor: tensor.to(torch.complex64),
    "conjugate": lambda torch, tensor: (tensor * 1j).conj(),
    "boolean": lambda torch, tensor: tensor > 3,
    "shape": lambda torch, tensor: tensor.reshape(4, 3),
    "transposed": lambda torch, tensor: tensor.T,
    "empty": lambda torch, tensor: tensor[:0],
    "asks for a gradient": lambda torch, tensor: tensor.clone().requires_grad_(),
    "has a gradient": lambda torch, tensor: with_gradient(tensor),
    "parameter": lambda torch, tensor: torch.nn.Parameter(tensor),
    "array": lambda torch, tensor: tensor.numpy(),
}


def test_each_kind_of_tensor_has_a_digest_of_its_own(torch, tensor):
    values = [tensor, *(make(torch, tensor) for make in DIFFERENT.values())]

    assert len({value_digest(value) for value in values}) == len(values)


@pytest.mark.parametrize("make", DIFFERENT.values(), ids=DIFFERENT)
def test_copies_have_the_same_digest(make, torch, tensor):
    value = make(torch, tensor)

    assert value_digest(make(torch, tensor)) == value_digest(value)
    assert value_digest(copy.deepcopy(value)) == value_digest(value)
    assert value_digest(fill(([value],), (), ())[0][0]) == value_digest(value)


def test_strides_and_views_do_not_count(torch, tensor):
    assert value_digest(tensor[:, 1:3]) == value_digest(tensor[:, 1:3].clone())
    assert value_digest(tensor.T) == value_digest(tensor.T.contiguous())
    assert value_digest(torch.ones(1).expand(5)) == value_digest(torch.ones(5))
    image = tensor.reshape(1, 3, 2, 2)
    assert value_digest(image.to(memory_format=torch.channels_last)) == value_digest(image)


def test_modules_and_states_count_by_content(torch):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    other = copy.deepcopy(model)
    assert value_digest(other) == value_digest(model) == value_digest(pickle.loads(pickle.dumps(model)))
    assert value_digest(other.state_dict()) == value_digest(model.state_dict())

    with torch.no_grad():
        other[0].weight[0, 0] += 1

    assert value_digest(other) != value_digest(model)
    assert value_digest(other.state_dict()) != value_digest(model.state_dict())


REFUSED = {
    "quantized": lambda torch, tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.quint8),
    "sparse": lambda torch, tensor: tensor.to_sparse(),
    "nested": lambda torch, tensor: torch.nested.nested_tensor([tensor, tensor[:2]]),
    "meta": lambda torch, tensor: torch.empty(3, device="meta"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_what_has_no_plain_memory_is_refused_with_its_path(make, torch, tensor):
    with pytest.raises(UnhashableValueError, match=r"args\[0\]\['w'\] cannot be hashed: torch.Tensor: .*pass"):
        encode([{"w": make(torch, tensor)}], ["args[0]"])


def test_tensor_in_the_middle_of_a_computation_cannot_be_handed_over(torch, tensor):
    with pytest.raises(DeclarationError, match="cannot be copied"):
        fill(([tensor.clone().requires_grad_() * 2],), (), ())


def test_step_gets_a_tensor_of_its_own(torch, tensor):
    (made,) = fill(([tensor],), (), ())
    made[0][0, 0] = 7

    assert tensor[0, 0] == 0


def test_ezpyp_does_not_import_it():
    code = (
        "import sys; from ezpyp.hashing.encode import value_digest; value_digest([{1}]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})

    assert done.stdout == "False\n"
