"""Glass to glass of the page in Chromium, and how many browsers it serves, for `benchmarks/view.py`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from view_daemon import ROOT, WAIT_S, MeasuredDaemon, summary

SIZE = (640, 480)
FPS = 30
OUTLINE = [[0, 0], [SIZE[0] - 1, 0], [SIZE[0] - 1, SIZE[1] - 1], [0, SIZE[1] - 1]]
WHOLE = f"scan_outline = {OUTLINE}\nfrozen_after_s = 0"
"""Settings of a stream whose whole picture is shown, whatever it is."""
PROBE = """() => {
  const found = window.found = [];
  const canvas = document.getElementById('picture');
  const small = document.createElement('canvas');
  small.width = 512; small.height = 32;
  const context = small.getContext('2d', { willReadFrequently: true });
  const read = () => {
    context.drawImage(canvas, 0, 0, 512, 32, 0, 0, 512, 32);
    const data = context.getImageData(0, 0, 512, 32).data;
    let bits = '';
    for (let row = 0; row < 2; row++) for (let column = 0; column < 32; column++) {
      bits += data[((row * 16 + 8) * 512 + column * 16 + 8) * 4] > 127 ? '1' : '0';
    }
    return parseInt(bits.slice(0, 40), 2) / 100;  // ms
  };
  new MutationObserver(() => {
    requestAnimationFrame(() => requestAnimationFrame((at) => found.push([read(), at, 0])));
  }).observe(document.body, { attributes: true, attributeFilter: ['data-seq'] });
}"""
AGES = """() => { const shown = window.shown = []; setInterval(() => {
  const match = /(\\d+) ms/.exec(document.getElementById('age').textContent);
  if (match) shown.push([Number(match[1]), performance.now()]); }, 103); }"""


def clock_offset(page: Any) -> float:
    """Milliseconds to add to the page's `performance.now()` for CLOCK_MONOTONIC."""
    best = (1e9, 0.0)
    for _ in range(50):
        before = time.monotonic()
        there = page.evaluate("() => performance.now()")
        after = time.monotonic()
        best = min(best, (after - before, (before + after) / 2 * 1e3 - there))
    return best[1]


def measure_glass(seconds: float) -> dict[str, Any]:
    """Glass to glass in Chromium: from when a picture was drawn until the frame after it is on the page."""
    from playwright.sync_api import sync_playwright

    port = 18431
    camera = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "mjpeg_server.py"), str(port), *map(str, SIZE), str(FPS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert camera.stdout is not None
    assert camera.stdout.readline() == "ready\n"
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        daemon = MeasuredDaemon(f"http://127.0.0.1:{port}/", Path(folder), view=True, more=WHOLE)
        page = opened_page(playwright, daemon)
        found["first_contentful_paint_ms"] = page.evaluate(
            "() => Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime)"
        )
        found["page_bytes"] = page.evaluate(
            "() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
            ".reduce((sum, each) => sum + each.encodedBodySize, 0)"
        )
        for name, rate in (("", 1), ("_4x_throttled", 4)):
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
            time.sleep(2)
            found[f"fps{name}"] = count_frames(page, seconds)
            found[f"glass{name}"] = watch_page(page, seconds)
        page.context.browser.close()
        found["ten_clients"] = measure_clients(daemon, 10, seconds)
        found["one_client"] = measure_clients(daemon, 1, seconds)
        daemon.end()
    camera.terminate()
    camera.wait()
    return found


def measure_rtsp(seconds: float) -> dict[str, Any]:
    """Glass to glass from RTSP with H.264, by GStreamer's server; the encoder's time is in it."""
    from live_servers import RtspServer
    from playwright.sync_api import sync_playwright

    camera = RtspServer("h264", *SIZE, FPS)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        daemon = MeasuredDaemon(camera.uri, Path(folder), view=True, more=WHOLE)
        page = opened_page(playwright, daemon)
        time.sleep(2)
        found = watch_page(page, seconds)
        page.context.browser.close()
        daemon.end()
    camera.close()
    return found


def opened_page(playwright: Any, daemon: MeasuredDaemon) -> Any:
    """The daemon's page in Chromium, with a picture on it."""
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(daemon.address)
    until = time.monotonic() + WAIT_S
    while not page.evaluate("() => document.body.dataset.seq"):
        assert time.monotonic() < until
        time.sleep(0.05)
    return page


def count_frames(page: Any, seconds: float) -> float:
    """Frames a second that the page paints, with nothing else to do."""
    page.evaluate(
        "() => { if (window.painted === undefined) new MutationObserver(() => window.painted++)"
        ".observe(document.body, { attributes: true, attributeFilter: ['data-seq'] }); window.painted = 0; }"
    )
    before, began = page.evaluate("() => window.painted"), time.monotonic()
    time.sleep(seconds)
    painted = page.evaluate("() => window.painted") - before
    return round(painted / (time.monotonic() - began), 1)


def watch_page(page: Any, seconds: float) -> dict[str, Any]:
    """Ages of pictures when they were painted, how many a second, and how far the age shown was from the truth."""
    offset = clock_offset(page)
    page.evaluate(PROBE)
    page.evaluate(AGES)
    time.sleep(seconds)
    frames, shown = page.evaluate("() => window.found"), page.evaluate("() => window.shown")
    wrap = (1 << 40) / 100
    ages = [(painted + offset - drawn) % wrap for drawn, painted, _ in frames]
    ages = [age for age in ages if age < 10_000]
    span = (frames[-1][1] - frames[0][1]) / 1e3
    errors = []
    for age, at in shown:  # the picture that was on the page then: the last that was painted
        before = [(drawn, painted) for drawn, painted, _ in frames if painted <= at]
        if before:
            drawn, painted = before[-1]
            errors.append(min(abs(age - (painted + offset - drawn) % wrap), 10_000.0))
    return {"age_ms": summary(ages), "fps": round((len(frames) - 1) / span, 1), "age_error_ms": summary(errors)}


def measure_clients(daemon: MeasuredDaemon, clients: int, seconds: float) -> dict[str, Any]:
    """Frames a second of so many browsers (without painting), and the viewer's share of a core."""
    from viewer_page import connected

    counts = [0] * clients
    stop = threading.Event()

    def watch(place: int) -> None:
        with connected(daemon.address) as page:
            page.stream, number = "cart", -1
            while not stop.is_set():
                header, _ = page.live(after=number)
                number = header["stream"]["number"]
                counts[place] += header["kind"] == "live"

    threads = [threading.Thread(target=watch, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    viewer = daemon.child("edge.viewer.process")
    before, cpu = list(counts), sum(viewer.cpu_times()[:2])
    time.sleep(seconds)
    rates = [(now - then) / seconds for now, then in zip(counts, before, strict=True)]
    cores = (sum(viewer.cpu_times()[:2]) - cpu) / seconds
    stop.set()
    for thread in threads:
        thread.join()
    return {
        "fps_least": round(min(rates), 1),
        "viewer_cores": round(cores, 2),
        "viewer_rss_mb": viewer.memory_info().rss >> 20,
    }
