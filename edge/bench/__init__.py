"""Benchmark: how long a frame takes from capture to the broker's acknowledgement, stage by stage.

Stands beside `edge.daemon` and runs the same loop. What may live here: measuring, the statistics of it, and what
shows them. Nothing here judges a picture.

Modules:

- ``bootstrap``: Moving-block bootstrap: confidence interval of how much slower run B is than run A.
- ``chart``: SVG chart of a benchmark run: histogram of the frame times, and the times over the run. Plain shapes only.
- ``compare``: Compare two benchmark reports: is B slower than A, by the ratios of their numbers and their confidence?
- ``interrupt``: Ctrl-C handler of the benchmark: the run ends in order, and what was measured so far is shown.
- ``loadgen``: MLCommons LoadGen scenarios: LoadGen says when the next query comes, and by whose rules the run is valid.
- ``loadgen_result``: Result of an MLCommons LoadGen run, read from its detail log.
- ``machine_description``: Description of the machine that a benchmark ran on: board, processor, kernel, libraries.
- ``measured_run``: One measured run of the whole path: the daemon's loop in this process, its runtime and its publisher
  in their own.
- ``process_memory``: Memory of a daemon's processes (PSS and peak), read from the kernel.
- ``publisher_process``: Publisher process of the daemon, started for a benchmark run, and the broker that it sends to.
- ``quantile_intervals``: Quantiles with confidence intervals that assume nothing of the distribution.
- ``rendered_frames``: Source of phantom frames that were rendered before the run, as a capture card gives them.
- ``report``: Benchmark report as it stands in its JSON file (``benchmark/1``). None: not measured, never zero.
- ``run``: Benchmark runs, from what the user asked for to a report: read this first of the package.
- ``samples``: Raw samples of a benchmark run: one row a frame, how long each stage took, in milliseconds.
- ``stage_notes``: Notes beside the stage times: what a stage stands for in this run, or why it has no number.
- ``stage_timing``: Stage timing: wrappers around the daemon's own source, analyser and outbox that note when each step
  happened.
- ``startup``: Start-up times of a runtime: loading, the first invoke, warming up; then the golden vectors.
- ``sustained``: Long benchmark run, minute by minute, beside the sensors: is it as fast at the end as at the beginning?
- ``sweep``: Sweep over threads, runtimes and models: one after the other, each started anew; what fails says why.
- ``text_report``: Text table of a benchmark report for people: plain text that fits 80 columns, also over ssh.
- ``throughput``: Throughput in frames a second, with a bootstrap interval that allows for slow phases.
"""
