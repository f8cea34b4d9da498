"""HTML page of the training report: plain words, tables with intervals, plots inside the file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edge.picture.html_page import escape, html_figure, html_page
from training.evaluation.bootstrap import MetricInterval

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLE = """
:root { --ink:#1f2933; --soft:#616e7c; --line:#e4e7eb; --paper:#fff; --back:#f5f7fa; --accent:#0b6e99; }
* { box-sizing:border-box; }
body { margin:0; background:var(--back); color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif; }
main { max-width:64rem; margin:0 auto; padding:2.5rem 1.25rem 5rem; }
h1 { font-size:2rem; line-height:1.2; margin:0 0 .4rem; letter-spacing:-.01em; }
h2 { font-size:1.25rem; margin:0 0 .5rem; }
h3 { font-size:1rem; margin:1.4rem 0 .3rem; }
p { max-width:46rem; margin:.5rem 0; }
section { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:1.4rem 1.5rem;
  margin:1.25rem 0; }
.lead { color:var(--soft); font-size:1.05rem; }
.notice { border-left:4px solid #d9822b; background:#fff8ef; padding:.6rem 1rem; border-radius:6px; max-width:none; }
.cards { display:flex; flex-wrap:wrap; gap:.75rem; margin:1.2rem 0 0; }
.card { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:.8rem 1rem; flex:1 1 9rem; }
.card b { display:block; font-size:1.55rem; font-variant-numeric:tabular-nums; color:var(--accent); }
.card span { color:var(--soft); font-size:.85rem; display:block; }
.wide { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-size:.88rem; font-variant-numeric:tabular-nums; margin:.4rem 0; }
th, td { text-align:right; padding:.35rem .6rem; border-bottom:1px solid var(--line); vertical-align:top; }
th { color:var(--soft); font-weight:600; border-bottom:2px solid var(--line); }
th:first-child, td:first-child { text-align:left; }
th { vertical-align:bottom; }
th.words { text-align:left; }
td.words { text-align:left; }
td small { color:var(--soft); display:block; white-space:nowrap; }
.plots { display:flex; flex-wrap:wrap; gap:1rem; align-items:flex-start; }
.plots svg { width:100%; max-width:29rem; height:auto; flex:1 1 18rem; }
.pictures { display:grid; grid-template-columns:repeat(auto-fill,minmax(11rem,1fr)); gap:.8rem; }
figure { margin:0; font-size:.78rem; color:var(--soft); }
figure img { width:100%; border-radius:6px; background:#000; display:block; }
figcaption b { color:var(--ink); }
.note { color:var(--soft); font-size:.88rem; }
nav { font-size:.88rem; columns:3 12rem; margin:1rem 0 0; }
nav a { color:var(--accent); text-decoration:none; display:block; }
footer { color:var(--soft); font-size:.85rem; margin-top:2rem; }
"""
NOTICE = (
    "Research use only. This is not a medical device and must not guide care. A probability in this report holds for "
    "pictures like these, in which every third lesion was malignant, and for nothing else."
)


class Page:
    """HTML page of the training report, section by section; `text` gives the whole file."""

    def __init__(self, title: str, lead: str, notice: str = NOTICE) -> None:
        self.title, self.lead, self.notice = title, lead, notice
        self.cards: list[tuple[str, str, str]] = []
        self.sections: list[tuple[str, list[str]]] = []

    def section(self, title: str, *paragraphs: str) -> None:
        """Begin a section; what is added next belongs to it."""
        self.sections.append((title, [f"<p>{escape(p)}</p>" for p in paragraphs]))

    def add(self, html: str) -> None:
        """Add HTML that is safe already to the last section."""
        self.sections[-1][1].append(html)

    def note(self, text: str) -> None:
        """Add a paragraph in small print to the last section."""
        self.add(f'<p class="note">{escape(text)}</p>')

    def heading(self, text: str) -> None:
        """Add a heading within the last section."""
        self.add(f"<h3>{escape(text)}</h3>")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add a table to the last section; cells are text, numbers or intervals."""
        words = {k for row in rows for k, cell in enumerate(row) if isinstance(cell, str)}
        top = "".join(
            f'<th class="words">{escape(cell)}</th>' if k in words else f"<th>{escape(cell)}</th>"
            for k, cell in enumerate(head)
        )
        body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
        self.add(f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>')

    def plots(self, *svgs: str) -> None:
        """Add SVG plots, beside each other where there is room; their identifiers are made unique in the page."""
        drawn = [_own(svg, f"s{len(self.sections)}p{k}") for k, svg in enumerate(svgs)]
        self.add('<div class="plots">' + "".join(drawn) + "</div>")

    def pictures(self, shown: Sequence[tuple[str, str, str]]) -> None:
        """Add pictures to the last section, each given as (data URI, what it is, more of it)."""
        figures = "".join(
            html_figure(uri, name, f"<b>{escape(name)}</b><br>{escape(more)}") for uri, name, more in shown
        )
        self.add(f'<div class="pictures">{figures}</div>')

    def text(self) -> str:
        """HTML text of the whole file: no script, nothing loaded from elsewhere."""
        cards = "".join(
            f'<div class="card"><span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(more)}</span></div>'
            for name, value, more in self.cards
        )
        links = "".join(f'<a href="#s{i}">{escape(title)}</a>' for i, (title, _) in enumerate(self.sections))
        body = "".join(
            f'<section id="s{i}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'
            for i, (title, parts) in enumerate(self.sections)
        )
        return html_page(
            self.title,
            STYLE,
            f'<main><h1>{escape(self.title)}</h1><p class="lead">{escape(self.lead)}</p>'
            f'<p class="notice">{escape(self.notice)}</p><div class="cards">{cards}</div><nav>{links}</nav>{body}'
            f"<footer>{escape(self.notice)}</footer></main>",
        )


def number(value: float, digits: int = 3) -> str:
    """Text of a number with fixed digits; a dash for what is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def span(figure: MetricInterval, digits: int = 3) -> str:
    """Text of an interval: ``low to high``."""
    return f"{number(figure.low, digits)} to {number(figure.high, digits)}"


def _cell(value: Any) -> str:
    if isinstance(value, MetricInterval):
        return f"<td>{number(value.value)}<small>{span(value)}</small></td>"
    if isinstance(value, float):
        return f"<td>{number(value)}</td>"
    if isinstance(value, str):
        return f'<td class="words">{escape(value)}</td>'
    return "<td>–</td>" if value is None else f"<td>{value}</td>"


def _own(svg: str, prefix: str) -> str:
    """Several drawings in one page must not share identifiers."""
    return (
        svg.replace('id="', f'id="{prefix}-')
        .replace("url(#", f"url(#{prefix}-")
        .replace('href="#', f'href="#{prefix}-')
    )
