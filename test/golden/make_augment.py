# SPDX-License-Identifier: MIT
"""What Pillow, torchvision and timm make of small images, for test_augment.c and test_augment_random.c.

    python3 make_augment.py FOLDER

Needs numpy, Pillow, torch, torchvision and timm. augment.golden (records as in make_goldens.py; images are bytes
[height, width, 3] under the type of texts) holds

    image.N.size, image.N   tiny images, [width, height] and pixels
    cases, results          a line "OPERATION IMAGE ARGUMENT INTERPOLATION" for each result, all results in a row
    large, large.sums       the same for an image made by a formula (see large_image), of which CRC-32s are kept
    arguments               lines "OPERATION INCREASING MAGNITUDE NEGATE ARGUMENT"
    crop.cases, crop        random crops by given numbers: "SIZE WIDTH HEIGHT", and quantiles
    mix.*                   batches mixed by timm
"""
import random
import struct
import sys
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from timm.data import auto_augment, mixup
from timm.data.random_erasing import RandomErasing
from torchvision.transforms import RandomResizedCrop

from make_goldens import File

FILL = (124, 116, 104)
BILINEAR, BICUBIC = 2, 3
# The argument's name, and arguments beside those that magnitudes give.
GEOMETRY = {"Rotate": [-30.0, 27.0, 7.25, 90.0, 200.0], "ShearX": [-0.3, 0.27, 1.5], "ShearY": [0.3, -0.27, -1.5],
            "TranslateXRel": [0.45, -0.45, 0.1, 0.037], "TranslateYRel": [0.405, -0.405, -0.1, 0.037]}
FACTORS = [0.1, 0.19, 0.5, 0.999, 1.0, 1.3, 1.81, 1.9]
OTHERS = {"AutoContrast": [0], "Equalize": [0], "Invert": [0], "Posterize": [1, 2, 4, 8], "Solarize": [0, 26, 128, 256],
          "SolarizeAdd": [0, 50, 99, 110], "Color": FACTORS, "Contrast": FACTORS, "Brightness": FACTORS,
          "Sharpness": FACTORS}


def tiny_images():
    generator = np.random.default_rng(1)
    noise = generator.integers(0, 256, (11, 17, 3))
    y, x, c = np.mgrid[0:18, 0:20, 0:3]
    slope = 90 + x * 2 + y + c * 20
    three = generator.integers(0, 256, (3, 3, 3))
    flat = np.full((4, 5, 3), (7, 200, 133))
    strip = generator.integers(0, 256, (1, 9, 3))
    return [a.astype(np.uint8) for a in (noise, slope, three, flat, strip, generator.integers(0, 256, (2, 1, 3)))]


def large_image():
    y, x, c = np.mgrid[0:97, 0:131, 0:3].astype(np.int64)
    return ((x * 7 + y * 13 + c * 50 + (x * y) % 23 * 5) % 256 * (1 + c) // 3 % 256).astype(np.uint8)


def apply(name, image, argument, how):
    operation = auto_augment.NAME_TO_OP[name]
    arguments = () if name in ("AutoContrast", "Equalize", "Invert") else (argument,)
    keywords = dict(fillcolor=FILL, resample=how) if name in GEOMETRY else {}
    return np.asarray(operation(Image.fromarray(image), *arguments, **keywords))


def cases(images):
    for index in range(len(images)):
        for name, arguments in OTHERS.items():
            yield from ((name, index, argument, 0) for argument in arguments)
        for name, arguments in GEOMETRY.items():
            yield from ((name, index, argument, how) for argument in arguments for how in (BILINEAR, BICUBIC))


def line(*words):
    return " ".join(float(word).hex() if isinstance(word, float) else str(word) for word in words) + "\n"


def put_operations(file):
    images = tiny_images()
    for i, image in enumerate(images):
        file.put(f"image.{i}.size", np.array(image.shape[1::-1], np.int32))
        file.put(f"image.{i}", image.tobytes())
    lines = [line(name, index, float(argument), how) for name, index, argument, how in cases(images)]
    file.put("cases", "".join(lines).encode())
    file.put("results", b"".join(apply(name, images[i], argument, how).tobytes()
                                 for name, i, argument, how in cases(images)))
    large = [large_image()]
    file.put("large", "".join(line(name, i, float(a), how) for name, i, a, how in cases(large)).encode())
    sums = [zlib.crc32(apply(name, large[i], a, how).tobytes()) for name, i, a, how in cases(large)]
    file.put("large.sums", np.array(sums, np.uint32).view(np.int32))


def put_arguments(file):
    lines = []
    for increasing, names in enumerate((auto_augment._RAND_TRANSFORMS, auto_augment._RAND_INCREASING_TRANSFORMS)):
        for operation, name in enumerate(names):
            level_of = auto_augment.LEVEL_TO_ARG[name]
            for magnitude in (0.0, 0.3, 2.5, 5.0, 7.499, 8.2, 9.0, 9.7, 10.0):
                for negate in (0, 1):
                    with mock.patch.object(random, "random", lambda: 0.9 if negate else 0.1):
                        argument = level_of(magnitude, {})[0] if level_of else 0
                    lines.append(line(operation, name, increasing, magnitude, negate, float(argument)))
    file.put("arguments", "".join(lines).encode())


class Bytes(File):
    """A file that takes bytes too."""

    def put(self, name, value):
        if not isinstance(value, bytes):
            return super().put(name, value)
        self.out.write(struct.pack("<I", len(name)) + name.encode() + struct.pack("<IIQ", 3, 1, len(value)) + value)


QUANTILES = np.linspace(0, 1, 101)
CROPS = [(500, 500), (640, 480), (300, 900), (1000, 60)]


def put_crops(file, draws=100000):
    """Quantiles of area, logarithm of the aspect, and place, for images of several shapes."""
    torch.manual_seed(1)
    random.seed(1)
    file.put("crop.sizes", np.array(CROPS, np.int32))
    for i, (width, height) in enumerate(CROPS):
        image = torch.empty(3, height, width)
        found = np.array([RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(draws)],
                         np.float64)
        file.put(f"crop.{i}", np.quantile(describe(found, width, height), QUANTILES, axis=1))
        erased = np.array([erase_once(width, height) for _ in range(draws // 10)], np.float64)
        file.put(f"erase.{i}", np.quantile(describe(erased, width, height), QUANTILES, axis=1))


def describe(found, width, height):
    top, left, high, wide = found.T
    return np.stack([high * wide / (width * height), np.log(wide / high), top + high / 2, left + wide / 2])


class Canvas:
    """Notes where it is erased."""
    def __setitem__(self, at, value):
        self.part = (at[1].start, at[2].start, at[1].stop - at[1].start, at[2].stop - at[2].start)


def erase_once(width, height):
    canvas = Canvas()
    RandomErasing(1.0, mode="const", device="cpu")._erase(canvas, 1, height, width, torch.float32)
    return getattr(canvas, "part", (0, 0, 1, 1))


def put_mixes(file):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 3, 7, 6, generator=generator, dtype=torch.float32)
    labels = torch.tensor([2, 0, 1, 2])
    plans = [(0, 0.3, 0, 0), (0, 0.987654321, 0, 0), (1, 0.5, 3, 2), (1, 0.1, 0, 5), (1, 0.9, 6, 0), (1, 0.999, 3, 3),
             (1, 0.001, 1, 1), (1, 0.8, 3, 2)]
    file.put("mix.images", images.numpy())
    file.put("mix.labels", labels.numpy().astype(np.int32))
    file.put("mix.plans", np.array(plans, np.float64))
    for i, (cut, drawn, center_y, center_x) in enumerate(plans):
        centers = iter([center_y, center_x])
        mixer = mixup.Mixup(0 if cut else 1, cut, label_smoothing=0.1, num_classes=3)
        with mock.patch.object(np.random, "beta", lambda a, b: drawn), \
                mock.patch.object(np.random, "randint", lambda low, high, size=None: next(centers)):
            mixed, targets = mixer(images.clone(), labels)
        file.put(f"mix.{i}", mixed.numpy())
        file.put(f"mix.{i}.targets", targets.float().numpy())


def main(folder):
    file = Bytes(Path(folder) / "augment.golden")
    put_operations(file)
    put_arguments(file)
    put_crops(file)
    put_mixes(file)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
