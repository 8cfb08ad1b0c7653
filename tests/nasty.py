"""
Paths that somebody could find on a disk, or put there, to the harm of whoever unpacks an archive of them.
"""

from __future__ import annotations

# fmt: off
# Each group has a name of its own; no path of one is a folder of another.
_PATHS: dict[str, list[bytes | str]] = {
    "climbing": [
        b"..\\..\\up.txt", b"..%2f..%2fup.txt", b". .", b"... ", b"\xc0\xae\xc0\xae", b"a/... /b", b"~root",
    ],
    "drives": [b"C:\\Windows\\win.ini", b"C:relative", b"\\\\server\\share", b"stream.txt:hidden", b"C:"],
    "forbidden by Windows": [b'a<b>c:d"e|f?g*h.txt', b"\\", b"a\\b/c\\d", b"*", b"?", b"|more"],
    "controls": [
        b"line\nbreak", b"return\rhere", b"\x1b[31mred", b"bell\x07", b"tab\there", b"del\x7f", "c1\x85",
    ],
    "directions": ["photo\u202egpj.exe", "\u2066a\u2069.txt", "\ufeffbom.txt", "a\u2028b"],
    "devices": [
        b"CON", b"con.txt", b"Aux.tar.gz", b"NUL .txt", b"nul", b"PRN.", b"COM1", b"lpt9.x", b"com0",
        b"CONIN$", "COM\u00b9.txt", b"conout$.log", b"console.txt", b"COM10.txt", b"a/NUL/b",
    ],
    "dots and spaces": [
        b"trailing.", b"trailing ", b"trailing. . .", b" leading", b"dot/folder./x", b"dot/folder /x",
    ],
    "not UTF-8": [
        b"\xff\xfe", b"caf\xe9.jpg", b"\xed\xa0\x80surrogate", b"%FF%FE", b"\xe2\x82", b"\xff/\xfe",
        b"\xf8\x88\x80\x80",
    ],
    "case": [
        b"Twin.JPG", b"twin.jpg", b"TWIN.jpg", b"twin (2).jpg", b"Cases/a", b"cases/a", b"cases/A",
        b"STRASSE", "Stra\u00dfe", "\u017fet", b"SET", "\u212aelvin", b"kelvin",
    ],
    "forms": [
        "\u00e9tude.txt", "e\u0301tude.txt", "E\u0301tude.txt", "\ufb01n.txt",
        b"fin.txt", "\uac00", "\u1100\u1161", "zero\u200cwidth", b"zerowidth",
    ],
    "file and folder": [b"same?", b"same*/inside", b"same_", b"SAME/x"],
    "mended alike": [b"m:n", b"m?n", b"m_n", b"M_N", b"m_n (2)", b"m|n"],
    "long": [
        b"x" * 255, b"x" * 251 + b".jpg", b"\xff" * 251 + b".jpg", b"\xff" * 250 + b"x.jpg",
        b"y" * 254 + b"?", "\u0958" * 85, "\U0001f600" * 63 + "abc",
        b"CON" + b" " * 245 + b"more.jp", b". " * 125 + b".jpg",
    ],
    "empty folders": [b"hollow/", b"hollow?/", b"HOLLOW/", b"in/side. /"],
    "beautiful": [
        "Отпуск на море.jpg", "写真.png", "👩\u200d👩\u200d👧.jpg", b"Photo 1 (2).jpg",
        b"#1 [best] 100%.jpg", b"-rf", b"--help", b"@list", b"name.with.many.dots.gz", b"README",
    ],
}
# fmt: on

NASTY = {
    group: [path if isinstance(path, bytes) else path.encode() for path in paths]
    for group, paths in _PATHS.items()
}

#: All of them in one album.
NASTY_PATHS = [path for group in NASTY.values() for path in group]
