// Picture and shapes: the picture on a canvas, the shapes as SVG in pixels of the source picture.

const SVG = "http://www.w3.org/2000/svg";
const FAST = 0.02; // of the picture's width between two frames: the outline is dimmed while a lesion moves so fast

export class Picture {
  constructor(canvas, svg) {
    this.canvas = canvas;
    this.svg = svg;
    this.context = canvas.getContext("2d", { alpha: false });
    this.centre = null;
  }

  async show(frame, blob) {
    const bitmap = await createImageBitmap(blob);
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.context.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.draw(frame);
  }

  clear() {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.canvas.width = 1;
    this.canvas.height = 1;
    this.svg.replaceChildren();
    this.centre = null;
  }

  draw(frame) {
    const [x, y, w, h] = frame.box;
    this.svg.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
    const groups = frame.shapes.map((shape) => this.group(shape, w));
    if (this.fast(frame, w)) groups.forEach((group) => group.dataset.kind !== "scale" && group.classList.add("fast"));
    this.svg.replaceChildren(...groups);
  }

  // Occlusion map: a cell a place that was covered; by how many points the number fell or rose stands in it.
  map(answer) {
    const [x, y, w, h] = answer.box;
    const rows = answer.changes.length;
    const most = Math.max(0.02, ...answer.changes.flat().map(Math.abs));
    const group = document.createElementNS(SVG, "g");
    group.dataset.kind = "map";
    answer.changes.forEach((line, row) => line.forEach((change, column) => {
      const points = Math.round(change * 100);
      if (!points) return;
      const [cw, ch] = [w / line.length, h / rows];
      const cell = document.createElementNS(SVG, "rect");
      Object.entries({ x: x + column * cw, y: y + row * ch, width: cw, height: ch, class: points < 0 ? "falls" : "rises",
        "fill-opacity": (0.5 * Math.abs(change)) / most }).forEach(([name, value]) => cell.setAttribute(name, value));
      group.append(cell);
      if (Math.abs(points) < 5) return;
      const words = `${points < 0 ? "−" : "+"}${Math.abs(points)}`;
      group.append(this.text(words, [x + (column + 0.5) * cw, y + (row + 0.5) * ch], cw * 8));
    }));
    this.svg.querySelectorAll("[data-kind=map]").forEach((old) => old.remove());
    this.svg.prepend(group);
  }

  fast(frame, width) {
    const outline = frame.shapes.find((shape) => shape.kind === "outline");
    const before = this.centre;
    this.centre = null;
    if (!outline) return false;
    const n = outline.points.length;
    const mean = (place) => outline.points.reduce((sum, point) => sum + point[place], 0) / n;
    this.centre = [mean(0), mean(1)];
    return before !== null && Math.hypot(this.centre[0] - before[0], this.centre[1] - before[1]) > FAST * width;
  }

  group(shape, width) {
    const group = document.createElementNS(SVG, "g");
    group.dataset.kind = shape.kind;
    const points = shape.points.map((point) => point.join()).join(" ");
    const looks = ["rim", "line"].map((look) => [look, shape.suspicious && "suspicious", shape.dashed && "dashed", shape.kind.endsWith("axis") && "axis"].filter(Boolean).join(" "));
    if (shape.kind !== "number") {
      for (const look of looks) {
        const line = document.createElementNS(SVG, shape.kind === "outline" ? "polygon" : "polyline");
        line.setAttribute("points", points);
        line.setAttribute("class", look);
        group.append(line);
      }
    }
    if (shape.kind.endsWith("axis")) shape.points.forEach((point) => group.append(...this.cross(point, width, looks)));
    if (shape.kind === "scale") group.append(...this.ends(shape.points, width, looks), this.text(shape.text, this.above(shape.points, width), width));
    if (shape.kind === "number") group.append(this.text(shape.text, shape.points[0], width));
    return group;
  }

  // The callipers' crosses, as on a scanner.
  cross([x, y], width, looks) {
    const arm = width / 110;
    return looks.map((look) => this.path(`M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`, look));
  }

  ends(points, width, looks) {
    const arm = width / 110;
    const path = points.map(([x, y]) => `M${x} ${y - arm}V${y + arm}`).join("");
    return looks.map((look) => this.path(path, look));
  }

  above([a, b], width) { return [(a[0] + b[0]) / 2, a[1] - width / 40]; }

  path(d, look) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", look);
    return path;
  }

  text(words, [x, y], width) {
    const text = document.createElementNS(SVG, "text");
    text.setAttribute("x", x);
    text.setAttribute("y", y);
    text.setAttribute("font-size", width / 32);
    text.textContent = words;
    return text;
  }
}
