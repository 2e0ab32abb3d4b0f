# SPDX-License-Identifier: MIT
"""Models of timm with random weights, and what timm says of them, for test_exchange_timm.c.

    python3 make_timm.py FOLDER             tiny models: the files of this folder
    python3 make_timm.py FOLDER --full      the models by name at 224 x 224, for the slow tests
    python3 make_timm.py FOLDER --check     timm takes what the library exported: NAME.exported.safetensors

Needs torch, torchvision, timm 1.0.31, safetensors and Pillow 13. NAME.safetensors holds the weights as timm keeps them; NAME.golden (records as in
make_goldens.py) the options that shapes do not tell, images, labels, logits, the output of every block, and how much
one step of SGD changes each tensor. All is computed in double precision from the float32 weights, but for
logits_float32. timm_resample.golden has resampled position embeddings, which timm computes in float32.
"""
import sys
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from PIL import Image
from timm.data.readers.reader_image_folder import ReaderImageFolder
from timm.models.vision_transformer import VisionTransformer
from timm.models.deit import VisionTransformerDistilled
from torchvision.datasets import ImageFolder

sys.dont_write_bytecode = True
from make_goldens import File

RATE = 0.5
TINY = dict(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=5)
FULL = {name: name + "_patch16_224" for name in
        ("deit_tiny", "deit_tiny_distilled", "deit_small", "deit3_small", "vit_tiny")}


def tiny(name):
    if name == "timm_distilled":
        return VisionTransformerDistilled(**TINY)
    if name == "timm_deit3":
        return VisionTransformer(**TINY, init_values=1e-6, no_embed_class=True)
    if name == "timm_headless":
        return VisionTransformer(**{**TINY, "num_classes": 0, "depth": 1, "mlp_ratio": 2.5})
    return VisionTransformer(**TINY)


def make_model(name):
    return timm.create_model(FULL[name]) if name in FULL else tiny(name)


def randomise(model, generator):
    """Weights under which every part of the model matters: as timm draws them, biases are 0 and LayerScale is 1e-6."""
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
        if name.endswith("gamma") or "norm" in name and name.endswith("weight"):
            value = 1 + 0.3 * noise
        elif weight.dim() == 1 or name in ("cls_token", "dist_token", "pos_embed"):
            value = 0.3 * noise
        else:
            value = noise / weight[0].numel() ** 0.5
        weight.data.copy_(value)


def make_case(folder, name, batch=2):
    generator = torch.Generator().manual_seed(sum(name.encode()))
    model = make_model(name).float().eval()
    randomise(model, generator)
    save_file(model.state_dict(), folder / f"{name}.safetensors")
    size = model.patch_embed.img_size[0]
    images = torch.randn(batch, 3, size, size, generator=generator, dtype=torch.float32)
    file = File(folder / f"{name}.golden")
    file.put("heads", np.array([model.blocks[0].attn.num_heads], dtype=np.int32))
    file.put("images", images)
    features = {}
    with torch.no_grad():
        if model.num_classes:
            file.put("logits_float32", model(images))
    model.double()
    for i, block in enumerate(model.blocks):
        block.register_forward_hook(lambda _, __, out, i=i: features.__setitem__(i, out))
    with torch.no_grad():
        logits = model(images.double())
        final = model.forward_features(images.double())
    file.put("features", final)
    for i, output in features.items():
        file.put(f"block.{i}", output)
    if not model.num_classes:
        return
    file.put("logits", logits)
    labels = torch.randint(model.num_classes, (batch,), generator=generator)
    file.put("labels", labels.int())
    file.put("rate", np.array([RATE]))
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    F.cross_entropy(model.train()(images.double()), labels).backward()
    optimizer.step()
    for key, value in model.named_parameters():
        file.put("change." + key, (value.detach() - before[key]).float())


def make_resample(folder):
    """Position embeddings [prefix + from², dim] of one grid made those of another: what a user of timm gets who loads a
    file into a model for other images. Nothing but sizes is passed."""
    torch.set_default_dtype(torch.float32)  # as a user of timm has it; make_goldens works in float64
    generator = torch.Generator().manual_seed(3)
    file = File(folder / "timm_resample.golden")
    names = {0: "deit3_small_patch16_224", 1: "vit_tiny_patch16_224", 2: "deit_tiny_distilled_patch16_224"}
    for case, (prefix, old, new, dim) in enumerate([(1, 4, 7, 5), (2, 7, 4, 3), (0, 3, 8, 4), (1, 14, 24, 2),
                                                    (2, 1, 3, 2), (1, 24, 14, 2), (0, 14, 10, 3), (1, 14, 6, 2)]):
        sizes = dict(patch_size=2, embed_dim=dim, depth=1, num_heads=1, num_classes=2)
        model = timm.create_model(names[prefix], img_size=2 * old, **sizes)
        positions = torch.randn(1, prefix + old * old, dim, generator=generator, dtype=torch.float32)
        assert model.pos_embed.shape == positions.shape
        model.pos_embed.data.copy_(positions)
        with tempfile.TemporaryDirectory() as temporary:
            weights = Path(temporary) / "model.safetensors"
            save_file(model.state_dict(), weights)
            loaded = timm.create_model(names[prefix], img_size=2 * new, **sizes, pretrained=True,
                                       pretrained_cfg_overlay=dict(file=str(weights), num_classes=2))
        file.put(f"sizes.{case}", np.array([prefix, old, new, dim], dtype=np.int32))
        file.put(f"from.{case}", positions)
        file.put(f"to.{case}", loaded.pos_embed.detach())


def make_class_order(folder):
    """How timm and torchvision number the same folders: a line for each, in the order of the labels."""
    names = ["apple", "class1", "class2", "class10", "Zebra", "0", "1", "2", "10", "11", "007", "x1y2", "x1y10", "x01z", "X2",
             "a b", "a-b", "a_b", "A.b", "n01440764", "n1440765", "b12c", "b12", "b", "b9999999999999999999999", "b1e3",
             "~tilde", "_low", "123abc", "12abc"]
    with tempfile.TemporaryDirectory() as root:
        for name in names:
            (Path(root) / name).mkdir()
            Image.new("RGB", (1, 1)).save(Path(root) / name / "0.png")
        orders = {"natural": ReaderImageFolder(root).class_to_idx, "bytes": ImageFolder(root).class_to_idx}
    for order, labels in orders.items():
        assert sorted(labels) == sorted(names)
        (folder / f"class_order_{order}.txt").write_text("".join(f"{name}\n" for name in sorted(labels, key=labels.get)))


def check(folder):
    """What the library exported after an import is what it imported, and timm takes it."""
    paths = sorted(folder.glob("*.exported.safetensors"))
    for path in paths:
        name = path.name.split(".")[0]
        model = make_model(name)
        exported, original = load_file(path), load_file(folder / f"{name}.safetensors")
        model.load_state_dict(exported, strict=True)
        for key, value in original.items():
            again = exported[key]
            assert again.shape == value.shape and again.numpy().tobytes() == value.numpy().tobytes(), key
        print(f"{name}: timm takes it strictly, every tensor to the byte")
    assert paths, f"nothing was exported into {folder}"


def main(folder, mode=None):
    torch.set_num_threads(1)
    if mode == "--check":
        return check(folder)
    for name in FULL if mode == "--full" else ("timm_vit", "timm_distilled", "timm_deit3", "timm_headless"):
        make_case(folder, name)
    if mode is None:
        make_resample(folder)
        make_class_order(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
