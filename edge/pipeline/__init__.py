"""Pipeline from frames to findings: capture, analysis, runtime fall-back, tracking and reporting.

`loop` is the whole flow; `analyser` judges one frame; `guard` watches the runtime; `reporter` reports.
What is here knows ports and contracts, not sources, runtimes or sinks: `edge.app` puts those in.

Modules:

- ``analyser``: Analyser: judges one frame in steps that the loop can overlap: prepare, queue, start, wait, finish.
- ``capture``: Frame capture for all streams: a thread for each source reads and decodes, the loop takes streams in
  turn.
- ``clip_judgement``: Judgement of a lesion over all of its frames: malignancy joined by a rule, and the best frame.
- ``clip_states``: States of a recurrent step between frames: one of each lesion's track, and one of the stream's
  frames.
- ``coverage``: Coverage of one stream: which result state held from when to when. Pure; knows no messages.
- ``exam``: Exam tracking: the boundary between patients, where a new random exam id begins and every lesion track ends.
- ``feature_log``: File of feature vectors that a running daemon writes for research, where the configuration asks for
  it.
- ``feature_rows``: Feature vectors of a stream's frames and of its tracked lesions, frame by frame, for research; see
  `FEATURES`.
- ``freeze``: Freeze detection in one live stream: whether the scan stands still, judged against the stream's own noise.
- ``guard``: Runtime guard with fall-back: keeps the time limit, replaces a runtime that hung or died, tests it before
  use.
- ``label_tracker``: Label tracker with hysteresis: results with labels or areas in, lifecycle events of the labels out.
  Pure.
- ``latest_results``: Sends the latest result of each stream (`results/{stream}`), at most N a second; keeps none.
- ``liveness``: Freeze and silence detection for live streams: a scan that stands still, and a source that gives nothing
  at all.
- ``loop``: Main loop of the frame process, the whole flow from frame to finding: READ THIS FIRST.
- ``messages``: Makes the messages on the wire (findings, coverage, latest results) of results and events.
- ``open_sources``: Opening of all sources at a start, and which live streams are lost: absent since the start, or gone
  later.
- ``overload``: Overload: live frames that are dropped for so long that it is no passing moment any more. Pure: no I/O.
- ``recent_frames``: Frames of the last seconds: counts those within a window that moves with the stream's time.
- ``report_timer``: Report timer: sends the counters once a second, and at once when the runtime changes.
- ``reporter``: Reporter: hands each result and source event of the loop to the parts that report it.
- ``runtime_candidate``: Runtime candidate: a runtime that is loaded and tested in a thread of its own, while the loop
  goes on.
- ``runtime_history``: Runtime history: which runtimes have failed in this run of the daemon, so that a new frame
  process knows it too.
- ``same_lesion``: Matching of lesions between frames (data association): which is which of the frames before, by
  overlap of boxes.
- ``selftest``: Self-test of a runtime with golden vectors: does it compute on this machine what the workstation
  measured?
- ``stats``: Statistics of the frame process: counters since the start, and times of the last interval, for `health`.
- ``stream_geometry``: Rotates, flips and crops the pictures of a stream, and the scan regions that its source gives, in
  this order.
- ``stream_messages``: Makes the durable messages of one stream and hands them over; one without room becomes a gap in
  the coverage.
- ``stream_metadata``: Turns frames as their stream's configuration says, and adds what it knows and the source does
  not.
- ``stream_reporter``: State of one stream between frames: its exam, its lesion or label tracks, and its coverage,
  reported together.
- ``tracker``: Lesion tracker with hysteresis over seconds: results of one stream in, lifecycle events (new, update,
  end) out.
- ``video_features``: Features of lesions and frames over time, computed from the frames' results alone; pure, without
  pixels.
"""
