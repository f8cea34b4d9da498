"""Masks the passwords and secrets of URIs in texts, for logs and messages."""

from __future__ import annotations

import re

PASSWORD = re.compile(r"(\w://[^/\s:]*):[^/\s]*@")
SECRET_PARAMETER = re.compile(
    r"([?&](?:\w*pass?(?:wd|word|wort)?|\w*pwd|secret|\w*token|\w*key|auth)=)[^&\s]*", re.IGNORECASE
)


def mask_passwords(text: str) -> str:
    """``text`` with the passwords and secret parameters of URIs in it replaced by ``***``."""
    return SECRET_PARAMETER.sub(r"\1***", PASSWORD.sub(r"\1:***@", text))
