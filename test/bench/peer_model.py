# SPDX-License-Identifier: MIT
"""The benchmark's models in PyTorch, written as one writes them plainly, and a process that runs their training steps.

Parameters, sizes and noise are those of method vmoe; the importance and load losses are left out, which saves this side
some work. Served is one line on stdin at a time: "train" answers with the milliseconds of forward, backward and AdamW,
"memory" with the bytes by which the process has grown at most, in its steps after the warm-up, over what it held after
importing torch and before the model was made.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

# name: image size, channels, patch, classes, dim, depth, heads, experts, K, blocks with experts (from 1), batch
MODELS = {
    "F": (28, 1, 4, 10, 96, 6, 4, 8, 1, (2, 4, 6), 128),
    "F-dense": (28, 1, 4, 10, 96, 6, 4, 0, 0, (), 128),
    "T": (224, 3, 16, 1000, 192, 12, 3, 16, 1, (8, 10, 12), 16),
    "T-dense": (224, 3, 16, 1000, 192, 12, 3, 0, 0, (), 16),
    "S": (224, 3, 16, 1000, 384, 12, 6, 16, 2, (8, 10, 12), 16),
    "S-dense": (224, 3, 16, 1000, 384, 12, 6, 0, 0, (), 16),
}


class Ffn(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Moe(nn.Module):
    """A loop over the experts that have tokens."""

    def __init__(self, dim, experts, top_k):
        super().__init__()
        self.router = nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList(Ffn(dim) for _ in range(experts))
        self.top_k = top_k

    def forward(self, x):
        tokens = x.reshape(-1, x.shape[-1])
        logits = self.router(tokens).float()
        if self.training:
            logits = logits + torch.randn_like(logits) / len(self.experts)
        gates, chosen = logits.softmax(-1).topk(self.top_k)
        y = torch.zeros(tokens.shape)
        for number, expert in enumerate(self.experts):
            rows, k = (chosen == number).nonzero(as_tuple=True)
            if len(rows):
                out = expert(tokens.index_select(0, rows)) * gates[rows, k].unsqueeze(1)
                y.index_add_(0, rows, out)
        return y.reshape(x.shape)


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, dim))


class Block(nn.Module):
    def __init__(self, dim, heads, ffn):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = ffn

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    def __init__(self, name):
        super().__init__()
        size, channels, patch, classes, dim, depth, heads, experts, top_k, moe_blocks, self.batch = MODELS[name]
        self.image_shape, self.classes = (self.batch, channels, size, size), classes
        self.embed = nn.Conv2d(channels, dim, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2 + 1, dim))
        self.blocks = nn.ModuleList(
            Block(dim, heads, Moe(dim, experts, top_k) if i + 1 in moe_blocks else Ffn(dim)) for i in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, images):
        x = self.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(len(x), -1, -1), x), 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


def compiled(model):
    """The number of tokens of an expert changes with every step: the loop over experts stays eager, and each expert is
    compiled for any number of rows; all else is compiled as a whole."""
    for part in model.modules():
        if isinstance(part, Moe):
            part.forward = torch.compiler.disable(part.forward, recursive=False)
            for expert in part.experts:
                expert.compile(dynamic=True)
    return torch.compile(model)


def status_bytes(field):
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith(field))


def forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def serve(name, threads, compile_it, dtype, optimizer, cpu_time):
    clock = time.process_time if cpu_time else time.perf_counter
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    (torch.randn(256, 256) @ torch.randn(256, 256)).sum()
    before = status_bytes("VmRSS:")
    plain = Vit(name)
    model = compiled(plain) if compile_it else plain
    images = 2 * torch.rand(plain.image_shape) - 1
    labels = torch.arange(plain.batch) % plain.classes
    adamw = torch.optim.AdamW(plain.parameters(), lr=1e-3, weight_decay=0.05, **{optimizer: True})

    def train():
        start = clock()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
            loss = F.cross_entropy(model(images).float(), labels)
        loss.backward()
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        return 1e3 * (clock() - start)

    for _ in range(4 if compile_it else 2):
        train()
    forget_peak()
    print(json.dumps({"torch": torch.__version__, "parameters": sum(p.numel() for p in plain.parameters())}), flush=True)
    for line in sys.stdin:
        print(status_bytes("VmHWM:") - before if line == "memory\n" else train(), flush=True)
