// Verdict: which state is told, in words; one rule for all of it, in the order in which one is worse than another.

// Returns {look, state, what, todo}: look names the state's colour and edge.
export function verdict(t, now) {
  const { device, stream, frame } = now;
  if (now.offline) return { look: "offline", state: t.offline, what: t.offline_what, todo: t.offline_do };
  if (!now.frozen) {
    if (device && device.down) {
      const [what, todo] = device.starting ? [t.starting_what, t.starting_do] : [t.down_what, t.down_do];
      return { look: device.starting ? "wait" : "fault", state: device.starting ? t.waiting : t.down, what, todo };
    }
    if (stream && stream.stopped) return told(t, "fault", t.status.no_result, "stopped");
    if (stream && stream.event && stream.event.kind === "ended") return told(t, "wait", t.ended, "stream_ended");
    if (stream && (stream.lost || (stream.event && stream.event.kind === "lost"))) return told(t, "fault", t.status.no_result, "source_lost");
    if (stream && stream.event && stream.event.kind === "skipped") return told(t, "fault", t.status.no_result, stream.event.reason);
    if (!frame) return { look: "wait", state: t.waiting, what: t.waiting_what, todo: t.waiting_do };
    if (now.stale) return { look: "stale", state: t.stale, what: t.stale_what, todo: t.stale_do };
  }
  return judged(t, frame);
}

function told(t, look, state, reason) {
  const [what, todo] = t.reasons[reason] || [reason, ""];
  return { look, state, what, todo };
}

function judged(t, frame) {
  if (frame.status === "abstained") return told(t, "abstained", t.status.abstained, frame.reason);
  if (frame.status === "no_result") return told(t, "fault", t.status.no_result, frame.reason);
  if (frame.given.length) {
    const what = frame.status === "clear" ? t.notes.label_clear : "";
    return { look: frame.status, state: frame.given.map((each) => each.name).join(", "), what, todo: "" };
  }
  if (frame.status === "clear") return { look: "clear", state: t.status.clear, what: t.notes.clear, todo: "" };
  const n = frame.lesions.length;
  const state = n > 1 ? `${n} ${t.lesions}` : t.status.finding;
  return { look: "finding", state: state.toUpperCase(), what: call(t, frame), todo: "" };
}

export function call(t, frame) {
  const word = frame.suspicious ? t.suspicious : t.not_suspicious;
  return frame.uncertain ? `${word}, ${t.uncertain}` : word;
}

// Why the device is not well: [what, what to do] of each reason word; of a sink's word the part behind the last colon.
export function warnings(t, device, streamLost) {
  if (!device) return [];
  const words = device.reasons.filter((word) => !(streamLost && word === "source_lost"));
  const found = words.map((word) => t.device_reasons[word.split(":").pop()] || [`${t.other_reason}: ${word}`, ""]);
  return found.map(([what, todo]) => (todo ? `${what} → ${todo}` : what));
}
