"""NAL units of H.264 and HEVC: taken apart and put together, their parameter sets renumbered.

Numbers of parameter sets are what lets pictures of two encoders share one track: each picture names
the set it was made with. Knows nothing of files, times or pictures.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum

LENGTH_SIZE = 4  # bytes of the length before each unit; all that MP4 and Matroska files use today
START_CODE = re.compile(rb"\x00\x00\x01")
TO_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03]|\Z)")


class Entry(IntEnum):
    """Whether decoding may start at a packet.

    CLEAN: nothing after it, as decoded, builds on what came before. OPEN: the same but for pictures
    that are decoded after it and shown before it.
    """

    NONE = 0
    CLEAN = 1
    OPEN = 2


class BrokenStream(ValueError):
    """Bytes that are no NAL units."""


def units(data: bytes) -> Iterator[bytes]:
    """Units of a packet in which each has its length before it."""
    return (bytes(view) for view in views(data))


def views(data: bytes | memoryview) -> Iterator[memoryview]:
    """The same without copying them."""
    whole = memoryview(data)
    place = 0
    while place < len(whole):
        size = int.from_bytes(whole[place : place + LENGTH_SIZE], "big")
        place += LENGTH_SIZE
        if size == 0 or place + size > len(whole):
            raise BrokenStream(f"a NAL unit of {size} bytes in a packet of {len(whole)}")
        yield whole[place : place + size]
        place += size


def annexb_units(data: bytes) -> Iterator[bytes]:
    """Units of a stream in which each follows a start code, as encoders give them."""
    places = [match.start() for match in START_CODE.finditer(data)]
    for start, end in zip(places, [*places[1:], len(data)], strict=True):
        unit = data[start + 3 : end].rstrip(b"\x00")
        if unit:
            yield unit


def joined(parts: Iterable[bytes]) -> bytes:
    """Units with their lengths, as a packet."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def unescaped(unit: bytes) -> bytes:
    """A unit without the bytes that keep start codes out of it."""
    return unit.replace(b"\x00\x00\x03", b"\x00\x00")


def escaped(unit: bytes) -> bytes:
    return TO_ESCAPE.sub(b"\x00\x00\x03", unit)


class Bits:
    """Reads numbers from the bits of an unescaped unit."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.place = 0

    def number(self, n_bits: int) -> int:
        """The next `n_bits` as a number; raises BrokenStream at the end."""
        part = self.text[self.place : self.place + n_bits]
        if len(part) < n_bits:
            raise BrokenStream("a parameter set ends early")
        self.place += n_bits
        return int(part, 2) if part else 0

    def skip(self, n_bits: int) -> None:
        self.place += n_bits

    def golomb(self) -> int:
        """The next Exp-Golomb number."""
        one = self.text.find("1", self.place)
        if one < 0:
            raise BrokenStream("a parameter set ends early")
        n_zeros = one - self.place
        self.place = one
        return self.number(n_zeros + 1) - 1


def golomb_bits(value: int) -> str:
    """Exp-Golomb code of a number."""
    binary = f"{value + 1:b}"
    return "0" * (len(binary) - 1) + binary


def bytes_of(text: str) -> bytes:
    """Bits as bytes; their number must be a multiple of eight."""
    return int(text, 2).to_bytes(len(text) // 8, "big")


def with_bits(unit: bytes, start: int, n_bits: int, new: str) -> bytes:
    """A parameter set with `n_bits` from bit `start` replaced; what follows may move."""
    text = "".join(f"{byte:08b}" for byte in unescaped(unit))
    body = text[: text.rindex("1")]  # the last 1 and what follows only fill the last byte
    body = body[:start] + new + body[start + n_bits :] + "1"
    return escaped(bytes_of(body + "0" * (-len(body) % 8)))


def free_number(taken: Iterable[int], among: range) -> int:
    """The first number of `among` that is not taken; raises BrokenStream if all are."""
    used = set(taken)
    for number in among:
        if number not in used:
            return number
    raise BrokenStream("all numbers of parameter sets are taken")
