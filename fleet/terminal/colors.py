"""SGR, the escape sequence that sets colours: the only style that external text may bring along."""

from __future__ import annotations

from collections.abc import Iterator

#: Parameters read of one sequence; a sane one has at most a dozen.
_PARAMETERS = 32
_ON = {1: "1", 2: "2", 3: "3", 4: "4", 7: "7", 9: "9"}
#: Code -> the attributes that it switches off.
_OFF = {21: "1", 22: "12", 23: "3", 24: "4", 27: "7", 29: "9"}


class Graphics:
    """The colours and attributes in force; ``code`` is their canonical SGR parameter list, empty for none.

    Blinking and conceal are not kept: hidden text is what a hostile line would use them for.
    """

    def __init__(self) -> None:
        self._attributes: set[str] = set()
        self._foreground = ""
        self._background = ""
        self.code = ""

    def apply(self, parameters: str) -> None:
        """Apply the parameters of one SGR sequence; what is unknown or malformed changes nothing."""
        values = iter(_numbers(parameters))
        for value in values:
            if value == 0:
                self._attributes.clear()
                self._foreground = self._background = ""
            elif value in _ON:
                self._attributes.add(_ON[value])
            elif value in _OFF:
                self._attributes.difference_update(_OFF[value])
            elif 30 <= value <= 37 or 90 <= value <= 97:
                self._foreground = str(value)
            elif 40 <= value <= 47 or 100 <= value <= 107:
                self._background = str(value)
            elif value == 39:
                self._foreground = ""
            elif value == 49:
                self._background = ""
            elif value in (38, 48):
                color = _extended(values)
                if color is None:
                    break
                if value == 38:
                    self._foreground = f"38;{color}"
                else:
                    self._background = f"48;{color}"
        parts = (*sorted(self._attributes), self._foreground, self._background)
        self.code = ";".join(part for part in parts if part)


def _numbers(parameters: str) -> list[int]:
    words = parameters.replace(":", ";").split(";")[:_PARAMETERS]
    # An empty parameter is 0; a long one is not a colour.
    return [int(word or "0") if len(word) <= 3 and (word or "0").isdecimal() else -1 for word in words]


def _extended(values: Iterator[int]) -> str | None:
    """Return ``5;N`` or ``2;R;G;B`` from what follows 38 or 48, None when it is not a colour."""
    kind = next(values, -1)
    count = {5: 1, 2: 3}.get(kind, 0)
    parts = [next(values, -1) for _ in range(count)]
    if not parts or not all(0 <= part <= 255 for part in parts):
        return None
    return ";".join(map(str, (kind, *parts)))
