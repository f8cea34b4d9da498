"""Training of classifiers on any folder of pictures: recipes `text-cnn`, `folder` and `phantom`.

Pictures are streamed from disk (`input_pipeline`), so that memory does not grow with the data. Read `loop` first.
"""
