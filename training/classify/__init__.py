"""Classifiers of anybody's pictures: recipes `text-cnn`, `folder` and `phantom`.

Pictures are streamed from disk (`stream`), so that memory does not grow with the data. Read `loop` first.
"""
