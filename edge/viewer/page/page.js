// Page: puts the newest frame and what was said of it on the screen, and tells by its own clock when it is old.

import { facts, feedback, source } from "./facts.js";
import { Link } from "./link.js";
import { login } from "./login.js";
import { Picture } from "./picture.js";
import { verdict, warnings } from "./verdict.js";
import { language, loadWords, otherLanguage, words } from "./words.js";

const STALE_MS = 500;
const DRAW_MS = 100;
const OFFLINE_MS = 900;
const SURE_MS = 4000;
const TOAST_MS = 4000;
const BRIGHTNESS = [0.8, 0.5, 0.3, 1.0];
const $ = (id) => document.getElementById(id);

const now = { device: null, stream: null, frame: null, frozen: null, seqs: [], offline: false, stale: false };
const said = new Map();
let chosen = "";
let after = -1;
let paintedAt = -Infinity;
let ageAtPaint = null;
let lag = 0;
let link = null;
let picture = null;
let shownKeys = {};
let bright = 0;
let sureUntil = 0;
let toastUntil = 0;
let startedAt = 0;
let toldKey = "";

// --- what comes
async function onMessage(header, pictures) {
  if (header.kind === "streams") { chosen = chosen && header.streams.includes(chosen) ? chosen : header.streams[0]; after = -1; return; }
  if (header.kind === "frozen") return showFrozen(header, pictures[0]);
  if (header.kind === "why") return showWhy(header);
  if (header.kind === "gone") { toast(words().gone); return release(); }
  if (header.kind === "done") return done(header);
  if (header.kind === "failed") return; // nothing is painted, and the page's own clock tells
  if (header.stream.name !== chosen) return;
  now.device = header.device;
  const examBefore = now.stream && now.stream.exam;
  now.stream = header.stream;
  if (examBefore && examBefore !== header.stream.exam) forget();
  if (header.stream.age_ms === null && !now.frozen) blank();
  if (header.kind === "live" && header.frame && !now.frozen) {
    now.frame = header.frame;
    if (header.stream.number !== after) await paint(header.frame, pictures.length && header.frame.box ? pictures[0] : null);
  }
  if (header.kind === "live" || !now.frozen) after = header.stream.number;
  others(header.others, pictures.slice(header.frame && header.frame.box && header.kind === "live" ? 1 : 0));
  drawIfOther();
}

// What changes is told at once; numbers that only move a little, ten times a second: nobody reads them faster.
function drawIfOther() {
  const { frame, device, stream } = now;
  const key = JSON.stringify([frame && [frame.status, frame.reason, frame.suspicious, frame.uncertain, frame.given, frame.lesions.length,
    Boolean(frame.box)], device.down, device.reasons, stream.event, stream.lost, stream.stopped, stream.exam, Boolean(now.frozen), now.stale]);
  if (key !== toldKey) { toldKey = key; draw(); }
}

async function paint(frame, blob) {
  const heard = performance.now();
  if (blob) await picture.show(frame, blob); else picture.clear();
  if (frame.seq !== now.paintedSeq || frame.stream !== now.paintedStream) {
    paintedAt = performance.now();
    ageAtPaint = frame.age_ms + paintedAt + lag - heard;
    measureLag(frame, heard);
  }
  now.paintedSeq = frame.seq;
  now.paintedStream = frame.stream;
  now.hasPicture = Boolean(blob);
  document.body.dataset.seq = frame.seq;
}

// How long a picture takes from the canvas to the screen, as far as a page can tell: until the frame after it.
function measureLag(frame, heard) {
  const drawn = paintedAt;
  requestAnimationFrame(() => requestAnimationFrame((at) => {
    lag = at - drawn;
    if (now.paintedSeq === frame.seq) ageAtPaint = frame.age_ms + at - heard;
  }));
}

function blank() {
  now.frame = null;
  now.hasPicture = false;
  now.paintedSeq = null;
  if (picture) picture.clear();
}

// Another exam has begun: nothing of the last one stays on the page.
function forget() {
  now.frozen = null;
  now.why = null;
  now.seqs = [];
  said.clear();
  after = -1;
  blank();
  $("report-dialog").close();
}

// --- what is shown
function draw() {
  const t = words();
  const time = performance.now();
  now.offline = Boolean(link) && time - Math.max(link.heardAt, startedAt) > OFFLINE_MS;
  now.stale = time - paintedAt > STALE_MS;
  const frame = now.frozen || now.frame;
  const told = verdict(t, { ...now, frame });
  const old = !now.frozen && (now.offline || now.stale || ["fault", "stale"].includes(told.look) && !judgedNow(frame));
  document.body.dataset.look = told.look;
  document.body.classList.toggle("old", Boolean(old && now.hasPicture));
  document.body.classList.toggle("is-frozen", Boolean(now.frozen));
  set("state", told.state);
  set("what", told.what);
  set("todo", told.todo);
  const live = now.frozen ? t.frozen_page : now.offline && !now.hasPicture ? t.offline : !now.frame ? t.waiting : old ? t.stale : t.live;
  set("live-word", live);
  set("age", ageText(t, time, frame, old));
  document.body.dataset.call = frame && frame.suspicious ? "suspicious" : "not";
  const reported = !frame || (told.look === "offline" || told.look === "fault" && !judgedNow(frame) || told.look === "stale") ? null : frame;
  rebuild("facts", [language, reported && factsKey(reported)], () => facts(t, reported));
  rebuild("feedback", [language, reported && reported.exam, reported && JSON.stringify([reported.lesions.map((each) => each.id), reported.given]), JSON.stringify([...said])],
    () => feedback(t, reported, said, say));
  rebuild("warnings", [language, now.device && JSON.stringify(now.device.reasons), told.look], () => warnings(t, now.offline ? null : now.device, now.stream && now.stream.lost).map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  set("source", source(t, now.device, now.stream, frame));
  const unknown = frame && !frame.box;
  $("instead").hidden = !unknown;
  if (unknown) set("instead", `${t.no_picture}\n${t.no_picture_do}`);
  const model = now.device && now.device.model;
  $("gate").hidden = !(model && model.gate === "none");
  set("gate", t.gate_none);
  controls(t, time, frame);
}

// A frame that says itself that there is no result is no old one.
const judgedNow = (frame) => Boolean(frame && !now.stale && !now.offline && !(now.device && now.device.down)
  && !(now.stream && (now.stream.lost || now.stream.stopped || (now.stream.event && now.stream.event.kind !== "skipped"))));

const factsKey = (frame) => JSON.stringify([frame.malignancy, frame.lesions, frame.scores, frame.calibration, frame.status]);

function ageText(t, time, frame, old) {
  if (!frame || ageAtPaint === null) return "";
  if (now.frozen) {
    const newest = now.frozenAt;
    return `−${Math.max(0, (newest - now.frozen.captured_ms) / 1000).toFixed(1)} s · ${now.seqs.indexOf(now.frozen.seq) + 1}/${now.seqs.length}`;
  }
  // Whatever the server says: since the last painting time has passed here, too.
  const age = ageAtPaint + (time - paintedAt);
  return age < 1000 ? `${t.age} ${Math.round(old ? age : ageAtPaint)} ms` : `${t.age} ${(age / 1000).toFixed(age < 10000 ? 1 : 0)} s`;
}

function controls(t, time, frame) {
  label("freeze", now.frozen ? t.go_live : t.freeze);
  $("freeze").setAttribute("aria-pressed", String(Boolean(now.frozen)));
  $("freeze").disabled = !frame || now.offline;
  label("back", `◀ ${t.back}`);
  label("forward", `${t.forward} ▶`);
  for (const id of ["back", "forward"]) $(id).disabled = !now.frozen;
  label("why", t.why_button);
  $("why").hidden = !(now.frozen && now.device && now.device.has_maps && now.frozen.box);
  $("why").setAttribute("aria-pressed", String(Boolean(now.why)));
  set("legend", now.why ? t.why_legend : "");
  label("report", t.report);
  $("report").disabled = !frame || now.offline;
  const sure = time < sureUntil;
  label("exam", sure ? t.sure : t.new_exam);
  $("exam").classList.toggle("sure", sure);
  $("exam").disabled = now.offline || !now.stream;
  label("dim", t.dim);
  label("language", t.language);
  set("research", t.research_only);
  if (time > toastUntil) set("toast", "");
}

function others(list, pictures) {
  const nav = $("others");
  nav.hidden = !list.length;
  const names = list.map((each) => each.name).join();
  if (nav.dataset.names !== names) {
    nav.dataset.names = names;
    nav.replaceChildren(...list.map(otherButton));
  }
  let at = 0;
  list.forEach((stream, place) => {
    const button = nav.children[place];
    const t = words();
    const word = stream.lost || stream.stopped || stream.event ? t.status.no_result : stream.status ? t.status[stream.status] : t.waiting;
    if (button.lastChild.textContent !== word) button.lastChild.textContent = word;
    button.classList.toggle("old", Boolean(stream.lost || stream.stopped || stream.event || stream.age_ms > 1000));
    const canvas = button.firstChild;
    if (stream.picture) small(canvas, pictures[at++]); else canvas.width = canvas.width;
  });
}

function otherButton(stream) {
  const button = document.createElement("button");
  button.type = "button";
  const name = document.createElement("span");
  name.textContent = stream.name;
  button.append(document.createElement("canvas"), name, document.createElement("span"));
  button.onclick = () => { release(); blank(); chosen = stream.name; after = -1; now.stream = null; };
  return button;
}

async function small(canvas, blob) {
  const bitmap = await createImageBitmap(blob);
  if (canvas.width !== bitmap.width) { canvas.width = bitmap.width; canvas.height = bitmap.height; }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

function set(id, text) { const element = $(id); if (element.textContent !== (text || "")) element.textContent = text || ""; }
const label = set;

function rebuild(id, key, make) {
  const text = JSON.stringify(key);
  if (shownKeys[id] === text) return;
  shownKeys[id] = text;
  const focused = document.activeElement && $(id).contains(document.activeElement) ? document.activeElement.dataset.agrees : null;
  $(id).replaceChildren(...make());
  if (focused !== null && focused !== undefined) { const again = $(id).querySelector(`[data-agrees="${focused}"]`); if (again) again.focus(); }
}

function toast(text) { toastUntil = performance.now() + TOAST_MS; set("toast", text); }

// --- what is done
function freeze() {
  if (now.frozen) return release();
  if (now.frame) link.send({ want: "freeze", stream: chosen, seq: now.frame.seq });
}

async function showFrozen(header, blob) {
  if (header.frame.stream !== chosen) return;
  if (!now.frozen) now.frozenAt = header.frame.captured_ms;
  now.frozen = header.frame;
  now.why = null;
  now.seqs = header.seqs;
  await paint(header.frame, blob || null);
  draw();
}

function release() {
  if (now.frozen) link.send({ want: "release", stream: chosen });
  now.frozen = null;
  now.why = null;
  after = -1;
}

function step(by) {
  if (!now.frozen) return;
  const place = now.seqs.indexOf(now.frozen.seq) + by;
  if (place >= 0 && place < now.seqs.length) link.send({ want: "frame", stream: chosen, seq: now.seqs[place] });
}

function exam() {
  const time = performance.now();
  if (time >= sureUntil) { sureUntil = time + SURE_MS; draw(); return; }
  sureUntil = 0;
  if (!link.send({ want: "exam", stream: chosen })) toast(words().exam_failed);
}

function say(finding, agrees) {
  const frame = now.frozen || now.frame;
  if (!frame || !link.send({ want: "feedback", stream: chosen, seq: frame.seq, finding, agrees })) toast(words().not_kept);
}

function done(header) {
  const t = words();
  if (header.want === "exam") toast(header.error ? t.exam_failed : t.exam_begun);
  if (header.want === "exam" && !header.error) forget();
  if (header.want === "feedback") {
    if (!header.error) said.set(header.finding, header.agrees);
    toast(header.error ? t.not_kept : header.agrees ? t.agreed : t.disagreed);
  }
  draw();
}

function why() {
  if (!now.frozen) return;
  if (now.why) { now.why = null; picture.draw(now.frozen); draw(); return; }
  if (link.send({ want: "why", stream: chosen, seq: now.frozen.seq })) toast(words().why_wait);
}

function showWhy(header) {
  if (!now.frozen || header.seq !== now.frozen.seq || header.stream !== chosen) return;
  if (header.error) { toast(words().why_none); return; }
  now.why = header;
  toastUntil = 0;
  picture.map(header);
  draw();
}

function report() {
  const t = words();
  if (!now.frozen) freeze();
  const frame = now.frozen || now.frame;
  if (!frame) return;
  for (const suffix of ["html", "png", "json"]) {
    $(`report-${suffix}`).textContent = t[`report_${suffix}`];
    $(`report-${suffix}`).href = `report.${suffix}?stream=${encodeURIComponent(chosen)}&seq=${frame.seq}&language=${language}`;
  }
  set("report-title", t.report);
  set("report-close", t.close);
  $("report-dialog").showModal();
}

function dim() {
  bright = (bright + 1) % BRIGHTNESS.length;
  document.documentElement.style.setProperty("--brightness", BRIGHTNESS[bright]);
}

const KEYS = { " ": freeze, f: freeze, ArrowLeft: () => step(-1), ArrowRight: () => step(1), d: dim, r: report, w: why, l: () => { otherLanguage(); draw(); } };

async function start() {
  await loadWords();
  picture = new Picture($("picture"), $("shapes"));
  draw();
  await login();
  startedAt = performance.now();
  link = new Link(onMessage, draw);
  link.request = () => ({ want: "live", stream: chosen, after, picture: !now.frozen });
  $("freeze").onclick = freeze;
  $("back").onclick = () => step(-1);
  $("forward").onclick = () => step(1);
  $("why").onclick = why;
  $("report").onclick = report;
  $("report-close").onclick = () => $("report-dialog").close();
  $("exam").onclick = exam;
  $("dim").onclick = dim;
  $("language").onclick = () => { otherLanguage(); draw(); };
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, dialog *") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && event.target.matches("button, a")) return;
    const act = KEYS[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  setInterval(draw, DRAW_MS);
}

start();
