"""Names between the server's encoding and text, without losing a byte.

A database in SQL_ASCII may hold names in no encoding at all, and one in EUC_CN names that Python's
tables do not know. Each byte that does not decode becomes one of the characters U+10FE80 to
U+10FEFF (private use), and goes back as that byte; so every name has exactly one text, which can
stand in JSON, and every such text has exactly one name.
"""

from __future__ import annotations

from dataclasses import dataclass

_ESCAPES = 0x10FE00
_SURROGATES = 0xDC00
_TO_ESCAPES = {_SURROGATES + byte: _ESCAPES + byte for byte in range(0x80, 0x100)}
_TO_SURROGATES = {after: before for before, after in _TO_ESCAPES.items()}

# The encodings that a server can have, where Python knows them; a name in another one is ASCII
# with escapes. https://www.postgresql.org/docs/current/multibyte.html
_CODECS = {
    "UTF8": "utf-8",
    "SQL_ASCII": "utf-8",  # most often it is; what is not is escaped
    "EUC_CN": "gb2312",
    "EUC_JP": "euc_jp",
    "EUC_JIS_2004": "euc_jis_2004",
    "EUC_KR": "euc_kr",
    "ISO_8859_5": "iso8859-5",
    "ISO_8859_6": "iso8859-6",
    "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "LATIN1": "iso8859-1",
    "LATIN2": "iso8859-2",
    "LATIN3": "iso8859-3",
    "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10",
    "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
    "WIN866": "cp866",
    "WIN874": "cp874",
    "WIN1250": "cp1250",
    "WIN1251": "cp1251",
    "WIN1252": "cp1252",
    "WIN1253": "cp1253",
    "WIN1254": "cp1254",
    "WIN1255": "cp1255",
    "WIN1256": "cp1256",
    "WIN1257": "cp1257",
    "WIN1258": "cp1258",
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """One server encoding, by the server's name for it."""

    name: str

    @property
    def codec(self) -> str:
        """Python's codec for it; text that the codec does not read is escaped."""
        return _CODECS.get(self.name, "ascii")

    def decode(self, raw: bytes) -> str:
        """The text of what the server sent; never fails."""
        if raw.isascii():  # which is the same in every encoding that a server can have
            return raw.decode("ascii")
        text = raw.decode(self.codec, "surrogateescape")
        if any(ord(character) in _TO_SURROGATES for character in text) or not self._same(text, raw):
            text = raw.decode("ascii", "surrogateescape")
        return text.translate(_TO_ESCAPES)

    def encode(self, text: str) -> bytes:
        """The bytes that `decode` made the text of.

        Raises ValueError where the encoding has no such character.
        """
        return text.translate(_TO_SURROGATES).encode(self.codec, "surrogateescape")

    def _same(self, text: str, raw: bytes) -> bool:
        """Some codecs read two spellings as one character; those spellings are escaped."""
        try:
            return text.encode(self.codec, "surrogateescape") == raw
        except UnicodeEncodeError:
            return False
