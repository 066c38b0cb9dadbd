"""HEVC as files keep it: the hvcC record, where decoding may start, and renumbered pictures.

x265 numbers its parameter sets 0, as most encoders do. Here they get numbers of their own. That of
the PPS stands in every slice: one of 15 to 30 takes exactly eight bits more than 0 does, so the
slice's data stays where it was within its byte and nothing else must be rewritten.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from avdub.media.nal import (
    LENGTH_SIZE,
    Bits,
    BrokenStream,
    Entry,
    escaped,
    free_number,
    golomb_bits,
    unescaped,
    views,
    with_bits,
)

IDR_W_RADL, IDR_N_LP, CRA, BLA_N_LP = 19, 20, 21, 18
BLAS = (16, 17, 18)
IRAPS = range(16, 24)
SLICES = range(32)
VPS, SPS, PPS = 32, 33, 34
SETS = (VPS, SPS, PPS)
HEADER_BITS = 16
PPS_NUMBERS = range(15, 31)
HEAD_SIZE = 22


@dataclass(frozen=True)
class Numbers:
    """The numbers of one encoder's parameter sets."""

    vps: int
    sps: int
    pps: int


def kind(unit: bytes | memoryview) -> int:
    """nal_unit_type of a unit."""
    return (unit[0] >> 1) & 63


@dataclass(frozen=True)
class Hvcc:
    """The hvcC record taken apart: its head, and its arrays as (first byte, units)."""

    head: bytes
    arrays: tuple[tuple[int, tuple[bytes, ...]], ...]

    @classmethod
    def read(cls, record: bytes) -> "Hvcc":
        """Raises BrokenStream for anything but a whole record with lengths of four bytes."""
        if len(record) <= HEAD_SIZE or record[0] != 1:
            raise BrokenStream("the parameter sets are not kept as MP4 keeps them")
        if (record[21] & 3) + 1 != LENGTH_SIZE:
            raise BrokenStream("its NAL units have lengths of other than four bytes")
        place, arrays = HEAD_SIZE + 1, []
        for _ in range(record[HEAD_SIZE]):
            if place >= len(record):
                raise BrokenStream("the record of parameter sets ends early")
            first, n_units = record[place], int.from_bytes(record[place + 1 : place + 3], "big")
            place += 3
            found = []
            for _ in range(n_units):
                size = int.from_bytes(record[place : place + 2], "big")
                found.append(record[place + 2 : place + 2 + size])
                place += 2 + size
            arrays.append((first, tuple(found)))
        if place > len(record) or not all(len(u) > 4 for _, us in arrays for u in us):
            raise BrokenStream("the record of parameter sets ends early")
        read = cls(record[:HEAD_SIZE], tuple(arrays))
        if not all(any(kind(unit) == n for unit in read.units) for n in SETS):
            raise BrokenStream("the record of parameter sets is not complete")
        return read

    @property
    def units(self) -> tuple[bytes, ...]:
        return tuple(unit for _, found in self.arrays for unit in found)

    @property
    def level(self) -> int:
        """Thirty times the level."""
        return self.head[12]

    @property
    def is_high_tier(self) -> bool:
        return bool(self.head[1] & 32)

    def free_numbers(self) -> Numbers:
        """Numbers for an encoder's sets that no set here has."""
        taken = {n: {_number(u)[0] for u in self.units if kind(u) == n} for n in SETS}
        return Numbers(
            free_number(taken[VPS], range(16)),
            free_number(taken[SPS], range(16)),
            free_number(taken[PPS], PPS_NUMBERS),
        )

    def with_sets(self, units: Iterable[bytes]) -> bytes:
        """The record with more sets."""
        parts = list(units)
        arrays = []
        for first, found in self.arrays:
            found += tuple(unit for unit in parts if kind(unit) == first & 63)
            body = b"".join(struct.pack(">H", len(unit)) + unit for unit in found)
            arrays.append(bytes([first]) + struct.pack(">H", len(found)) + body)
        return self.head + bytes([len(arrays)]) + b"".join(arrays)


def _number(unit: bytes) -> tuple[int, int, int]:
    """A parameter set's own number, the bit where it stands, and how many it takes."""
    bits = Bits(unescaped(unit))
    bits.skip(HEADER_BITS)
    if kind(unit) == VPS:
        return bits.number(4), HEADER_BITS, 4
    if kind(unit) == SPS:
        bits.skip(4)
        n_layers = bits.number(3)  # less one
        bits.skip(1 + 88 + 8)
        _skip_layers(bits, n_layers)
    start = bits.place
    return bits.golomb(), start, bits.place - start


def _skip_layers(bits: Bits, n_layers: int) -> None:
    """Profiles and levels of sub-layers, ITU-T H.265 section 7.3.3."""
    flags = [(bits.number(1), bits.number(1)) for _ in range(n_layers)]
    if n_layers:
        bits.skip(2 * (8 - n_layers))
    for has_profile, has_level in flags:
        bits.skip(88 * has_profile + 8 * has_level)


def renumbered_sets(units: Iterable[bytes], numbers: Numbers) -> Iterator[bytes]:
    """An encoder's VPS, SPS and PPS with other numbers; other units are left out."""
    for unit in units:
        if kind(unit) not in SETS:
            continue
        own, start, n_bits = _number(unit)
        if own != 0:
            raise BrokenStream(f"an encoder's parameter set has number {own}")
        if kind(unit) == VPS:
            yield with_bits(unit, start, n_bits, f"{numbers.vps:04b}")
        elif kind(unit) == SPS:
            unit = with_bits(unit, start, n_bits, golomb_bits(numbers.sps))
            yield with_bits(unit, HEADER_BITS, 4, f"{numbers.vps:04b}")
        else:  # two 0s, one bit each: its own number and that of its SPS
            text = golomb_bits(numbers.pps) + golomb_bits(numbers.sps)
            yield with_bits(unit, start, 2, text)


def renumbered_slices(units: Iterable[bytes], numbers: Numbers) -> Iterator[bytes]:
    """Units of a packet with the slices' PPS number, 0 as encoded, replaced."""
    for unit in units:
        if kind(unit) not in SLICES:
            yield unit
            continue
        plain = unescaped(unit)
        before = 2 if kind(unit) in IRAPS else 1  # flags before the number
        first = f"{plain[2]:08b}"
        if first[before] != "1":
            raise BrokenStream("an encoder's slice names a parameter set other than 0")
        text = first[:before] + golomb_bits(numbers.pps) + first[before + 1 :]
        yield escaped(plain[:2] + int(text, 2).to_bytes(2, "big") + plain[3:])


def without_leaders(units: Iterable[bytes]) -> Iterator[bytes]:
    """Units of an open entry as one that no picture shown before it belongs to any more.

    A CRA picture becomes a BLA picture: the same bits under another type, which tells decoders to
    start anew instead of looking for what came before.
    """
    for unit in units:
        if kind(unit) == CRA or kind(unit) in BLAS:
            unit = bytes([(unit[0] & 0x81) | BLA_N_LP << 1]) + unit[1:]
        yield unit


def entry_of(data: bytes | memoryview, is_keyframe: bool) -> Entry:
    """Whether decoding may start at a packet."""
    found = {kind(unit) for unit in views(data)}
    if not is_keyframe:
        return Entry.NONE
    if found & {IDR_W_RADL, IDR_N_LP}:
        return Entry.CLEAN
    return Entry.OPEN if found & {CRA, *BLAS} else Entry.NONE


def sets_in(data: bytes | memoryview) -> frozenset[bytes]:
    """Parameter sets that a packet brings of its own."""
    return frozenset(bytes(unit) for unit in views(data) if kind(unit) in SETS)
