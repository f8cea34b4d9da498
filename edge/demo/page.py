"""HTML page of the demo, in one file: overlays, messages and outcome of each scenario, light and dark."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.picture.html_page import data_uri, escape, html_figure, html_page

if TYPE_CHECKING:
    from collections.abc import Sequence

BANNER = "Research use only. Not a medical device: nothing here may guide the care of a patient."

STYLE = """
:root { color-scheme: light dark; --ink: #16202b; --soft: #5b6876; --paper: #f5f7f9; --card: #fff; --line: #dce2e8;
  --accent: #0b6e99; --amber: #b26a00; --blue: #1f6fb2; --grey: #66707c; --red: #b3261e; --teal: #0f7b6c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --soft: #98a5b3; --paper: #11161c; --card: #1a2129;
  --line: #2b3540; --accent: #6cc3ea; --amber: #f0ae3c; --blue: #74b6f2; --grey: #a3adb8; --red: #ff8a80;
  --teal: #5fd0bd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main, header > div, footer { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { background: var(--card); border-bottom: 1px solid var(--line); padding: 28px 0 20px; }
h1 { margin: 0; font-size: 1.7rem; letter-spacing: -.01em; }
h2 { margin: 44px 0 4px; font-size: 1.25rem; }
p { margin: 6px 0 12px; max-width: 76ch; }
.soft, footer { color: var(--soft); }
.banner { margin: 20px 0 0; padding: 10px 14px; border-left: 4px solid var(--amber); background: var(--card);
  border-radius: 4px; font-weight: 600; }
.outcome { font-weight: 600; }
.outcome.bad { color: var(--red); }
.facts { list-style: none; display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 14px 0; }
.facts li { background: var(--card); border: 1px solid var(--line); border-radius: 999px; padding: 3px 13px;
  font-size: .9rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 16px; margin: 18px 0; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
figure img { display: block; width: 100%; height: auto; }
figcaption { padding: 9px 13px; font-size: .86rem; color: var(--soft); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: 7px 12px; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.n { color: var(--soft); text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.t, code, pre { font-family: ui-monospace, monospace; font-size: .84rem; }
td.t { white-space: nowrap; }
td.m { color: var(--soft); }
.k::before { content: ""; display: inline-block; width: .62em; height: .62em; border-radius: 50%; margin-right: .55em;
  background: var(--grey); }
.k.finding::before { background: var(--amber); } .k.clear::before { background: var(--blue); }
.k.no_result::before, .k.degraded::before { background: var(--red); } .k.online::before { background: var(--teal); }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px;
  overflow-x: auto; }
footer { margin: 48px auto; font-size: .88rem; }
"""


@dataclass(frozen=True, slots=True)
class PageFigure:
    """Picture of the page: a JPEG file with size in pixels and caption."""

    jpeg: bytes
    width: int
    height: int
    caption: str


@dataclass(frozen=True, slots=True)
class PageRow:
    """Row of a section's table: five cells and a kind, which colours it."""

    cells: tuple[str, str, str, str, str]
    kind: str


@dataclass(slots=True)
class PageSection:
    """Section of the page for one scenario. All texts are plain: they are escaped here."""

    title: str
    about: str
    outcome: str
    good: bool = True
    facts: list[str] = field(default_factory=list)
    figures: list[PageFigure] = field(default_factory=list)
    lines: list[PageRow] = field(default_factory=list)


HEADS = ("#", "s", "topic", "what", "meaning")


def demo_page(title: str, about: str, sections: Sequence[PageSection], commands: str, foot: str) -> str:
    """HTML text of the whole page. ``commands`` is shown as it is, to be copied."""
    parts = "\n".join(_section(each) for each in sections)
    body = f"""<header><div>
<h1>{escape(title)}</h1>
<p class="soft">{escape(about)}</p>
<p class="banner" role="note">{escape(BANNER)}</p>
</div></header>
<main>
{parts}
<h2>Now yours</h2>
<pre>{escape(commands)}</pre>
</main>
<footer>{escape(foot)}</footer>"""
    return html_page(title, STYLE, body)


def _section(section: PageSection) -> str:
    style = "outcome" if section.good else "outcome bad"
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in section.facts)
    parts = [
        "<section>",
        f"<h2>{escape(section.title)}</h2>",
        f"<p>{escape(section.about)}</p>",
        f'<p class="{style}">{escape(section.outcome)}</p>',
        f'<ul class="facts">{facts}</ul>' if facts else "",
        f'<div class="figures">{"".join(map(_figure, section.figures))}</div>' if section.figures else "",
        _table(section.lines) if section.lines else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _figure(figure: PageFigure) -> str:
    source = data_uri(figure.jpeg, "image/jpeg")
    return html_figure(source, figure.caption, escape(figure.caption), (figure.width, figure.height))


def _table(lines: Sequence[PageRow]) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    body = "\n".join(_row(line) for line in lines)
    return f'<div class="scroll"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _row(line: PageRow) -> str:
    number, at, topic, what, meaning = (escape(cell) for cell in line.cells)
    kind = escape(line.kind)
    return (
        f'<tr><td class="n">{number}</td><td class="n">{at}</td><td class="t">{topic}</td>'
        f'<td><span class="k {kind}">{what}</span></td><td class="m">{meaning}</td></tr>'
    )
