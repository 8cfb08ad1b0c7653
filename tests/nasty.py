"""
Paths that somebody could find on a disk, or put there, to the harm of whoever unpacks an archive of them.
"""

from __future__ import annotations

# Each group has a name of its own; no path of one is a folder of another.
NASTY: dict[str, list[bytes]] = {
    "climbing": [b"..\\..\\up.txt", b"..%2f..%2fup.txt", b". .", b"... ", b"\xc0\xae\xc0\xae", b"a/... /b", b"~root"],
    "drives": [b"C:\\Windows\\win.ini", b"C:relative", b"\\\\server\\share", b"stream.txt:hidden", b"C:"],
    "forbidden by Windows": [b'a<b>c:d"e|f?g*h.txt', b"\\", b"a\\b/c\\d", b"*", b"?", b"|more"],
    "controls": [b"line\nbreak", b"return\rhere", b"\x1b[31mred", b"bell\x07", b"tab\there", b"del\x7f", "c1\x85".encode()],
    "directions": ["photo\u202egpj.exe".encode(), "\u2066a\u2069.txt".encode(), "\ufeffbom.txt".encode(),
                   "a\u2028b".encode()],
    "devices": [b"CON", b"con.txt", b"Aux.tar.gz", b"NUL .txt", b"nul", b"PRN.", b"COM1", b"lpt9.x", b"com0",
                "COM\u00b9.txt".encode(), b"CONIN$", b"conout$.log", b"console.txt", b"COM10.txt", b"a/NUL/b"],
    "dots and spaces": [b"trailing.", b"trailing ", b"trailing. . .", b" leading", b"dot/folder./x", b"dot/folder /x"],
    "not UTF-8": [b"\xff\xfe", b"caf\xe9.jpg", b"\xed\xa0\x80surrogate", b"%FF%FE", b"\xe2\x82", b"\xff/\xfe",
                  b"\xf8\x88\x80\x80\x80"],
    "case": [b"Twin.JPG", b"twin.jpg", b"TWIN.jpg", b"twin (2).jpg", b"Cases/a", b"cases/a", b"cases/A",
             "Stra\u00dfe".encode(), b"STRASSE", "\u017fet".encode(), b"SET", "\u212aelvin".encode(), b"kelvin"],
    "forms": ["\u00e9tude.txt".encode(), "e\u0301tude.txt".encode(), "E\u0301tude.txt".encode(),
              "\ufb01n.txt".encode(), b"fin.txt", "\uac00".encode(), "\u1100\u1161".encode(),
              "zero\u200cwidth".encode(), b"zerowidth"],
    "file and folder": [b"same?", b"same*/inside", b"same_", b"SAME/x"],
    "mended alike": [b"m:n", b"m?n", b"m_n", b"M_N", b"m_n (2)", b"m|n"],
    "long": [b"x" * 255, b"x" * 251 + b".jpg", b"\xff" * 251 + b".jpg", b"\xff" * 250 + b"x.jpg", "\u0958".encode() * 85,
             "\U0001f600".encode() * 63 + b"abc", b"CON" + b" " * 245 + b"more.jp", b". " * 125 + b".jpg", b"y" * 254 + b"?"],
    "empty folders": [b"hollow/", b"hollow?/", b"HOLLOW/", b"in/side. /"],
    "beautiful": ["Отпуск на море.jpg".encode(), "写真.png".encode(), "👩‍👩‍👧.jpg".encode(), b"Photo 1 (2).jpg",
                  b"#1 [best] 100%.jpg", b"-rf", b"--help", b"@list", b"name.with.many.dots.gz", b"README"],
}

#: All of them in one album.
NASTY_PATHS = [path for group in NASTY.values() for path in group]
