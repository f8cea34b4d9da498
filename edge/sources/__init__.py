"""Frame sources: the implementations of the `Source` port (DICOM, images, video, phantom, replay), one a module.

A source knows how to get pictures and what its medium says of them (place, time, calibration, body part). It does
not judge them, does not resize them and knows nothing of what comes after. The seeded phantom itself is in
`edge.phantom`; `edge.phantom.scene` can be used without a source, for training and golden vectors.
"""
