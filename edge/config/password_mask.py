"""Masks the passwords and secrets of URIs in texts, for logs and messages."""

from __future__ import annotations

import re

PASSWORD = re.compile(r"(\w://[^/\s:@\[]*):(?:[^/\s]*@|(?!\d{1,5}[/?])\S*@)")
"""A slash in a password that was not encoded does not end it; a port with a path behind it is none."""
SECRET_PARAMETER = re.compile(
    r"([?&](?:\w*pass?(?:wd|word|wort|phrase)?|\w*pwd|secret|\w*token|\w*key|auth)=)[^&\s]*", re.IGNORECASE
)
PASSWORD_PROPERTY = re.compile(
    r"((?<![\w-])[\w-]*(?:pass(?:wd|word|wort|phrase)?|pwd|-pw)=)(?:\"[^\"]*\"|'[^']*'|[^&\s\"']*?(?=_[a-z]+=|[&\s\"']|$))",
    re.IGNORECASE,
)
"""Outside of a query: properties of GStreamer's elements (``user-pw=``), and paths of cameras that hold the password
(``/user=NAME_password=…_channel=1``)."""


def mask_passwords(text: str) -> str:
    """``text`` with the passwords and secret parameters of URIs in it replaced by ``***``."""
    return PASSWORD_PROPERTY.sub(r"\1***", SECRET_PARAMETER.sub(r"\1***", PASSWORD.sub(r"\1:***@", text)))
