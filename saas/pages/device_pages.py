"""A device in two words, out of what its browser says about itself."""

from __future__ import annotations

PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrom", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "a Python program"),
)
"""First match wins: most browsers also carry the names of older ones."""

SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def device_name(user_agent: str | None) -> str:
    """Return `Firefox on Linux`, `curl` or `Unknown device`: for the eye, never for a decision."""
    words = user_agent or ""
    program = next((name for mark, name in PROGRAMS if mark.lower() in words.lower()), "")
    system = next((name for mark, name in SYSTEMS if mark in words), "")
    if program and system:
        return f"{program} on {system}"
    return program or system or "Unknown device"
