from __future__ import annotations

from edge.pipeline.exam import ExamKeeper


def test_another_study_is_another_exam(make):
    exam = ExamKeeper(300)
    assert not exam.starts_with(make.frame(0, study="a"))
    before = exam.exam_id
    assert not exam.starts_with(make.frame(1, study="a"))
    assert exam.starts_with(make.frame(2, study="b"))
    assert exam.exam_id != before


def test_a_source_that_says_no_study_never_changes_exam_by_it(make):
    exam = ExamKeeper(300)
    exam.starts_with(make.frame(0, study="a"))
    assert not exam.starts_with(make.frame(1, study=None))
    assert not exam.starts_with(make.frame(2, study="a"))


def test_a_long_idle_time_is_a_boundary_between_patients(make):
    exam = ExamKeeper(10)
    exam.judged(0)
    assert not exam.starts_with(make.frame(1, captured_ns=9_000_000_000))
    assert exam.starts_with(make.frame(2, captured_ns=11_000_000_000))
    assert not exam.starts_with(make.frame(3, captured_ns=12_000_000_000))
