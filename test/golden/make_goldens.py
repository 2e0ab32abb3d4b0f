# SPDX-License-Identifier: MIT
"""Makes the files that test_golden.c compares the library with: small models computed in double precision by PyTorch,
every gradient by autograd. Written from the formulas, sharing no code with the library.

    python3 make_goldens.py FOLDER          needs torch and numpy

A file is a list of records: name length (u32), name, type (u32: 0 float32, 1 float64, 2 int32, 3 text), number of
dimensions (u32), dimensions (u64 each), data; all little-endian. Weights are float32 numbers, so that both sides start
from the same; expected values were computed in double.
"""
import math
import struct
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

# Random numbers: Philox 4x32-10 keyed by seed, step and place (src/base/random.h).
INIT, ROUTER_NOISE, DROP_PATH = 1, 2, 3


def philox(seed, counter):
    """counter: uint64 array [n, 4] of 32-bit words -> words [n, 4]."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & low, (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & low]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack(c, axis=1)


def uniform(seed, step, kind, layer, index):
    index = np.asarray(index, dtype=np.uint64)
    block = index // np.uint64(4)
    counter = np.zeros((len(index), 4), dtype=np.uint64)
    counter[:, 0] = block & np.uint64(0xFFFFFFFF)
    counter[:, 1] = block >> np.uint64(32)
    counter[:, 2] = kind | layer << 4
    counter[:, 3] = step
    words = philox(seed, counter)
    return (words[np.arange(len(index)), (index % np.uint64(4)).astype(int)].astype(np.float64) + 0.5) / 2**32


def normal(seed, step, kind, layer, count):
    index = np.arange(count, dtype=np.uint64)
    u0 = uniform(seed, step, kind, layer, index & ~np.uint64(1))
    angle = 2 * math.pi * uniform(seed, step, kind, layer, index | np.uint64(1))
    return np.sqrt(-2 * np.log(u0)) * np.where(index % np.uint64(2) == 0, np.cos(angle), np.sin(angle))


def number(text):
    return float(text) if any(c in text for c in ".e") else int(text)


class Config(dict):
    """What a case sets, over the defaults that matter here: a model's, and those of its method (see METHODS)."""

    MODEL = dict(
        image_size=8, channels=3, patch_size=4, classes=5, embed_dim=12, depth=3, heads=3, mlp_ratio=2,
        distillation_token=0, layer_scale=0, drop_path=0, position_cls=1, label_smoothing=0)

    def __init__(self, method, **given):
        known = self.MODEL | (METHODS[method].OPTIONS if method != "dense" else {})
        assert given.keys() <= known.keys(), given.keys() - known.keys()
        super().__init__(known, method=method, **given)
        self.__dict__ = self

    def text(self):
        return "".join(f"{k}={v}\n" for k, v in self.items())

    def blocks(self, key):
        return [int(b) - 1 for b in str(self.get(key, "")).split(",") if b]


def make_weights(config, generator):
    """Random weights under timm's names, large enough that every gradient is."""
    d, hidden = config.embed_dim, round(config.embed_dim * config.mlp_ratio)
    patches = (config.image_size // config.patch_size) ** 2
    prefix = 1 + config.distillation_token
    shapes = {"cls_token": (1, 1, d)}
    if config.distillation_token:
        shapes["dist_token"] = (1, 1, d)
    shapes["pos_embed"] = (1, patches + (prefix if config.position_cls else 0), d)
    shapes["patch_embed.proj.weight"] = (d, config.channels, config.patch_size, config.patch_size)
    shapes["patch_embed.proj.bias"] = (d,)
    moe = config.blocks("moe_blocks")
    special = {}
    for b in range(config.depth):
        p = f"blocks.{b}."
        shapes |= {p + "norm1.weight": (d,), p + "norm1.bias": (d,), p + "attn.qkv.weight": (3 * d, d),
                   p + "attn.qkv.bias": (3 * d,), p + "attn.proj.weight": (d, d), p + "attn.proj.bias": (d,),
                   p + "norm2.weight": (d,), p + "norm2.bias": (d,)}
        if config.layer_scale:
            shapes |= {p + "ls1.gamma": (d,), p + "ls2.gamma": (d,)}
        if b in moe:
            e = config.experts
            tensors = METHODS[config.method].tensors(config)
            shapes |= {p + "moe." + name: shape for name, (shape, _) in tensors.items()}
            special |= {p + "moe." + name: make for name, (_, make) in tensors.items() if make}
            shapes |= {p + "moe.experts.fc1.weight": (e, hidden, d), p + "moe.experts.fc1.bias": (e, hidden),
                       p + "moe.experts.fc2.weight": (e, d, hidden), p + "moe.experts.fc2.bias": (e, d)}
            if config.shared_experts:
                h = hidden * config.shared_experts
                shapes |= {p + "moe.shared.fc1.weight": (h, d), p + "moe.shared.fc1.bias": (h,),
                           p + "moe.shared.fc2.weight": (d, h), p + "moe.shared.fc2.bias": (d,)}
        else:
            shapes |= {p + "mlp.fc1.weight": (hidden, d), p + "mlp.fc1.bias": (hidden,),
                       p + "mlp.fc2.weight": (d, hidden), p + "mlp.fc2.bias": (d,)}
    shapes |= {"norm.weight": (d,), "norm.bias": (d,), "head.weight": (config.classes, d), "head.bias": (config.classes,)}
    if config.distillation_token:
        shapes |= {"head_dist.weight": (config.classes, d), "head_dist.bias": (config.classes,)}
    weights = {}
    for name, shape in shapes.items():
        value = special[name](generator) if name in special else torch.randn(shape, generator=generator) * 0.3
        if "norm" in name and name.endswith("weight"):
            value = 1 + value
        weights[name] = value.float().double().requires_grad_()
    return weights


def squared_cv(values):
    """var / mean², population variance."""
    return values.var(unbiased=False) / values.mean() ** 2


def ffn(x, w1, b1, w2, b2):
    return F.gelu(x @ w1.T + b1) @ w2.T + b2


class Layer:
    """What a method sees of a MoE layer: T tokens x [T, d], image after image, and the tensors below `prefix`."""

    def __init__(self, config, x, weights, prefix, seed, index, sequence, patches):
        self.config, self.x, self.weights, self.prefix, self.seed, self.index = config, x, weights, prefix, seed, index
        self.tokens, self.sequence = x.shape[0], sequence
        self.prefix_tokens = 1 + config.distillation_token
        self.patches = patches  # [T, patch_dim], zero for prefix tokens

    def tensor(self, name):
        return self.weights[self.prefix + name]

    def expert(self, e, rows):
        """rows [n, d] -> [n, d]"""
        parts = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
        return ffn(rows, *(self.tensor(f"experts.{part}")[e] for part in parts))

    def shared(self):
        return ffn(self.x, *(self.tensor(f"shared.{part}") for part in ("fc1.weight", "fc1.bias", "fc2.weight",
                                                                        "fc2.bias")))


class Method:
    """One layer's decisions and auxiliary losses. A method sets, in its constructor: logits and p [T, E], choices, gates
    and kept [T, K], terms {name: value}; and where it has state, sums {tensor name: what backward leaves in the place of
    its gradient} and after {tensor name: value after an optimizer step}."""

    OPTIONS = dict(experts=4, moe_blocks="2,3", shared_experts=0)

    @staticmethod
    def tensors(config):
        """{name below the layer: (shape, None for random numbers or a function of the generator)}"""
        return {"router.weight": ((config.experts, config.embed_dim), None)}

    def __init__(self, layer):
        self.layer, self.terms, self.sums, self.after = layer, {}, {}, {}

    def output(self):
        """y [T, d], from choices, gates and kept."""
        layer = self.layer
        outputs = torch.stack([layer.expert(e, layer.x) for e in range(layer.config.experts)], dim=1)
        picked = outputs.gather(1, self.choices[..., None].expand(-1, -1, layer.x.shape[1]))
        return (picked * (self.gates * self.kept)[..., None]).sum(1)


class SoftmaxTopK(Method):
    """V-MoE, TGR-MoE (whose guidance is added outside) and Switch."""

    TEACHER = dict(distill_weight=5, teacher_load_weight=0.005, teacher_entropy_weight=0.005, teacher_layers="",
                   teacher_feature="ffn_input")
    BALANCE = dict(importance_weight=0, switch_weight=0, z_weight=0, router_task_gradient=1)
    OPTIONS = Method.OPTIONS | TEACHER | BALANCE | dict(
        top_k=1, capacity_factor=0, batch_prioritized=1, router_noise=0, renormalize=0, load_weight=0)

    def __init__(self, layer):
        super().__init__(layer)
        config = layer.config
        e, k = config.experts, config.top_k
        self.score()
        noise = normal(layer.seed, 0, ROUTER_NOISE, layer.index, layer.tokens * e).reshape(layer.tokens, e)
        self.noisy = self.logits + torch.from_numpy(noise * config.get("router_noise", 0) / e)
        self.take(self.noisy.softmax(-1), self.select(k))
        self.kept = self.dispatch(self.gates.detach())
        self.balance()

    def score(self):
        self.logits = self.layer.x @ self.layer.tensor("router.weight").T
        self.p = self.logits.softmax(-1)

    def select(self, k):
        """The choices [T, K]."""
        return self.noisy.topk(k, dim=-1).indices

    def take(self, probabilities, choices):
        """Gates: the probabilities of the choices."""
        config = self.layer.config
        self.choices = choices
        gates = probabilities.gather(-1, choices)
        if config.renormalize:
            gates = gates / gates.sum(-1, keepdim=True)
        self.gates = gates if config.router_task_gradient else gates.detach()

    def dispatch(self, gates):
        """Which choices get a slot: all first choices before any second, by largest gate or by position."""
        config, tokens = self.layer.config, self.layer.tokens
        kept = torch.ones_like(self.choices, dtype=torch.bool)
        if not config.capacity_factor:
            return kept
        capacity = math.ceil(tokens * config.top_k * config.capacity_factor / config.experts)
        order = range(tokens)
        if config.batch_prioritized:
            order = sorted(order, key=lambda t: (-gates[t, 0].item(), t))
        used = [0] * config.experts
        for k in range(config.top_k):
            for t in order:
                expert = self.choices[t, k].item()
                kept[t, k] = used[expert] < capacity
                used[expert] += 1
        return kept

    def balance(self):
        config, tokens = self.layer.config, self.layer.tokens
        e, k = config.experts, config.top_k
        if config.importance_weight:
            self.terms["importance"] = config.importance_weight * squared_cv(self.p.sum(0))
        if config.get("load_weight"):
            threshold = self.noisy.topk(k, dim=-1).values[:, -1:]
            winning = 1 - torch.special.ndtr((threshold - self.logits) * e)
            self.terms["load"] = config.load_weight * squared_cv(winning.mean(0))
        if config.switch_weight:
            share = F.one_hot(self.choices, e).sum((0, 1)).double() / (tokens * k)
            self.terms["switch"] = config.switch_weight * e * (share * self.p.mean(0)).sum()
        if config.z_weight:
            self.terms["z"] = config.z_weight * (self.logits.logsumexp(-1) ** 2).mean()


class Hash(Method):
    """A fixed expert for each position."""

    @staticmethod
    def tensors(config):
        tokens = (config.image_size // config.patch_size) ** 2 + 1 + config.distillation_token
        return {"router.hash": ((tokens,), lambda g: torch.randint(config.experts, (tokens,), generator=g).double())}

    def __init__(self, layer):
        super().__init__(layer)
        table = layer.tensor("router.hash").detach().long()
        self.choices = table[torch.arange(layer.tokens) % layer.sequence][:, None]
        self.logits = torch.zeros(layer.tokens, layer.config.experts)
        self.p = F.one_hot(self.choices[:, 0], layer.config.experts).double()
        self.gates, self.kept = torch.ones_like(self.choices).double(), torch.ones_like(self.choices)


class LossFree(SoftmaxTopK):
    """Selects by p + b and weighs by p; the loads of a step move b after it."""

    OPTIONS = Method.OPTIONS | SoftmaxTopK.TEACHER | SoftmaxTopK.BALANCE | dict(
        top_k=1, capacity_factor=0, batch_prioritized=1, renormalize=0, bias_rate=0.1)

    @staticmethod
    def tensors(config):
        return Method.tensors(config) | {"router.bias": ((config.experts,), None)}

    def select(self, k):
        bias = self.layer.tensor("router.bias").detach()
        choices = (self.p + bias).topk(k, dim=-1).indices
        load = F.one_hot(choices, self.layer.config.experts).sum((0, 1)).double()
        self.sums = {"router.bias": load}
        self.after = {"router.bias": bias + self.layer.config.bias_rate * (load.mean() - load).sign()}
        return choices


class DefaultMoE(SoftmaxTopK):
    """Experts that were not selected are stood in for by running means of what they give, updated before use."""

    OPTIONS = Method.OPTIONS | SoftmaxTopK.TEACHER | SoftmaxTopK.BALANCE | dict(
        top_k=1, default_beta=0.9, default_weighted=1)

    @staticmethod
    def tensors(config):
        e, d = config.experts, config.embed_dim
        return Method.tensors(config) | {
            "router.default": ((e, d), None), "router.default_weight": ((e,), lambda _: torch.ones(e))}

    def take(self, probabilities, choices):
        self.choices = choices
        self.weights = probabilities if self.layer.config.router_task_gradient else probabilities.detach()
        self.gates = self.weights.gather(-1, choices)

    def dispatch(self, gates):
        return torch.ones_like(self.choices, dtype=torch.bool)

    def output(self):
        layer, config = self.layer, self.layer.config
        default = layer.tensor("router.default").detach().clone()
        sums, weight = torch.zeros_like(default), torch.zeros(config.experts).double()
        y = torch.zeros_like(layer.x)
        for e in range(config.experts):
            chosen = (self.choices == e).any(-1)
            given = layer.expert(e, layer.x[chosen])
            share = self.p[chosen, e].detach() if config.default_weighted else torch.ones(len(given))
            weight[e] = share.sum()
            if len(given):
                sums[e] = (share[:, None] * given.detach()).sum(0)
                default[e] = config.default_beta * default[e] + (1 - config.default_beta) * sums[e] / weight[e]
            values = default[e].expand_as(y).clone()
            values[chosen] = given
            y = y + self.weights[:, e, None] * values
        self.sums = {"router.default": sums, "router.default_weight": weight}
        self.after = {"router.default": default, "router.default_weight": weight}
        return y


class Stable(Method):
    """StableMoE at step 0: in stage 1, or with stable_stage1=0 in stage 2. Its distilled router sees raw patches alone."""

    OPTIONS = Method.OPTIONS | dict(stable_balance_weight=0.3, stable_distill_weight=0.3, stable_stage1=0.1,
                                    stable_width=50)

    @staticmethod
    def tensors(config):
        width, prefix = config.stable_width, 1 + config.distillation_token
        patches = (config.image_size // config.patch_size) ** 2
        patch_dim = config.channels * config.patch_size ** 2
        return {"router.centroids": ((config.experts, config.embed_dim), None),
                "router.patch.weight": ((width, patch_dim), None), "router.patch.bias": ((width,), None),
                "router.position": ((prefix + patches, width), None), "router.prefix": ((prefix, width), None),
                "router.distilled": ((config.experts, width), None)}

    def __init__(self, layer):
        super().__init__(layer)
        config, tensor = layer.config, layer.tensor
        t, e = layer.tokens, config.experts
        learned = layer.x @ tensor("router.centroids").T
        place = torch.arange(t) % layer.sequence
        embedded = layer.patches @ tensor("router.patch.weight").T + tensor("router.patch.bias")
        is_prefix = (place < layer.prefix_tokens)[:, None]
        prefix = tensor("router.prefix")[place.clamp(max=layer.prefix_tokens - 1)]
        features = torch.where(is_prefix, prefix, embedded) + tensor("router.position")[place]
        distilled = features @ tensor("router.distilled").T
        first_stage = config.stable_stage1 > 0
        self.logits = learned if first_stage else distilled
        self.p = self.logits.softmax(-1)
        self.choices = self.logits.argmax(-1, keepdim=True)
        self.gates = learned.sigmoid().gather(-1, self.choices)
        self.kept = torch.ones_like(self.choices, dtype=torch.bool)
        if not first_stage:
            return
        chosen = F.one_hot(self.choices[:, 0], e).double()
        excess = (chosen.sum(0) - t / e) / (t / e)
        self.terms["stable_balance"] = config.stable_balance_weight / t * (chosen * excess * self.gates).sum()
        self.terms["stable_distill"] = config.stable_distill_weight * F.cross_entropy(distilled, self.choices[:, 0])


class ExpertChoice(SoftmaxTopK):
    """Each expert takes its best tokens."""

    OPTIONS = Method.OPTIONS | SoftmaxTopK.TEACHER | dict(capacity_factor=1, z_weight=0, router_task_gradient=1)

    def __init__(self, layer):
        Method.__init__(self, layer)
        config, tokens = layer.config, layer.tokens
        self.score()
        capacity = min(tokens, math.ceil(tokens * config.capacity_factor / config.experts))
        self.taken = torch.zeros_like(self.p)
        for e in range(config.experts):
            order = sorted(range(tokens), key=lambda t: (-self.p[t, e].item(), t))
            self.taken[order[:capacity], e] = 1
        self.kept = self.taken.any(-1, keepdim=True)
        self.choices = (self.p + 2 * self.taken).argmax(-1, keepdim=True)
        if config.z_weight:
            self.terms["z"] = config.z_weight * (self.logits.logsumexp(-1) ** 2).mean()

    def output(self):
        layer = self.layer
        outputs = torch.stack([layer.expert(e, layer.x) for e in range(layer.config.experts)], dim=1)
        gates = self.p if layer.config.router_task_gradient else self.p.detach()
        return (outputs * (gates * self.taken)[..., None]).sum(1)


class Soft(Method):
    """Slots are mixtures of an image's tokens, tokens mixtures of the slots' outputs."""

    OPTIONS = Method.OPTIONS | dict(soft_slots=0)

    @staticmethod
    def tensors(config):
        tokens = (config.image_size // config.patch_size) ** 2 + 1 + config.distillation_token
        slots = config.soft_slots or math.ceil(tokens / config.experts)
        return {"router.phi": ((config.experts * slots, config.embed_dim), None),
                "router.scale": ((1,), lambda _: torch.tensor([2.5]))}

    def __init__(self, layer):
        super().__init__(layer)
        unit = lambda v: v / (v.square().sum(-1, keepdim=True) + 1e-6).sqrt()
        self.x = layer.x.reshape(-1, layer.sequence, layer.x.shape[1])
        scores = layer.tensor("router.scale") * unit(self.x) @ unit(layer.tensor("router.phi")).T
        self.dispatch, self.combine = scores.softmax(1), scores.softmax(2)  # [images, N, E·S]
        self.p = self.combine.reshape(layer.tokens, layer.config.experts, -1).sum(-1)
        self.choices = self.p.argmax(-1, keepdim=True)
        self.kept = torch.ones_like(self.choices)

    def output(self):
        slots = self.dispatch.transpose(1, 2) @ self.x  # [images, E·S, d]
        outputs = [self.layer.expert(e, rows) for e, rows in enumerate(slots.chunk(self.layer.config.experts, dim=1))]
        return (self.combine @ torch.cat(outputs, 1)).reshape(self.layer.x.shape)


class Base(Method):
    """The assignment with loads floor(T / E) or ceil(T / E) whose scores sum to most, found by cancelling cycles: from any
    assignment with such loads, as long as some round of moves between experts gains."""

    def __init__(self, layer):
        super().__init__(layer)
        e, tokens = layer.config.experts, layer.tokens
        self.logits = layer.x @ layer.tensor("router.weight").T
        self.p = self.logits.softmax(-1)
        scores = self.logits.detach().numpy()
        self.choices = torch.tensor(self.assign(scores, e, tokens))[:, None]
        self.gates, self.kept = self.logits.gather(-1, self.choices).sigmoid(), torch.ones_like(self.choices)

    @staticmethod
    def assign(scores, e, tokens):
        taken = np.arange(tokens) % e
        least = tokens // e
        while True:
            load = np.bincount(taken, minlength=e)
            # Nodes are experts and, last, those places above the least load that change hands.
            cost, mover = np.full((e + 1, e + 1), np.inf), np.full((e + 1, e + 1), -1)
            for i in range(e):
                cost[i, e] = 0 if load[i] == least else np.inf  # takes such a place, its load grows by one
                cost[e, i] = 0 if load[i] > least else np.inf  # gives it up
                for t in np.flatnonzero(taken == i):
                    for j in range(e):
                        if j != i and scores[t, i] - scores[t, j] < cost[i, j]:
                            cost[i, j], mover[i, j] = scores[t, i] - scores[t, j], t
            distance, before = np.zeros(e + 1), np.full(e + 1, -1)  # Bellman and Ford's search for a negative cycle
            for _ in range(e + 1):
                last = -1
                for i in range(e + 1):
                    for j in range(e + 1):
                        if distance[i] + cost[i, j] < distance[j] - 1e-12:
                            distance[j], before[j], last = distance[i] + cost[i, j], i, j
            if last < 0:
                return taken
            for _ in range(e + 1):
                last = before[last]
            cycle = [last]
            while before[cycle[-1]] != last:
                cycle.append(before[cycle[-1]])
            moves = [(mover[before[j], j], j) for j in cycle if before[j] != e and j != e]
            for t, j in moves:
                taken[t] = j


class DenseGate(SoftmaxTopK):
    """Every expert for every token in training: all those of a mask, weighed by q."""

    def take_experts(self, q, mask):
        gates = q * mask
        if self.layer.config.renormalize:
            gates = gates / gates.sum(-1, keepdim=True)
        self.all_gates = gates if self.layer.config.router_task_gradient else gates.detach()
        self.choices = q.topk(self.layer.config.top_k, dim=-1).indices
        self.kept = torch.ones_like(self.choices)
        self.balance()

    def output(self):
        layer = self.layer
        return sum(self.all_gates[:, e:e + 1] * layer.expert(e, layer.x) for e in range(layer.config.experts))


class DenseTrain(DenseGate):
    OPTIONS = Method.OPTIONS | SoftmaxTopK.TEACHER | SoftmaxTopK.BALANCE | dict(top_k=1, renormalize=0, mi_weight=0)

    def __init__(self, layer):
        Method.__init__(self, layer)
        self.score()
        self.take_experts(self.p, torch.ones_like(self.p))
        mean = self.p.mean(0)
        if layer.config.mi_weight:
            information = (mean * mean.log()).sum() - (self.p * self.p.log()).sum(-1).mean()
            self.terms["mi"] = layer.config.mi_weight * information


class EvoMoE(DenseGate):
    """At step 0: the temperature is the first one, or the last one where nothing is to be dense."""

    OPTIONS = Method.OPTIONS | SoftmaxTopK.TEACHER | SoftmaxTopK.BALANCE | dict(
        top_k=1, renormalize=0, evo_temperature_start=2, evo_temperature_end=0.3, evo_dense_share=0.5,
        evo_threshold=0.001, total_steps=10)

    def __init__(self, layer):
        Method.__init__(self, layer)
        config = layer.config
        self.score()
        dense = config.evo_dense_share > 0
        q = (self.logits / (config.evo_temperature_start if dense else config.evo_temperature_end)).softmax(-1)
        best = F.one_hot(q.topk(config.top_k, dim=-1).indices, config.experts).sum(1)
        self.take_experts(q, torch.maximum(best, (q > config.evo_threshold).int()) if dense else best)


METHODS = {"vmoe": SoftmaxTopK, "tgr": SoftmaxTopK, "switch": SoftmaxTopK, "hash": Hash, "loss-free": LossFree,
           "expert-choice": ExpertChoice, "soft": Soft,
           "default": DefaultMoE, "stable": Stable,
           "base": Base, "dense-train": DenseTrain, "evomoe": EvoMoE}


def moe(layer):
    """-> y [T, d] and the layer's method"""
    method = METHODS[layer.config.method](layer)
    y = method.output()
    if layer.config.shared_experts:
        y = y + layer.shared()
    return y, method


def drop_path(config, x, block, branch, seed, training):
    rate = config.drop_path * block / max(config.depth - 1, 1)
    if not training or rate == 0:
        return x
    kept = uniform(seed, 0, DROP_PATH, 2 * block + branch, np.arange(x.shape[0])) < 1 - rate
    return x * torch.from_numpy(kept / (1 - rate))[:, None, None]


def vit(config, weights, images, seed=0, training=True):
    """-> logits, final features, routers, {(block, feature): [batch, tokens, d]}"""
    batch, d = images.shape[0], config.embed_dim
    size = config.patch_size
    patches = F.unfold(images, size, stride=size).transpose(1, 2)  # [batch, patches, channel · row · column]
    patches = F.pad(patches, (0, 0, 1 + config.distillation_token, 0)).flatten(0, 1)
    x = F.conv2d(images, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=config.patch_size)
    x = x.flatten(2).transpose(1, 2)
    tokens = [weights["cls_token"].expand(batch, -1, -1)]
    if config.distillation_token:
        tokens.append(weights["dist_token"].expand(batch, -1, -1))
    if config.position_cls:
        x = torch.cat(tokens + [x], 1) + weights["pos_embed"]
    else:
        x = torch.cat(tokens + [x + weights["pos_embed"]], 1)
    n = x.shape[1]
    moe_blocks = config.blocks("moe_blocks")
    routers, features = [], {}
    for b in range(config.depth):
        p = f"blocks.{b}."
        w = lambda name: weights[p + name]
        norm = lambda y, name: F.layer_norm(y, (d,), w(name + ".weight"), w(name + ".bias"), 1e-6)
        gamma = lambda name: w(name) if config.layer_scale else 1.0
        qkv = (norm(x, "norm1") @ w("attn.qkv.weight").T + w("attn.qkv.bias"))
        q, k, v = qkv.reshape(batch, n, 3, config.heads, -1).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v
        a = a.transpose(1, 2).reshape(batch, n, d) @ w("attn.proj.weight").T + w("attn.proj.bias")
        x = x + drop_path(config, gamma("ls1.gamma") * a, b, 0, seed, training)
        h = norm(x, "norm2")
        features[b, "ffn_input"] = h
        if b in moe_blocks:
            y, router = moe(Layer(config, h.reshape(-1, d), weights, p + "moe.", seed, b, n, patches))
            y = y.reshape(batch, n, d)
            routers.append(router)
        else:
            y = ffn(h, w("mlp.fc1.weight"), w("mlp.fc1.bias"), w("mlp.fc2.weight"), w("mlp.fc2.bias"))
        x = x + drop_path(config, gamma("ls2.gamma") * y, b, 1, seed, training)
        features[b, "block_output"] = x
    x = F.layer_norm(x, (d,), weights["norm.weight"], weights["norm.bias"], 1e-6)
    logits = x[:, 0] @ weights["head.weight"].T + weights["head.bias"]
    if config.distillation_token:
        logits = (logits + x[:, 1] @ weights["head_dist.weight"].T + weights["head_dist.bias"]) / 2
    return logits, x, routers, features


def teacher_rows(student, teacher, feature):
    """The teacher's feature for every token of the student: [batch, teacher tokens, d] -> [batch, tokens, d]."""
    prefix = 1 + teacher.distillation_token
    rows = [0]
    if student.distillation_token:
        rows.append(1 if teacher.distillation_token else 0)
    rows += range(prefix, feature.shape[1])
    return feature[:, rows]


class File:
    TYPES = {"float32": 0, "float64": 1, "int32": 2}

    def __init__(self, path):
        self.out = open(path, "wb")

    def put(self, name, value):
        if isinstance(value, str):
            kind, dims, data = 3, [len(value.encode())], value.encode()
        else:
            array = np.ascontiguousarray(value.detach().numpy() if isinstance(value, torch.Tensor) else value)
            kind, dims, data = self.TYPES[str(array.dtype)], array.shape, array.tobytes()
        encoded = name.encode()
        self.out.write(struct.pack("<I", len(encoded)) + encoded + struct.pack("<II", kind, len(dims)))
        self.out.write(struct.pack(f"<{len(dims)}Q", *dims) + data)


def make_case(folder, name, student, teacher=None, soft=False, batch=3, seed=12345):
    generator = torch.Generator().manual_seed(sum(name.encode()))
    weights = make_weights(student, generator)
    images = torch.randn(batch, student.channels, student.image_size, student.image_size, generator=generator)
    images = images.float().double()
    logits, final, routers, _ = vit(student, weights, images, seed)
    labels = torch.randint(student.classes, (batch,), generator=generator)
    targets = F.one_hot(labels, student.classes).double()
    if soft:
        targets = torch.rand(batch, student.classes, generator=generator).softmax(-1).float().double()
    smooth = student.label_smoothing
    q = targets * (1 - smooth) + smooth / student.classes
    terms = {"task": -(q * logits.log_softmax(-1)).sum(-1).mean()}
    for router in routers:
        for term, value in router.terms.items():
            terms[term] = terms.get(term, 0) + value
    total = sum(terms.values())

    file = File(folder / f"{name}.golden")
    teacher_objective, router_weights = torch.zeros(()), []
    if teacher:
        teacher_weights = make_weights(teacher, generator)
        with torch.no_grad():
            features = vit(teacher, teacher_weights, images, training=False)[3]
        blocks = student.blocks("teacher_layers") or student.blocks("moe_blocks")
        blocks = blocks * len(routers) if len(blocks) == 1 else blocks
        distill = 0
        for i, (router, block) in enumerate(zip(routers, blocks)):
            weight = (torch.randn(student.experts, teacher.embed_dim, generator=generator) * 0.5).float().double()
            router_weights.append(weight.requires_grad_())
            h = teacher_rows(student, teacher, features[block, student.teacher_feature])
            p_t = (h.reshape(-1, teacher.embed_dim) @ weight.T).softmax(-1)
            entropy = -(p_t * p_t.log()).sum(-1).mean()
            teacher_objective = teacher_objective + (student.teacher_load_weight * squared_cv(p_t.mean(0))
                                                     + student.teacher_entropy_weight * entropy)
            fixed = p_t.detach()
            distill = distill + (fixed * (fixed.log() - router.logits.log_softmax(-1))).sum(-1).mean()
            file.put(f"teacher_probabilities.{i}", fixed)
        terms["distill"] = student.distill_weight / len(routers) * distill
        total = total + terms["distill"]
        teacher_objective.backward()
        terms["teacher"] = teacher_objective
        file.put("teacher.config", teacher.text())
        for key, value in teacher_weights.items():
            file.put("teacher.value." + key, value.float())
        for i, weight in enumerate(router_weights):
            file.put(f"teacher_router.value.layers.{i}.router.weight", weight.float())
            file.put(f"teacher_router.gradient.layers.{i}.router.weight", weight.grad.float())
    total.backward()

    file.put("student.config", student.text())
    file.put("seed", np.array([seed], dtype=np.int32))
    file.put("images", images.float())
    file.put("targets" if soft else "labels", targets.float() if soft else labels.int())
    file.put("logits", logits)
    file.put("features", final)
    file.put("total", total.reshape(1))
    for key, value in terms.items():
        file.put("term." + key, value.reshape(1))
    for i, router in enumerate(routers):
        file.put(f"probabilities.{i}", router.p)
        file.put(f"choices.{i}", router.choices.int())
        file.put(f"kept.{i}", router.kept.int())
        for key, value in router.after.items():
            file.put("student.after." + router.layer.prefix + key, value.float())
    sums = {router.layer.prefix + key: value for router in routers for key, value in router.sums.items()}
    for key, value in weights.items():
        file.put("student.value." + key, value.float())
        gradient = value.grad if value.grad is not None else sums.get(key, torch.zeros_like(value))
        file.put("student.gradient." + key, gradient.float())


def main(folder):
    dense = Config(method="dense", label_smoothing=0.1)
    make_case(folder, "dense", dense)
    make_case(folder, "deit", Config(method="dense", distillation_token=1, classes=4), soft=True)
    make_case(folder, "deit3", Config(method="dense", layer_scale=0.1, position_cls=0, drop_path=0.4), batch=6)
    make_case(folder, "vmoe", Config(method="vmoe", router_noise=1, importance_weight=0.5, load_weight=0.7))
    make_case(folder, "vmoe_top2", Config(method="vmoe", top_k=2, experts=5, renormalize=1, capacity_factor=0.8,
                                          router_noise=0.5, switch_weight=0.3, z_weight=0.2, load_weight=0.4), batch=4)
    make_case(folder, "vmoe_position", Config(method="vmoe", top_k=2, capacity_factor=0.7, batch_prioritized=0,
                                              layer_scale=0.2, importance_weight=0.3), batch=4)
    teacher = Config(method="dense", embed_dim=8, heads=2, layer_scale=0.3, position_cls=0)
    make_case(folder, "tgr", Config(method="tgr", router_noise=1), teacher)
    make_case(folder, "tgr_deit", Config(method="tgr", distillation_token=1, top_k=2, experts=3,
                                         teacher_load_weight=0.4, teacher_entropy_weight=0.6), teacher)
    make_case(folder, "tgr_last_layer", Config(method="tgr", teacher_layers="3", teacher_feature="block_output",
                                               router_task_gradient=0, z_weight=0.1), teacher)
    make_case(folder, "switch", Config(method="switch", switch_weight=0.5, capacity_factor=0.9, z_weight=0.1))
    make_case(folder, "hash", Config(method="hash", experts=3, distillation_token=1))
    make_case(folder, "loss_free", Config(method="loss-free", top_k=2, experts=5, renormalize=1, switch_weight=0.2))
    make_case(folder, "shared", Config(method="vmoe", shared_experts=2, router_noise=1, capacity_factor=0.7), batch=4)
    make_case(folder, "default", Config(method="default", default_weighted=0, default_beta=0.7, switch_weight=0.2))
    make_case(folder, "default_top2", Config(method="default", top_k=2, experts=5, z_weight=0.1), teacher, batch=4)
    make_case(folder, "default_unused", Config(method="default", experts=20, embed_dim=6, shared_experts=1), batch=2)
    make_case(folder, "stable", Config(method="stable", stable_width=7, stable_balance_weight=0.9,
                                       stable_distill_weight=0.6), batch=4)
    make_case(folder, "stable_stage2", Config(method="stable", stable_width=7, stable_stage1=0, experts=3,
                                              distillation_token=1, shared_experts=1))
    make_case(folder, "expert_choice", Config(method="expert-choice", capacity_factor=1.7, z_weight=0.2), batch=4)
    make_case(folder, "expert_choice_tgr", Config(method="expert-choice", capacity_factor=0.6, experts=3), teacher)
    make_case(folder, "soft", Config(method="soft"))
    make_case(folder, "soft_slots", Config(method="soft", experts=3, soft_slots=4, shared_experts=1,
                                           distillation_token=1, layer_scale=0.2), batch=2)
    make_case(folder, "base", Config(method="base", shared_experts=1), batch=5)
    make_case(folder, "base_uneven", Config(method="base", experts=7), batch=4)
    make_case(folder, "dense_train", Config(method="dense-train", top_k=2, mi_weight=0.7, renormalize=1))
    make_case(folder, "dense_train_guided", Config(method="dense-train", mi_weight=0.3, importance_weight=0.2,
                                                   switch_weight=0.4, z_weight=0.1, router_task_gradient=0), teacher)
    make_case(folder, "evomoe", Config(method="evomoe", top_k=2, evo_threshold=0.2, z_weight=0.1, switch_weight=0.3))
    make_case(folder, "evomoe_renormalized", Config(method="evomoe", experts=6, renormalize=1, evo_threshold=0.15,
                                                    evo_temperature_start=1.5), teacher)
    make_case(folder, "evomoe_sparse", Config(method="evomoe", top_k=2, evo_dense_share=0))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
