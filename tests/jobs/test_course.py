"""The order of jobs over many machines: who comes next, who is tried again, and when it is over."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.jobs.course import Course, Job, Needs, Part, grouped
from avdub.jobs.node import Prepared
from avdub.jobs.worker import Work

LINES = ((1, 4.0), (2, 5.0), (3, 30.0), (4, 2.0))


def work(number: int) -> Work:
    return Work(number, f"/v/{number}.mp4", f"/v/{number}.srt", f"/o/{number}.mp4", {})


def begun(course: Course) -> Job:
    job = course.next()
    assert job is not None
    return job


def test_segments_are_grouped_up_to_the_bound_and_long_ones_stay_alone() -> None:
    assert grouped(LINES, 10.0) == [(1, 2), (3,), (4,)]


@given(st.lists(st.floats(0, 60)), st.floats(0.1, 100))
def test_every_segment_is_in_one_group_and_in_order(lengths: list[float], bound: float) -> None:
    groups = grouped(list(enumerate(lengths)), bound)
    assert [n for group in groups for n in group] == list(range(len(lengths)))
    sums = [sum(lengths[n] for n in group) for group in groups if len(group) > 1]
    assert all(each <= bound * (1 + 1e-9) for each in sums)


def test_a_file_is_prepared_painted_in_parts_and_spliced_when_all_are_there() -> None:
    course = Course([work(7)], retries=0, group_s=10.0)
    prepare = begun(course)
    assert (prepare.part, course.next()) == (Part.PREPARE, None)
    course.prepared(prepare, Prepared(LINES))
    paints = [begun(course) for _ in range(3)]
    assert [(job.part, job.segments) for job in paints] == [
        *((Part.PAINT, (1, 2)), (Part.PAINT, (3,)), (Part.PAINT, (4,))),
    ]
    assert course.next() is None
    for job in paints:
        assert course.next() is None
        course.painted(job, ())
    splice = begun(course)
    assert splice.part is Part.SPLICE
    assert not course.is_over
    course.end(7)
    assert course.is_over


def test_a_file_without_mouths_to_paint_is_spliced_at_once() -> None:
    course = Course([work(0)], retries=0)
    course.prepared(begun(course), Prepared(()))
    assert begun(course).part is Part.SPLICE


def test_what_was_begun_first_is_ended_first() -> None:
    course = Course([work(0), work(1)], retries=0)
    first = begun(course)
    course.prepared(first, Prepared(((1, 1.0),)))
    assert [(job.number, job.part) for job in (begun(course), begun(course))] == [
        *((0, Part.PAINT), (1, Part.PREPARE)),
    ]


def test_a_lost_job_is_tried_again_so_often_and_the_file_says_so() -> None:
    course = Course([work(0)], retries=2)
    job = begun(course)
    assert course.lost(job, "its machine went away")
    again = begun(course)
    assert replace(again, id=job.id, n_lost=0) == job
    assert course.lost(again, "its machine went away")
    assert not course.lost(begun(course), "its machine went away")
    assert list(course.files[0].warnings) == [
        "its job to prepare was begun again: its machine went away"
    ]


def test_jobs_of_a_file_that_failed_are_not_begun() -> None:
    course = Course([work(0), work(1)], retries=0)
    course.prepared(begun(course), Prepared(((1, 9.0), (2, 19.0))))
    course.end(0)
    assert begun(course).number == 1
    assert course.next() is None


def test_what_only_splices_asks_for_no_gpu() -> None:
    needs = Needs(2.0, 0.5, 10)
    assert needs.of(Part.PAINT) == {"num_cpus": 2.0, "num_gpus": 0.5, "memory": 10}
    assert needs.of(Part.SPLICE)["num_gpus"] == 0


@pytest.mark.parametrize(
    ("has", "slots"),
    [
        ({"CPU": 8.0, "GPU": 1.0, "memory": 100.0}, 2),
        ({"CPU": 3.0, "GPU": 1.0, "memory": 100.0}, 1),
        ({"CPU": 8.0, "memory": 100.0}, 0),
        ({"CPU": 8.0, "GPU": 1.0, "memory": 9.0}, 0),
    ],
)
def test_the_scarcest_thing_says_how_many_jobs_a_machine_does_at_once(
    has: dict[str, float], slots: int
) -> None:
    assert Needs(2.0, 0.5, 10).slots(has) == slots
