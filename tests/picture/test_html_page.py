"""The page maker: a whole document in one file, titles and alternative texts escaped, pictures inside."""

from __future__ import annotations

import base64

from edge.picture.html_page import data_uri, html_figure, html_page


def test_the_title_is_escaped_and_style_and_body_stand_as_they_were_given():
    text = html_page('<b> & "c"', "p > b { }", "<main>x</main>")
    assert text.startswith("<!doctype html>\n")
    assert text.endswith("</html>\n")
    assert "<title>&lt;b&gt; &amp; &quot;c&quot;</title>" in text
    assert "<style>p > b { }</style>" in text
    assert "<body>\n<main>x</main>\n</body>" in text


def test_a_picture_is_inside_the_page():
    source = data_uri(b"\xff\xd8jpeg", "image/jpeg")
    head, _, data = source.partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(data) == b"\xff\xd8jpeg"
    assert html_figure(source, "a<", "<b>c</b>", (3, 2)) == (
        f'<figure><img src="{source}" width="3" height="2" alt="a&lt;"><figcaption><b>c</b></figcaption></figure>'
    )
    assert "width" not in html_figure(source, "a", "c")
