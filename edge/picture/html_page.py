"""HTML page in a single file: skeleton, escaping, pictures as data URIs; nothing is fetched from anywhere.

The demo's page and the training report are made with it. No script: a page that is mailed or copied to a stick shows
the same everywhere. A page's own style sheet names its colours as CSS variables; where it sets them anew under
``@media (prefers-color-scheme: dark)``, the page follows the reader's light or dark theme.
"""

from __future__ import annotations

import base64
from html import escape

__all__ = ["data_uri", "escape", "html_figure", "html_page"]


def html_page(title: str, style: str, body: str) -> str:
    """Whole HTML document of a page, with a line feed at the end.

    Args:
        title: plain text; it is escaped here.
        style: CSS, put into the page as it is.
        body: HTML that is safe already: whoever makes it escapes what strangers wrote.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def data_uri(data: bytes, media_type: str) -> str:
    """Data URI that holds a whole file, for example a picture with the media type ``image/png``."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def html_figure(source: str, alt: str, caption: str, size: tuple[int, int] | None = None) -> str:
    """HTML figure: a picture with its caption below.

    Args:
        source: data URI of the picture.
        alt: plain text for who cannot see the picture; it is escaped here.
        caption: HTML that is safe already.
        size: (width, height) in pixels, so that the page does not move while it loads; None: not stated.
    """
    stated = "" if size is None else f'width="{size[0]}" height="{size[1]}" '
    return f'<figure><img src="{source}" {stated}alt="{escape(alt)}"><figcaption>{caption}</figcaption></figure>'
