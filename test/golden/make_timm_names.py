# SPDX-License-Identifier: MIT
"""What timm 1.0.31 has under each name whose tensors are named like a vision transformer's.

    python3 make_timm_names.py ROOT         ROOT: of this repository. Needs timm 1.0.31 and torch; takes minutes

writes three files (with clang-format):

    test/golden/timm_names.txt              each name: whether this library can compute it, what no shape tells, the
                                            shapes of its tensors; test_exchange_names.c reads it
    src/exchange/timm_sizes.c               sizes of those that it can: heads and grid by width, depth, FFN and patch
    examples/tgrmoe/models/timm_names.c     preprocessing of those that are there pretrained, by name and tag

A model is built as a user builds it, by timm.create_model(name), on torch's meta device: shapes without numbers.
"""
import collections
import re
import subprocess
import sys
from pathlib import Path

import timm
import torch
from timm.models import get_pretrained_cfg, list_pretrained

TENSORS = re.compile(r"cls_token|dist_token|pos_embed|patch_embed\.proj\.(weight|bias)"
                     r"|blocks\.\d+\.(norm[12]|attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)\.(weight|bias)"
                     r"|blocks\.\d+\.ls[12]\.gamma|norm\.(weight|bias)|head\.(weight|bias)|head_dist\.(weight|bias)")
NEEDED = ["cls_token", "pos_embed", "patch_embed.proj.bias", "norm.weight", "blocks.0.norm1.bias", "blocks.0.attn.qkv.bias",
          "blocks.0.attn.proj.bias", "blocks.0.mlp.fc1.bias", "blocks.0.mlp.fc2.bias"]
INTERPOLATIONS = ("bilinear", "bicubic")


def build(name):
    """The model, or None where its tensors are not named like a vision transformer's."""
    try:
        with torch.device("meta"):
            model = timm.create_model(name)
    except Exception as error:  # some need packages that are not there
        print(f"{name}: {type(error).__name__}, left out", file=sys.stderr)
        return None
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    kernel = shapes.get("patch_embed.proj.weight")
    return (model, shapes) if kernel and len(kernel) == 4 and "blocks.0.norm1.weight" in shapes else None


def is_computed(model, shapes):
    """Whether it is a plain ViT, DeiT or DeiT-III: by what its modules are, not by its name."""
    if type(model).__name__ not in ("VisionTransformer", "VisionTransformerDistilled"):
        return False
    if any(not TENSORS.fullmatch(key) for key in shapes) or any(key not in shapes for key in NEEDED):
        return False
    gelus = all(type(block.mlp.act) is torch.nn.GELU and block.mlp.act.approximate == "none" for block in model.blocks)
    plain = all(type(block).__name__ == "Block" and type(block.attn).__name__ == "Attention" for block in model.blocks)
    scaled = all(block.attn.scale == block.attn.head_dim ** -0.5 for block in model.blocks)
    norms = {module.eps for module in model.modules() if isinstance(module, torch.nn.LayerNorm)}
    heads = {block.attn.num_heads for block in model.blocks}
    rows, columns = model.patch_embed.grid_size
    mlps = all(shapes[f"blocks.{i}.mlp.fc1.weight"] == shapes[f"blocks.{i}.mlp.fc2.weight"][::-1]
               for i in range(len(model.blocks)))
    return (gelus and plain and scaled and mlps and len(norms) == 1 and len(heads) == 1 and rows == columns
            and model.global_pool == "token")


def describe(model, shapes):
    """What the library must find: from shapes, or from its table."""
    return dict(embed_dim=model.embed_dim, depth=len(model.blocks), heads=model.blocks[0].attn.num_heads,
                hidden=shapes["blocks.0.mlp.fc1.weight"][0], patch_size=shapes["patch_embed.proj.weight"][2],
                image_size=model.patch_embed.grid_size[0] * shapes["patch_embed.proj.weight"][2],
                classes=model.num_classes, distillation_token=int("dist_token" in shapes),
                position_cls=int(not model.no_embed_class), layer_scale=int("blocks.0.ls1.gamma" in shapes),
                norm_epsilon=model.norm.eps)


def write_shapes(out, shapes):
    """A line for each tensor; those of blocks that are alike stand once, with the first and the last."""
    blocks = collections.defaultdict(list)
    for key, shape in shapes.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.*)", key)
        if match:
            blocks[int(match[1])].append((match[2], shape))
        else:
            print("tensor", key, *shape, file=out)
    first = 0
    for i in sorted(blocks):
        if i + 1 in blocks and blocks[i] == blocks[i + 1]:
            continue
        print("blocks", first, i, file=out)
        for key, shape in blocks[i]:
            print("each", key, *shape, file=out)
        first = i + 1


def write_sizes(path, models):
    rows = sorted({(d["embed_dim"], d["depth"], d["hidden"], d["heads"], d["patch_size"], d["image_size"] // d["patch_size"],
                    d["position_cls"], d["layer_scale"]): name for name, d in reversed(models.items())}.items())
    heads = {}
    for (dim, depth, hidden, count, *_), name in rows:
        assert heads.setdefault((dim, depth, hidden), count) == count, f"{name}: heads are not told by sizes"
    assert all(d["norm_epsilon"] == 1e-6 for d in models.values()), "the library's default does not do for all"
    with open(path, "w") as out:
        out.write("/* SPDX-License-Identifier: MIT */\n"
                  "/* Written by test/golden/make_timm_names.py from timm %s. */\n" % timm.__version__ +
                  '#include "exchange/timm_sizes.h"\n\n'
                  "const tgr_timm_size tgr_timm_sizes[] = {\n"
                  "    /* dim, depth, hidden, heads, patch, grid, position_cls, layer_scale */\n")
        for row, name in rows:
            out.write("    {%d, %d, %d, %d, %d, %d, %d, %d}, /* %s */\n" % (*row, name))
        out.write("};\nconst int tgr_timm_size_count = sizeof tgr_timm_sizes / sizeof *tgr_timm_sizes;\n")


def numbers(values):
    return "{" + ", ".join(repr(float(value)) for value in values) + "}"


def write_preprocessing(path, models):
    with open(path, "w") as out:
        out.write("/* SPDX-License-Identifier: MIT */\n"
                  "/* Written by test/golden/make_timm_names.py from timm %s. */\n" % timm.__version__ +
                  '#include "models/timm_names.h"\n\n'
                  "const timm_name timm_names[] = {\n")
        for full in sorted(list_pretrained()):
            cfg = get_pretrained_cfg(full)
            if full.split(".")[0] not in models:
                continue
            if cfg.interpolation not in INTERPOLATIONS or cfg.crop_mode not in (None, "center"):
                print(f"{full}: {cfg.interpolation}, {cfg.crop_mode}: left out", file=sys.stderr)
                continue
            out.write('    {"%s", {%s, %s, %r, INTERPOLATION_%s, 0, 1}},\n'
                      % (full, numbers(cfg.mean), numbers(cfg.std), float(cfg.crop_pct), cfg.interpolation.upper()))
        out.write("};\nconst int timm_name_count = sizeof timm_names / sizeof *timm_names;\n")


def main(root):
    computed = {}
    with open(root / "test/golden/timm_names.txt", "w") as out:
        for name in timm.list_models():
            built = build(name)
            if not built:
                continue
            if is_computed(*built):
                computed[name] = describe(*built)
                print("right", name, " ".join(f"{key}={value!r}" for key, value in computed[name].items()), file=out)
            else:
                print("other", name, file=out)
            write_shapes(out, built[1])
    written = [root / "src/exchange/timm_sizes.c", root / "examples/tgrmoe/models/timm_names.c"]
    write_sizes(written[0], computed)
    write_preprocessing(written[1], computed)
    subprocess.run(["clang-format", "-i", *written], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
