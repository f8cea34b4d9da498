// Facts beside the picture: probability, size, place, labels with bars, model and runtime. Words and numbers, no colours.

function element(name, look, ...children) {
  const made = document.createElement(name);
  if (look) made.className = look;
  made.append(...children);
  return made;
}

export function facts(t, frame) {
  if (!frame) return [];
  if (frame.scores.length) return bars(t, frame);
  const rows = [];
  if (frame.malignancy !== null && frame.status === "finding") {
    rows.push(element("p", "big", percent(frame.malignancy), " ", element("small", "", t.malignancy_of)));
  } else if (frame.malignancy !== null) {
    rows.push(element("p", "quiet", `${t.malignancy_of} ${percent(frame.malignancy)}`));
  }
  frame.lesions.slice(0, 4).forEach((lesion, number) => rows.push(...lesionRows(t, frame, lesion, number)));
  if (frame.lesions.length && frame.calibration) rows.push(element("p", "quiet", `${t.calibration}: ${frame.calibration.source}`));
  return rows;
}

export const percent = (value) => `${Math.round(value * 100)} %`;

function lesionRows(t, frame, lesion, number) {
  const name = frame.lesions.length > 1 ? `${number + 1}: ` : "";
  const rows = [];
  if (lesion.long_mm !== null && lesion.short_mm !== null) {
    const error = lesion.error_mm === null ? "" : ` ± ${lesion.error_mm.toFixed(1)}`;
    rows.push(element("p", "big", `${name}${lesion.long_mm.toFixed(1)} × ${lesion.short_mm.toFixed(1)} mm`, element("small", "", error)));
  } else {
    rows.push(element("p", "call", `${name}${t.no_calibration}`));
  }
  const place = lesion.place.map((key) => t[key]).join(" ");
  rows.push(element("p", "", [place, `${t.presence} ${percent(lesion.score)}`].filter(Boolean).join(", ")));
  const ratio = lesion.descriptors.taller_than_wide;
  if (ratio !== undefined) rows.push(element("p", "quiet", `${t.taller_than_wide} ${ratio.toFixed(2)}`));
  return rows;
}

function bars(t, frame) {
  const given = frame.given.map((each) => each.name);
  return frame.scores.slice(0, 5).map((label) => {
    const meter = element("meter", "");
    meter.min = 0;
    meter.max = 1;
    meter.value = label.score;
    meter.setAttribute("aria-label", label.name);
    const mark = given.includes(label.name) ? "● " : "";
    return element("div", mark ? "bar given" : "bar", element("span", "", mark + label.name), element("span", "", percent(label.score)), meter);
  });
}

export function source(t, device, stream, frame) {
  const model = device && device.model;
  const parts = [];
  if (device) parts.push(`${device.site}/${device.name}`);
  if (stream) parts.push(`${t.stream} ${stream.name}`);
  if (stream && stream.exam) parts.push(`${t.exam} ${stream.exam.slice(0, 8)}`);
  if (model) parts.push(`${t.model} ${model.ref.name} ${model.ref.version}`);
  const runtime = frame && frame.runtime;
  if (runtime) parts.push(`${t.runtime} ${runtime.name}${runtime.delegate ? "+" + runtime.delegate : ""}${runtime.fallback ? " (" + t.fallback + ")" : ""}`);
  if (device && !device.has_sinks) parts.push(t.no_sinks);
  return parts.join("  ·  ");
}

// Buttons by which a person agrees or disagrees with each finding that is confirmed.
export function feedback(t, frame, said, onSay) {
  if (!frame) return [];
  const labels = frame.given.map((each) => [each.name, each.id]);
  const lesions = frame.lesions.slice(0, 4).map((each, number) => [frame.lesions.length > 1 ? `${number + 1}:` : "", each.id]);
  return [...lesions, ...labels].map(([name, id]) => {
    if (!id) return element("p", "quiet", `${name} ${t.unconfirmed}`);
    const pair = element("div", "pair", name);
    for (const agrees of [true, false]) {
      const button = element("button", "", agrees ? t.agree : t.disagree);
      button.type = "button";
      button.dataset.agrees = agrees;
      button.setAttribute("aria-pressed", String(said.get(id) === agrees));
      button.onclick = () => onSay(id, agrees);
      pair.append(button);
    }
    return pair;
  });
}
