import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from avdub.media.gops import PacketTable, decoding_times, plan_stretches
from avdub.media.nal import Entry
from avdub.timeline import Span

CLOSED, OPEN, NONE = Entry.CLEAN, Entry.OPEN, Entry.NONE


def table_of(*packets: tuple[int, Entry]) -> PacketTable:
    """Packets as (PTS, entry) in decoding order."""
    pts = np.array([pts for pts, _ in packets], np.int64)
    entries = np.array([entry for _, entry in packets], np.uint8)
    return PacketTable(pts, decoding_times(pts), entries)


def group(start: int, entry: Entry, n_frames: int = 6) -> list[tuple[int, Entry]]:
    """I P b P b P: each b is decoded after the P it is shown before."""
    order = [0, 2, 1, 4, 3, 5][:n_frames]
    return [(start + n, entry if n == 0 else NONE) for n in order]


def test_untouched_videos_have_no_stretches() -> None:
    assert plan_stretches(table_of(*group(0, CLOSED)), []) == ()


def test_a_stretch_goes_from_the_touched_frame_to_the_groups_end() -> None:
    table = table_of(*group(0, CLOSED), *group(6, CLOSED), *group(12, CLOSED))
    (stretch,) = plan_stretches(table, [9])
    assert stretch.packets == Span(9, 12)  # frame 9 follows frame 10, on which it builds
    assert stretch.shown.tolist() == [9, 10, 11]
    assert stretch.kept is None


def test_a_frame_shown_before_others_that_were_decoded_first_takes_them_along() -> None:
    table = table_of(*group(0, CLOSED))
    (stretch,) = plan_stretches(table, [1])
    assert stretch.shown.tolist() == [1, 2, 3, 4, 5]


def test_neighbouring_groups_are_one_stretch() -> None:
    table = table_of(*group(0, CLOSED), *group(6, CLOSED), *group(12, CLOSED))
    assert [s.packets for s in plan_stretches(table, [5, 6])] == [Span(5, 12)]
    assert [s.packets for s in plan_stretches(table, [5, 17])] == [Span(5, 6), Span(17, 18)]


def test_pictures_before_an_open_entry_belong_to_the_stretch_before_it() -> None:
    leaders = [(8, OPEN), (6, NONE), (7, NONE), (10, NONE), (9, NONE)]
    table = table_of(*group(0, CLOSED), *leaders)
    (stretch,) = plan_stretches(table, [4])
    assert stretch.kept == 6
    assert stretch.packets == Span(3, 9)
    assert stretch.shown.tolist() == [3, 4, 5, 6, 7]


def test_a_touched_picture_before_an_open_entry_leaves_the_group_before_alone() -> None:
    leaders = [(8, OPEN), (6, NONE), (7, NONE), (10, NONE), (9, NONE)]
    table = table_of(*group(0, CLOSED), *leaders)
    (stretch,) = plan_stretches(table, [7])
    assert stretch.packets == Span(6, 11)
    assert stretch.shown.tolist() == [6, 7, 8, 9, 10]


def test_an_entry_with_late_pictures_elsewhere_is_no_border() -> None:
    odd = [(8, OPEN), (6, NONE), (9, NONE), (7, NONE), (10, NONE)]
    table = table_of(*group(0, CLOSED), *odd)
    (stretch,) = plan_stretches(table, [5])
    assert stretch.packets == Span(5, 11)
    assert stretch.kept is None


def test_without_entries_all_that_follows_is_made_anew() -> None:
    table = table_of(*group(0, CLOSED), *group(6, NONE), *group(12, NONE))
    (stretch,) = plan_stretches(table, [3])
    assert stretch.packets == Span(3, 18)


def test_depth_is_what_decoding_times_leave_room_for() -> None:
    pts = np.arange(6, dtype=np.int64)
    entries = np.array([1, 0, 0, 0, 0, 0], np.uint8)
    for delay, depth in ((0, 0), (1, 1), (2, 2), (5, 2)):
        (stretch,) = plan_stretches(PacketTable(pts, pts - delay, entries), [0])
        assert stretch.depth == depth


@st.composite
def streams(draw: st.DrawFn) -> PacketTable:
    """Groups of I P b… with uneven times, some open: B-frames before their entry."""
    packets: list[tuple[int, Entry]] = []
    time = 0
    for n in range(draw(st.integers(1, 6))):
        entry = draw(st.sampled_from([CLOSED, OPEN])) if n else CLOSED
        n_leaders = draw(st.integers(0, 3)) if entry == OPEN else 0
        steps = draw(st.lists(st.integers(1, 50), min_size=n_leaders + 1, max_size=n_leaders + 1))
        times = [time := time + step for step in steps]
        packets.append((times[-1], entry))
        packets += [(t, NONE) for t in times[:-1]]
        for _ in range(draw(st.integers(0, 4))):
            a, b = draw(st.integers(1, 50)), draw(st.integers(1, 50))
            packets += [(time + a + b, NONE), (time + a, NONE)]
            time += a + b
    return table_of(*packets)


@given(streams(), st.data())
def test_stretches_hold_what_is_touched_and_leave_whole_groups(
    table: PacketTable, data: st.DataObject
) -> None:
    shown = sorted(table.pts.tolist())
    touched = data.draw(st.lists(st.sampled_from(shown), unique=True))
    stretches = plan_stretches(table, touched)
    anew = [pts for stretch in stretches for pts in stretch.shown]
    assert set(touched) <= set(anew)
    assert anew == sorted(set(anew))
    for stretch in stretches:
        places = [shown.index(pts) for pts in stretch.shown]
        assert places == list(range(places[0], places[-1] + 1))
        assert len(stretch.slots) == len(stretch.shown) + (stretch.kept is not None)
        assert all(slot <= pts for slot, pts in zip(stretch.slots, stretch.shown, strict=False))
        end = stretch.packets.end if stretch.kept is None else stretch.kept
        assert end == len(table) or table.entries[end] != NONE
        if stretch.kept is not None:
            assert stretch.slots[-1] <= int(table.pts[stretch.kept])


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40, unique=True))
def test_decoding_times_rise_and_never_follow_presentation(pts: list[int]) -> None:
    dts = decoding_times(pts)
    assert (np.diff(dts) > 0).all()
    assert (dts <= pts).all()
