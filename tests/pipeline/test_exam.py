"""Exam boundaries: another study, an idle time, or begun on request."""

from __future__ import annotations

from edge.pipeline.exam import ExamTracker


def test_another_study_is_another_exam(make):
    exam = ExamTracker(300)
    assert not exam.starts_new_exam(make.frame(0, study="a"))
    before = exam.exam_id
    assert not exam.starts_new_exam(make.frame(1, study="a"))
    assert exam.starts_new_exam(make.frame(2, study="b"))
    assert exam.exam_id != before


def test_a_source_that_says_no_study_never_changes_exam_by_it(make):
    exam = ExamTracker(300)
    exam.starts_new_exam(make.frame(0, study="a"))
    assert not exam.starts_new_exam(make.frame(1, study=None))
    assert not exam.starts_new_exam(make.frame(2, study="a"))


def test_a_long_idle_time_is_a_boundary_between_patients(make):
    exam = ExamTracker(10)
    exam.note_judged(0)
    assert not exam.starts_new_exam(make.frame(1, captured_ns=9_000_000_000))
    assert exam.starts_new_exam(make.frame(2, captured_ns=11_000_000_000))
    assert not exam.starts_new_exam(make.frame(3, captured_ns=12_000_000_000))


def test_told_from_outside_the_exam_begins_with_what_is_captured_after_and_not_with_what_is_on_its_way(make):
    exam = ExamTracker(300)
    before = exam.exam_id
    told = exam.begin(1000)
    assert not exam.starts_new_exam(make.frame(0, captured_ns=999))
    assert exam.exam_id == before
    assert exam.starts_new_exam(make.frame(1, captured_ns=1000))
    assert exam.exam_id == told != before
    assert not exam.starts_new_exam(make.frame(2, captured_ns=1001))


def test_a_boundary_may_be_crossed_without_a_frame_and_then_the_idle_time_counts_anew():
    exam = ExamTracker(1)
    exam.note_judged(0)
    told = exam.begin(1000)
    assert not exam.enter_begun_exam(999)
    assert exam.enter_begun_exam(5_000_000_000)
    assert exam.exam_id == told
    assert not exam.enter_begun_exam(6_000_000_000)
