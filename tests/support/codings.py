"""Compressed bodies, made without a library where Python has none: blocks that store or repeat, by the formats' own rules."""

import gzip
import zlib


def brotli_stored(data: bytes) -> bytes:
    """One uncompressed meta-block and the empty last one (RFC 7932 section 9.2)."""
    assert 0 < len(data) <= 1 << 16
    return (0x0B | (len(data) - 1) << 7 | 1 << 23).to_bytes(3, "little") + data + b"\x03"


def zstd_frame(*blocks: tuple[int, int, bytes], window_log: int = 23) -> bytes:
    """Blocks of (type: 0 raw, 1 repeated byte; size; content) (RFC 8878 section 3.1.1)."""
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3])
    for number, (kind, size, content) in enumerate(blocks, 1):
        frame += (int(number == len(blocks)) | kind << 1 | size << 3).to_bytes(3, "little") + content
    return frame


def zstd_stored(data: bytes) -> bytes:
    return zstd_frame((0, len(data), data))


def zstd_bomb(size: int) -> bytes:
    """`size` blanks: 4 bytes for each 128 KiB."""
    block = 128 << 10
    assert size % block == 0
    return zstd_frame(*[(1, block, b" ")] * (size // block))


def bare_deflate(data: bytes) -> bytes:
    maker = zlib.compressobj(wbits=-15)
    return maker.compress(data) + maker.flush()


CODED = {
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:]),
    "deflate": zlib.compress,
    "DEFLATE": bare_deflate,
    "br": brotli_stored,
    "zstd": zstd_stored,
}
