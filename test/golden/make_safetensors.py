# SPDX-License-Identifier: MIT
"""Makes the safetensors files that test_safetensors*.c read, with the format's reference library.

    python3 make_safetensors.py FOLDER              needs safetensors and torch
    python3 make_safetensors.py --check FILE        fails unless that library reads the file that
                                                    test_safetensors_writer.c wrote, and would have written the same
"""
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

TEXTS = {"note": 'line\n"two" ü'}


def mixed():
    """Every type that can be read, some that cannot, an empty tensor, a single number, a name that must be escaped."""
    return {
        "weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 2,
        "empty": torch.zeros(0, 4),
        "half": torch.tensor([1, -0.0, 65504, 2.0**-24]).half().reshape(1, 2, 2),
        'näme "\\\n\x01': torch.tensor(3.5).half(),
        "bf16": torch.tensor([1, -2, 2.0**-8, 3.0e38]).bfloat16(),
        "int64": torch.tensor([-1, 2**62]),
        "bytes": torch.tensor([1, 2, 255], dtype=torch.uint8),
    }


def ours():
    """What test_safetensors_writer.c writes."""
    return {
        "z.weight": (torch.arange(6, dtype=torch.float32).reshape(2, 3) - 3) / 4,
        "a.bias": torch.tensor([1.0, 2.0, 3.0]),
        "scalar": torch.tensor(7.0),
        "none": torch.zeros(2, 0),
        "rounded": torch.tensor([1.00390625, -2.501, 3.0e38, 1e-40]).bfloat16(),
        'q"\\\b\f\n\r\t\x01\x7fü/': torch.tensor([0.5]).bfloat16(),
    }


def check(path):
    with safe_open(path, "pt") as file:
        assert file.metadata() == TEXTS, file.metadata()
        assert set(file.keys()) == set(ours()), file.keys()
        for name, tensor in ours().items():
            read = file.get_tensor(name)
            assert read.dtype == tensor.dtype and read.shape == tensor.shape and torch.equal(read, tensor), name
    assert Path(path).read_bytes() == save(ours(), TEXTS), "the reference library writes other bytes"


if sys.argv[1] == "--check":
    check(sys.argv[2])
else:
    folder = Path(sys.argv[1])
    (folder / "mixed.safetensors").write_bytes(save(mixed(), {"format": "pt"}))
    (folder / "sorted.safetensors").write_bytes(save(ours(), TEXTS))
