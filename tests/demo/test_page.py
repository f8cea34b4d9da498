"""The page of the demo is whole, escaped, and fetches nothing."""

from __future__ import annotations

from html.parser import HTMLParser

from edge.demo.page import PageFigure, PageRow, PageSection, demo_page


class Checker(HTMLParser):
    VOID = {"meta", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.links, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_fetches_nothing():
    nasty = "<script>alert('1')</script> & \"x\""
    section = PageSection(nasty, nasty, nasty, good=False, facts=[nasty])
    section.figures.append(PageFigure(b"\xff\xd8jpeg", 10, 10, nasty))
    section.lines.append(PageRow((nasty,) * 5, nasty))
    text = demo_page(nasty, nasty, [section], nasty, nasty)
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert "script" not in checker.tags
    assert all(link.startswith("data:image/jpeg;base64,") for link in checker.links)
    assert len(checker.links) == 1
    assert "url(" not in text
    assert "@import" not in text
    assert "Research use only" in text
    assert "prefers-color-scheme: dark" in text
