// Link to the viewer: one WebSocket. The page asks for the newest frame when it has painted the last one.

const AGAIN_MS = [100, 200, 400, 800, 1000];
const SILENT_MS = 1500;

// Takes a binary message apart: header and pictures.
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const pictures = header.pictures.map((size) => {
    const picture = new Blob([new Uint8Array(buffer, at, size)], { type: "image/jpeg" });
    at += size;
    return picture;
  });
  return { header, pictures };
}

export class Link {
  // onMessage(header, pictures) may return a promise: the next frame is asked for when it is done.
  constructor(onMessage, onLost) {
    this.onMessage = onMessage;
    this.onLost = onLost;
    this.heardAt = -Infinity;
    this.fails = 0;
    this.connect();
    setInterval(() => this.check(), 250);
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    this.socket = socket;
    this.triedAt = performance.now();
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.fails = 0; this.ask(); };
    socket.onmessage = async (event) => {
      this.heardAt = performance.now();
      const { header, pictures } = unpack(event.data);
      try { await this.onMessage(header, pictures); } finally {
        if (["live", "state", "streams", "failed"].includes(header.kind) && socket === this.socket) this.ask();
      }
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.socket = null;
      this.onLost();
      setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.fails, AGAIN_MS.length - 1)]);
      this.fails += 1;
    };
  }

  // A connection on which nothing comes any more is given up: a machine that was cut off says nothing.
  check() {
    const since = Math.max(this.heardAt, this.triedAt);
    if (this.socket && !document.hidden && performance.now() - since > SILENT_MS) this.socket.close();
  }

  ask() { this.send(this.request ? this.request() : { want: "live" }); }

  send(message) {
    if (this.socket && this.socket.readyState === WebSocket.OPEN) { this.socket.send(JSON.stringify(message)); return true; }
    return false;
  }
}
