#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes test/golden/images: small JPEG and PNG files of every kind, what Pillow makes of them, and what timm's
evaluation transform gives. `cases.txt` lists them, a line each:

    decode TOLERANCE FILE EXPECTED           levels by which a channel may differ; 0 for PNG
    resize FILE EXPECTED WIDTH HEIGHT FILTER LEFT TOP CROP_WIDTH CROP_HEIGHT
    evaluate FILE EXPECTED SIZE CROP_PCT FILTER
    broken FILE                              Pillow refuses it
    upright FILE EXPECTED                    turned as EXIF says

Usage: make_images.py FOLDER. Needs Pillow 13 (before it, images that become flat were resized in another order of passes),
numpy and timm.
"""
import io
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps
from timm.data.transforms_factory import transforms_imagenet_eval

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
random = np.random.default_rng(7)
folder = sys.argv[1]
cases = []


def smooth(height, width, channels=3):
    """Waves and a little noise: it compresses, and has every level."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        wave = np.sin(x * (0.21 + 0.1 * c)) + np.cos(y * (0.17 + 0.07 * c) + c)
        planes.append(127.5 + 75 * wave + random.normal(0, 6, (height, width)))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def noise(height, width, channels=3):
    """Black, white and all between, so that sums leave the range of a byte."""
    values = random.integers(0, 256, (height, width, channels))
    values[random.random((height, width)) < 0.4] = 0
    values[random.random((height, width)) < 0.4] = 255
    return values.astype(np.uint8)


def path(name):
    return os.path.join(folder, name)


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data)


def expect(name, image):
    image.save(path(name), optimize=True)
    return name


def decode(name, tolerance=0):
    stem = name.replace(".", "_")
    with Image.open(path(name)) as image:
        cases.append(f"decode {tolerance} {name} {expect('rgb_' + stem + '.png', image.convert('RGB'))}")


def broken(name, data):
    write(name, data)
    try:
        Image.open(path(name)).convert("RGB")
    except Exception:
        cases.append(f"broken {name}")
    else:
        raise SystemExit(f"{name}: Pillow accepts it")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, *chunks, interlace=0):
    """A PNG that Pillow would not write. `rows`: bytes of the filtered rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) +
            chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def packed_rows(values, depth):
    """[height, width, channels] to rows of `depth` bits with filter 0."""
    out = b""
    for row in values:
        flat = row.reshape(-1)
        if depth == 16:
            data = flat.astype(">u2").tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in flat)
            bits += "0" * (-len(bits) % 8)
            data = int(bits, 2).to_bytes(len(bits) // 8, "big")
        out += b"\0" + data
    return out


def interlaced_rows(values, depth):
    """The same in the seven passes of Adam7."""
    out = b""
    for x, y, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                         (0, 1, 1, 2)]:
        part = values[y::dy, x::dx]
        if part.size:
            out += packed_rows(part, depth)
    return out


def make_png():
    height, width = 11, 13
    palette = chunk(b"PLTE", bytes(random.integers(0, 256, 16 * 3, dtype=np.uint8)))
    for color, channels in [(0, 1), (2, 3), (4, 2), (6, 4), (3, 1)]:
        for depth in {0: [1, 2, 4, 8, 16], 3: [1, 2, 4]}.get(color, [8, 16]):
            top = min(1 << depth, 1 << 16)
            values = random.integers(0, top, (height, width, channels))
            if color == 0 and depth == 16:
                values[::2] %= 256
            before = [palette] if color == 3 else []
            write(f"png_{color}_{depth}.png", png(width, height, depth, color, packed_rows(values, depth), *before))
            decode(f"png_{color}_{depth}.png")
            name = f"png_{color}_{depth}_interlaced.png"
            write(name, png(width, height, depth, color, interlaced_rows(values, depth), *before, interlace=1))
            decode(name)
    values = random.integers(0, 16, (height, width, 1))
    write("png_palette_alpha.png", png(width, height, 4, 3, packed_rows(values, 4), palette,
                                       chunk(b"tRNS", bytes(range(0, 160, 10)))))
    decode("png_palette_alpha.png")
    values = random.integers(0, 256, (height, width, 3))
    write("png_key_gamma.png", png(width, height, 8, 2, packed_rows(values, 8), chunk(b"gAMA", struct.pack(">I", 30000)),
                                   chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)), chunk(b"tEXt", b"Comment\0odd")))
    decode("png_key_gamma.png")
    whole = png(width, height, 8, 2, packed_rows(values, 8))
    broken("broken_cut.png", whole[:len(whole) // 2])
    broken("broken_header.png", whole[:20])
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 0x10
    broken("broken_checksum.png", bytes(flipped))


def jpeg(image, **options):
    data = io.BytesIO()
    image.save(data, "JPEG", **options)
    return data.getvalue()


def make_jpeg():
    picture = Image.fromarray(smooth(33, 45))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees, which neither Pillow's open nor timm does
    kinds = {
        "jpeg_444.jpg": (picture, {"quality": 90, "subsampling": 0}),
        "jpeg_420.jpg": (picture, {"quality": 75}),
        "jpeg_422_restarts.JPEG": (picture, {"quality": 80, "subsampling": 1, "restart_marker_rows": 1}),
        "jpeg_progressive.jpg": (picture, {"quality": 85, "progressive": True}),
        "jpeg_grey.jpg": (picture.convert("L"), {"quality": 90}),
        "jpeg_cmyk.jpg": (picture.convert("CMYK"), {"quality": 90}),
        "jpeg_exif.jpg": (picture, {"quality": 80, "exif": exif}),
        "jpeg_rgb.jpg": (picture, {"quality": 90, "keep_rgb": True}),
    }
    for name, (image, options) in kinds.items():
        write(name, jpeg(image, **options))
        decode(name, 2)
    # Adobe's marker says what the four planes are: 0 is CMYK, 2 is YCCK.
    data = jpeg(Image.fromarray(smooth(33, 45, 4), "CMYK"), quality=90)
    at = data.index(b"Adobe")
    write("jpeg_ycck.jpg", data[:at + 11] + b"\2" + data[at + 12:])
    decode("jpeg_ycck.jpg", 2)
    whole = jpeg(picture, quality=80)
    broken("broken_cut.jpg", whole[:len(whole) * 2 // 3])
    broken("broken_tables.jpg", whole[:60])
    broken("broken_marker.jpg", whole[:2] + b"\xff\xc0\x00\x05\x08\x00\x00" + whole[9:])


def resize(source, name, width, height, how, crop=None):
    image = Image.open(path(source)).convert("RGB")
    box = crop or (0, 0, image.width, image.height)
    part = image.crop((box[0], box[1], box[0] + box[2], box[1] + box[3]))
    expect(name, part.resize((width, height), FILTERS[how]))
    cases.append(f"resize {source} {name} {width} {height} {how} " + " ".join(map(str, box)))


def evaluate(source, name, size, crop, how):
    transform = transforms_imagenet_eval(size, crop_pct=crop, interpolation=how, use_prefetcher=True)
    pixels = transform(Image.open(path(source)).convert("RGB")).numpy()
    expect(name, Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))))
    cases.append(f"evaluate {source} {name} {size} {crop} {how}")


def make_resized():
    for name, pixels in {"noise.png": noise(37, 53), "tall.png": noise(61, 19), "thin.png": noise(3, 90),
                         "dot.png": noise(1, 1), "smooth.png": smooth(75, 100)}.items():
        Image.fromarray(pixels).save(path(name), optimize=True)
    count = 0
    for how in FILTERS:
        for source, width, height, crop in [
                ("noise.png", 20, 14, None), ("noise.png", 53, 14, None), ("noise.png", 20, 37, None),
                ("noise.png", 75, 60, None), ("noise.png", 53, 37, None), ("noise.png", 1, 1, None),
                ("noise.png", 16, 16, (5, 3, 31, 29)), ("noise.png", 31, 16, (5, 3, 31, 29)),
                ("noise.png", 40, 40, (50, 30, 3, 7)), ("tall.png", 8, 60, None), ("thin.png", 7, 9, None),
                ("dot.png", 9, 5, None), ("smooth.png", 33, 25, None),
                ("noise.png", 49, 27, None), ("noise.png", 48, 27, None)]:  # down first, across first
            resize(source, f"resized_{count}.png", width, height, how, crop)
            count += 1
    count = 0
    for source, size, crop, how in [
            ("noise.png", 32, 0.9, "bicubic"), ("noise.png", 24, 0.875, "bicubic"), ("noise.png", 31, 0.95, "bicubic"),
            ("tall.png", 16, 0.9, "bicubic"), ("tall.png", 17, 1.0, "bicubic"), ("thin.png", 8, 0.9, "bicubic"),
            ("smooth.png", 48, 0.9, "bicubic"), ("smooth.png", 40, 0.875, "bilinear"), ("dot.png", 6, 0.9, "bilinear"),
            ("tall.png", 33, 0.77, "bilinear"), ("noise.png", 37, 1.0, "bilinear"), ("smooth.png", 47, 0.9, "bicubic")]:
        evaluate(source, f"evaluated_{count}.png", size, crop, how)
        count += 1


def make_tails():
    """PNGs whose pixels are all there, but not what follows them, or not its checksum: Pillow opens them."""
    values = random.integers(0, 256, (11, 13, 3))
    deep = random.integers(0, 1 << 16, (11, 13, 1))
    for kind, whole in {"rgb": png(13, 11, 8, 2, packed_rows(values, 8)),
                        "interlaced": png(13, 11, 8, 2, interlaced_rows(values, 8), interlace=1),
                        "deep": png(13, 11, 16, 0, packed_rows(deep, 16))}.items():
        for cut in (1, 12, 16, 18, 20):  # within IEND; the pixels' CRC; their Adler-32
            write(f"tail_{kind}_{cut}.png", whole[:-cut])
            decode(f"tail_{kind}_{cut}.png")
        write(f"tail_{kind}_crc.png", whole[:-16] + b"\1\2\3\4" + whole[-12:])
        decode(f"tail_{kind}_crc.png")
        broken(f"broken_{kind}_adler.png", whole[:-20] + b"\1\2\3\4" + whole[-16:])
        broken(f"broken_{kind}_pixels.png", whole[:-40])


def upright(name):
    with Image.open(path(name)) as image:
        turned = ImageOps.exif_transpose(image).convert("RGB")
    cases.append(f"upright {name} {expect('upright_' + name.replace('.', '_') + '.png', turned)}")


def make_orientations():
    """As a phone stores photographs: EXIF, or XMP, says how they are turned."""
    picture = Image.fromarray(noise(5, 7))
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(path(f"exif_{orientation}.png"), exif=exif)
        upright(f"exif_{orientation}.png")
    grey = Image.fromarray(np.full((8, 16), 100, np.uint8))
    whole = jpeg(grey)
    tag = struct.pack("<HHI4s", 0x0112, 3, 1, struct.pack("<H", 6))
    segment = lambda data: b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    exif = lambda data: segment(b"Exif\0\0" + data)
    little = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + struct.pack("<HHI4s", 0x0100, 4, 1, b"") + tag
    big = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 1) + struct.pack(">HHI4s", 0x0112, 3, 1, b"\0\3") + bytes(4)
    xmp = lambda text: segment(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + text + b"</x:xmpmeta>")
    attribute, element = b'<a tiff:Orientation="8"/>', b"<tiff:Orientation>5</tiff:Orientation>"
    for name, segments in {"little": exif(little + bytes(4)), "big": exif(big), "xmp": xmp(attribute),
                           "element": xmp(element), "both": xmp(attribute) + exif(big), "none": exif(b"MM\0*" + bytes(4)),
                           "other": segment(b"Other\0" + little)}.items():
        write(f"exif_{name}.jpg", whole[:2] + segments + whole[2:])
        upright(f"exif_{name}.jpg")


def main():
    os.makedirs(folder, exist_ok=True)
    make_png()
    make_jpeg()
    make_resized()
    make_tails()
    make_orientations()
    with open(path("cases.txt"), "w") as file:
        file.write("\n".join(cases) + "\n")


main()
