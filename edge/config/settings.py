"""Settings of a daemon (its configuration). Every field says its unit and what None means; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edge.config.section import Core, NotNegative, Positive, SettingsSection
from edge.config.tracking_settings import TrackingSettings
from edge.config.view_settings import ViewSettings
from edge.contracts.names import Name
from edge.contracts.region import Box


class CalibrationSettings(SettingsSection, frozen=True):
    """Millimetres per pixel, for sources that cannot say (grabbers). Measure on the scanner's own ruler."""

    box: Box
    """Part of the picture that it holds for: [x, y, width, height] in pixels, after rotate, flip and crop."""
    mm_x: Positive
    """Width of a pixel in mm."""
    mm_y: Positive
    """Height of a pixel in mm."""


class StreamSettings(SettingsSection, frozen=True):
    """One stream of frames, from one source."""

    name: Name
    """Name of the stream; it stands in topics."""
    source: str
    """URI of the source: ``camera://0``, ``rtsp://host/path``, ``http://host/path`` (MJPEG), ``phantom://?seed=1``,
    ``dicom:///path``, ``video:///path``, ``images:///path``."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees by which each picture is turned clockwise, before all else."""
    flip: Literal["horizontal", "vertical"] | None = None
    """Mirror image, after ``rotate``: left and right (``horizontal``), or top and bottom. None: as it comes."""
    crop: Box | None = None
    """Part of the picture that is used: [x, y, width, height] in pixels, after ``rotate`` and ``flip``. The rest is
    neither judged nor shown, and does not count for ``frozen_after_s``. None: all of it."""
    username: str | None = None
    """Network streams only: user name at the camera or server. None: that of the URI, else none."""
    password_file: str | None = None
    """Network streams only: file whose first line is the password. None: that of the URI, else none."""
    body_part: str | None = None
    """What is scanned, as DICOM spells BodyPartExamined. Where it is the model's body part, the model may refuse fewer
    pictures as another one (its second anatomy limit). None: what the source says."""
    laterality: Literal["L", "R"] | None = None
    """Side of the body. None: what the source says."""
    calibration: CalibrationSettings | None = None
    """None: what the source says; without it nothing is measured in mm."""
    depth_mm: Positive | None = None
    """Depth of the scan in mm, as the scanner shows it, for sources that cannot say (grabbers): millimetres are that
    over the height of the scan area that is found. Where that is not seen as a whole, or has changed since the stream
    began (another depth), nothing is measured in mm. ``calibration`` wins over it. None: what the source says."""
    scan_outline: Annotated[list[tuple[int, int]], msgspec.Meta(min_length=3, max_length=64)] | None = None
    """Outline of the scan: [[x, y], …] in pixels, after ``rotate``, ``flip`` and ``crop``; what lies outside is never
    shown elsewhere. It holds whatever the screen shows, and gives no height to ``depth_mm``. None: it is found by the
    pixels."""
    decode_timeout_s: Positive | None = None
    """File sources only: longest time for one picture in the decoder process (JPEG-LS, RLE, JPEG 2000, TIFF, large
    pictures); then it is `no_result` (``decode_error``). None: 1.5 s, on a slow machine up to ten times that."""
    frozen_after_s: NotNegative = 0.4
    """Live sources only: a scan that stands still for so many seconds is `no_result` (``frozen``) until it moves again.
    A clock beside it, a cursor and what a codec does to it are no movement; the noise of a probe held still is. What a
    codec still mends after the last movement comes on top. Of a scanner that gives fewer than six pictures a second,
    or has given none yet, up to a second. A slow source is told after three frames. 0: never."""
    silent_after_s: NotNegative = 5.0
    """Live sources only: nothing at all for so many seconds is `no_result` (``source_lost``) until a frame comes. 0:
    never."""


class RuntimeSettings(SettingsSection, frozen=True):
    """The inference runtime, which computes the model's outputs."""

    uri: str = "litert://?threads=1"
    """``litert://?threads=N``, ``litert-gpu://``, ``litert-npu://``, ``onnx://?provider=…``, ``tflite-runtime://``,
    ``auto://?trial_s=2``, which measures and chooses, ``scripted://?distinct=1``: see docs/runtimes.md."""
    isolated: bool = True
    """True: the runtime runs in a process of its own, which can be killed when it hangs."""
    timeout_s: Positive = 0.8
    """Seconds. A frame that takes longer is a `no_result`, and the runtime is replaced. Many times what one usually
    takes."""
    fallback: list[str] = []
    """URIs of runtimes that take over, in this order, when the configured one hangs, dies or fails its self-test. The
    next one is kept loaded, which costs its memory. While one computes, the device is ``degraded`` and each finding
    says ``fallback``. Empty: the configured one is started again."""
    probe_s: Positive = 30.0
    """Seconds. While a fall-back computes, the configured runtime is tried this often, and returns once it has passed
    its self-test; one that keeps failing is tried ever more rarely."""


class SinkSettings(SettingsSection, frozen=True):
    """One sink, a receiver of messages: an MQTT broker or a file."""

    uri: str
    """``mqtt://host:1883``, ``mqtts://host:8883``, ``jsonl:///file``."""
    username: str | None = None
    """User name at the broker. None: anonymous."""
    password_file: str | None = None
    """File whose first line is the password. None: none."""
    ca_file: str | None = None
    """PEM of the authority that signed the broker's certificate. None: the system's."""
    cert_file: str | None = None
    """PEM of this device's certificate. None: none is shown."""
    key_file: str | None = None
    """PEM of this device's key. None: none."""
    durable: bool = True
    """Whether findings are kept until this receiver has them."""
    root: str = "edge/v1"
    """First part of every topic."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """MQTT version. ``auto``: 5, then 3.1.1 if the broker does not speak it."""
    require_subscriber: bool = False
    """True: a finding that no one subscribes to (MQTT 5, reason 0x10) stays pending."""
    inflight: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    """Most messages that are under way at once: sent, and not yet acknowledged."""


class AffinitySettings(SettingsSection, frozen=True):
    """CPU affinity: which processor cores, counted from 0, each process runs on. Cores that this machine has not are
    left out, with a warning; empty: all that the daemon may use.
    """

    frame: list[Core] = []
    """The frame process: capture, preprocessing, post-processing; and the runtime, where it is not isolated."""
    runtime: list[Core] = []
    """The isolated runtime: as many as it has threads."""
    publisher: list[Core] = []
    """The publisher process, which waits for the network."""


class ThermalSettings(SettingsSection, frozen=True):
    """Temperature: when heat is a reason to be ``degraded``. Results are right all the same; they may come late."""

    hot_c: Positive | None = None
    """From this temperature of the processor on, in degrees Celsius, the device is ``degraded: hot``, until it is 3
    degrees cooler: best a little under where the board begins to throttle. With it, ``throttled`` and
    ``under_voltage`` are reasons too, where sensors tell. None: all of it is in `health` only."""


class ExamSettings(SettingsSection, frozen=True):
    """Exams: where the boundary between two patients is."""

    idle_timeout_s: Positive = 300.0
    """After so many seconds without a judged frame, the next one belongs to a new exam."""


class OutboxSettings(SettingsSection, frozen=True):
    """Outbox: which messages are kept on the device, and for how long."""

    keep_s: Positive = 86400.0
    """Seconds. Acknowledged messages are kept this long, to be asked for again. Counted by the kernel's uptime, so that
    a wrong clock wipes nothing; of the time that the machine was off, at most twelve hours count for each boot."""
    unsent_keep_s: Positive = 2592000.0
    """Seconds. Messages that not every durable receiver has are given up when they are older, and announced as expired
    ranges."""
    max_mb: Positive = 512.0
    """Largest size of the outbox in MB; the oldest acknowledged messages go first."""


class TelemetrySettings(SettingsSection, frozen=True):
    """Telemetry: ``health`` that a durable receiver missed while it was away; it is sent later, behind all findings."""

    keep_s: Positive = 86400.0
    """Seconds. It is given up when it is older; after a reboot its age counts anew."""
    max_mb: NotNegative = 16.0
    """Largest size of its file in MB; the oldest go first. It has no share in the outbox' size. 0: nothing is kept."""


class PublishSettings(SettingsSection, frozen=True):
    """Publishing: what leaves the device, and how often."""

    health_every_s: Positive = 10.0
    """Interval of ``health`` messages in seconds."""
    results_per_s: Positive = 5.0
    """At most so many ``results`` a second, for each stream."""
    image_ref: bool = False
    """True: findings name the DICOM SOP Instance UID they are about. It identifies a patient's picture."""


class RequestSettings(SettingsSection, frozen=True):
    """MQTT requests: whether the device answers on ``request/{command}``. Who may ask is the broker's access list."""

    enabled: bool = False
    """False: nothing is subscribed to, so nothing is received and nothing is answered."""
    commands: tuple[
        Literal[
            "ping",
            "health",
            "findings/resend",
            "config/get",
            "exam/start",
            "exam/end",
            "stream/start",
            "stream/stop",
        ],
        ...,
    ] = (
        "ping",
        "health",
        "findings/resend",
    )
    """Those that are answered; all others are refused. ``config/get`` tells how the device is set up, ``exam/start``
    and ``exam/end`` draw the boundary between patients, ``stream/stop`` ends judging until ``stream/start``."""
    max_bytes: Annotated[int, msgspec.Meta(ge=64, le=65536)] = 4096
    """Most bytes of a request; a longer one is refused unread."""
    per_minute: Annotated[int, msgspec.Meta(ge=1)] = 60
    """Most requests a minute, of all clients together; what is over it is refused."""


class LogSettings(SettingsSection, frozen=True):
    """Logging: logs go to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least urgent level that is shown."""
    format: Literal["text", "json"] = "text"
    """``json``: one object a line."""


class GateSettings(SettingsSection, frozen=True):
    """Anatomy gate: what is asked of a model before it may judge."""

    none_allowed: bool = False
    """True: a model that refuses no other body part may judge, too. Whatever is in the picture gets one of its labels;
    each message and picture then says ``gate: none``. False: such a model is refused."""


class ResearchSettings(SettingsSection, frozen=True):
    """Research: what is written down beside what is sent. It never leaves the device by itself."""

    features: str | None = None
    """Folder for the features of each frame and tracked lesion (docs/video.md), a CSV a stream. None: none are kept."""
    max_mb: Positive = 64.0
    """Largest size of them in MB for each stream; the older half goes first."""


class Settings(SettingsSection, frozen=True):
    """All settings of a daemon, with its sections."""

    site: Name = "site"
    """Where the device stands; in every topic."""
    device: Name | None = None
    """The device's name. None: made from the host name."""
    state_dir: str | None = None
    """Folder of the outbox. None: ``/var/lib/sonoedge`` for root, else under ``$XDG_STATE_HOME``."""
    model: str | None = None
    """Path of a bundle. None: the one that ships with the package."""
    model_keys: list[str] = []
    """Paths of public keys (PEM) that may sign models. With any, the signature beside a bundle (``model.tflite.sig``)
    is checked, and a wrong one refused; findings then name the key. Needs the extra ``signed``."""
    require_signed_model: bool = False
    """True: a model without a signature by one of ``model_keys`` is refused, and so is a runtime that would load
    another file without one: an ONNX file, a delegate's library, an NPU's plugin (``FILE.sig`` beside it, or its hash
    in the URI). See docs/runtimes.md."""
    drain_timeout_s: NotNegative = 5.0
    """When all sources have ended, receivers may take so many seconds for what is left; it stays on disk in any case.
    Asked to stop (SIGTERM), the daemon is gone within 2 s."""
    watchdog_s: Positive = 10.0
    """A process of the daemon that shows no sign of life for so many seconds is killed and started again."""
    streams: list[StreamSettings] = []
    sinks: list[SinkSettings] = []
    runtime: RuntimeSettings = RuntimeSettings()
    affinity: AffinitySettings = AffinitySettings()
    thermal: ThermalSettings = ThermalSettings()
    gate: GateSettings = GateSettings()
    tracking: TrackingSettings = TrackingSettings()
    exam: ExamSettings = ExamSettings()
    research: ResearchSettings = ResearchSettings()
    outbox: OutboxSettings = OutboxSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    publish: PublishSettings = PublishSettings()
    requests: RequestSettings = RequestSettings()
    view: ViewSettings = ViewSettings()
    log: LogSettings = LogSettings()
