"""H.264 as files keep it: the avcC record, where decoding may start, and what the sets say.

x264 numbers its own parameter sets as it is told, so its pictures need no change to join a track.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from avdub.media.nal import (
    LENGTH_SIZE,
    Bits,
    BrokenStream,
    Entry,
    free_number,
    unescaped,
    views,
)

IDR, SPS, PPS, SPS_EXTENSION = 5, 7, 8, 13
SETS = (SPS, PPS, SPS_EXTENSION)
WITH_CHROMA = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)  # profile_idc
PROFILES = {66: "baseline", 77: "main", 100: "high", 110: "high10", 122: "high422", 244: "high444"}
MOST_SPS, MOST_PPS = 31, 255
X264_NUMBERS = range(1, 32)  # one number for both sets


@dataclass(frozen=True)
class Avcc:
    """The avcC record taken apart: its first five bytes, the sets, and what follows them."""

    head: bytes
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    tail: bytes

    @classmethod
    def read(cls, record: bytes) -> "Avcc":
        """Raises BrokenStream for anything but a whole record with lengths of four bytes."""
        if len(record) < 7 or record[0] != 1:
            raise BrokenStream("the parameter sets are not kept as MP4 keeps them")
        if (record[4] & 3) + 1 != LENGTH_SIZE:
            raise BrokenStream("its NAL units have lengths of other than four bytes")
        place, sets = 5, []
        for mask in (31, 255):
            found, place = _sets(record, place, mask)
            sets.append(found)
        return cls(record[:5], sets[0], sets[1], record[place:])

    @property
    def profile(self) -> str | None:
        """The encoder's name of the profile, None for one it does not make."""
        return PROFILES.get(self.head[1])

    @property
    def level(self) -> int:
        """Ten times the level."""
        return self.head[3]

    @property
    def units(self) -> tuple[bytes, ...]:
        return self.sps + self.pps

    @property
    def is_progressive(self) -> bool:
        """Whether every picture is a whole frame by its sets."""
        return all(_frames_only(unit) for unit in self.sps)

    def free_number(self) -> int:
        """A number for both sets of an encoder that no set here has."""
        taken = {_sps_number(unit) for unit in self.sps} | {_pps_number(unit) for unit in self.pps}
        return free_number(taken, X264_NUMBERS)

    def with_sets(self, units: Iterable[bytes]) -> bytes:
        """The record with more sets."""
        parts = list(units)
        sps = self.sps + tuple(unit for unit in parts if unit[0] & 31 == SPS)
        pps = self.pps + tuple(unit for unit in parts if unit[0] & 31 == PPS)
        if len(sps) > MOST_SPS or len(pps) > MOST_PPS:
            raise BrokenStream("there is no room for more parameter sets")
        level = max(self.level, *(unit[3] for unit in sps))
        head = self.head[:3] + bytes([level]) + self.head[4:]
        return head + _counted(0xE0 | len(sps), sps) + _counted(len(pps), pps) + self.tail


def _sets(record: bytes, place: int, mask: int) -> tuple[tuple[bytes, ...], int]:
    """As many units as the byte at `place` says, and the place after them."""
    found = []
    if place >= len(record):
        raise BrokenStream("the record of parameter sets ends early")
    n_units, place = record[place] & mask, place + 1
    for _ in range(n_units):
        size = int.from_bytes(record[place : place + 2], "big")
        unit = record[place + 2 : place + 2 + size]
        if len(unit) < max(size, 4 if mask == 31 else 2):
            raise BrokenStream("the record of parameter sets ends early")
        found.append(unit)
        place += 2 + size
    return tuple(found), place


def _counted(count: int, sets: tuple[bytes, ...]) -> bytes:
    return bytes([count]) + b"".join(struct.pack(">H", len(unit)) + unit for unit in sets)


def _sps_number(unit: bytes) -> int:
    bits = Bits(unescaped(unit[:16])[4:])  # header, profile, constraints, level
    return bits.golomb()


def _pps_number(unit: bytes) -> int:
    return Bits(unescaped(unit[:16])[1:]).golomb()


def _frames_only(unit: bytes) -> bool:
    """frame_mbs_only_flag, ITU-T H.264 section 7.3.2.1.1."""
    data = unescaped(unit)
    bits = Bits(data[4:])
    bits.golomb()  # its number
    if data[1] in WITH_CHROMA:
        if bits.golomb() == 3:
            bits.skip(1)
        bits.golomb(), bits.golomb()  # bit depths
        bits.skip(1)
        if bits.number(1):
            _skip_scaling(bits, 12 if _is_444(data) else 8)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.skip(1)
        bits.golomb(), bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()  # reference frames
    bits.skip(1)
    bits.golomb(), bits.golomb()  # size
    return bool(bits.number(1))


def _is_444(data: bytes) -> bool:
    bits = Bits(data[4:])
    bits.golomb()
    return bits.golomb() == 3


def _skip_scaling(bits: Bits, n_lists: int) -> None:
    """Scaling matrices, section 7.3.2.1.1.1."""
    for n in range(n_lists):
        if not bits.number(1):
            continue
        last = following = 8
        for _ in range(16 if n < 6 else 64):
            if following:
                code = bits.golomb()
                following = (last + (-(code // 2) if code % 2 == 0 else (code + 1) // 2)) % 256
            last = following or last


def entry_of(data: bytes | memoryview, is_keyframe: bool) -> Entry:
    """Whether decoding may start at a packet: an IDR picture and no other.

    At other keyframes what follows may still build on what came before, or number its frames by it.
    """
    is_idr = any(unit[0] & 31 == IDR for unit in views(data))
    return Entry.CLEAN if is_keyframe and is_idr else Entry.NONE


def sets_in(data: bytes | memoryview) -> frozenset[bytes]:
    """Parameter sets that a packet brings of its own."""
    return frozenset(bytes(unit) for unit in views(data) if unit[0] & 31 in SETS)
