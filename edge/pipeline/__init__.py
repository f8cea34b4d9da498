"""Pipeline from frames to findings: capture, analysis, runtime fall-back, tracking and reporting.

`loop` is the whole flow; `analyser` judges one frame; `guard` watches the runtime; `reporter` reports.
What is here knows ports and contracts, not sources, runtimes or sinks: `edge.app` puts those in.
"""
