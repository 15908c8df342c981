"""The result as a picture: for each size of message the programs, fastest first; messages per second, how often as fast Sekisho
is and what was wanted, and processor time. Both scales are logarithmic.

A row whose program Sekisho is held against has a mark where its bar may end at most.
"""
import math
from xml.sax.saxutils import escape

from figures import median, ratio

WIDTH, ROW, MARGIN = 1120, 22, 16
RATE_X, RATE_WIDTH = 190, 400
RATIO_X = 680  # between both, aligned at its right end: 1 x
CPU_X, CPU_WIDTH = 870, 170
INK, DIM, OURS, OTHERS, BARE, MARK, REACHED = "#222222", "#777777", "#b7282e", "#6b8fbf", "#b5b5b5", "#e08a00", "#2a7a2a"
TITLES = {"2k": "2 KB", "60k": "60 KB", "1m": "1 MB"}


class Scale:
    """Places on a logarithmic axis that begins with a power of ten and ends a little behind the longest bar."""

    def __init__(self, left, width, values):
        self.left, self.width = left, width
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.log10(1.1 * max(values)), self.low + 1)

    def x(self, value):
        at = (math.log10(value) - self.low) / (self.high - self.low)
        return self.left + self.width * min(max(at, 0), 1)

    def ticks(self):
        return [10.0 ** n for n in range(self.low, math.floor(self.high) + 1)]


class Drawing:
    def __init__(self):
        self.parts = []

    def text(self, x, y, what, colour=INK, anchor="start", more=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{more}>{escape(what)}</text>')

    def bar(self, scale, y, value, colour):
        self.parts.append(f'<rect x="{scale.left}" y="{y + 4}" width="{max(scale.x(value) - scale.left, 1):.1f}" '
                          f'height="{ROW - 8}" fill="{colour}"/>')

    def line(self, x, top, bottom, colour, width=1.0):
        self.parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{colour}" '
                          f'stroke-width="{width}"/>')

    def axis(self, scale, top, bottom, label):
        for value in scale.ticks():
            self.line(scale.x(value), top, bottom, "#dddddd")
            self.text(scale.x(value), bottom + 14, f"{value:g}", DIM, "middle", ' font-size="11"')
        self.text(scale.left + scale.width / 2, bottom + 29, label, DIM, "middle", ' font-size="11"')

    def write(self, path, height):
        with open(path, "w") as f:
            f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                    f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">\n'
                    '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def colour_of(name):
    return OURS if name == "sekisho" else BARE if name.startswith("empty") else OTHERS


def row(drawing, y, name, found, target, rates, times):
    """One program."""
    rate, cpu = median(found[name], "rate"), median(found[name], "cpu")
    base, end = y + ROW - 7, rates.x(rate)
    drawing.text(RATE_X - 8, base, name, colour_of(name) if name == "sekisho" else INK, "end")
    drawing.bar(rates, y, rate, colour_of(name))
    drawing.bar(times, y, cpu, colour_of(name))
    drawing.text(times.x(cpu) + 5, base, f"{cpu:.2f}")
    if name == "sekisho":
        drawing.text(end + 6, base, f"{rate:.0f}")
        return
    value, _ = ratio(found["sekisho"], found[name])
    if target:  # by the ratio of the rounds, which is not quite that of the medians
        mark = rates.x(rate * value / target)
        drawing.line(mark, y + 1, y + ROW - 1, MARK, 2.5)
        end = mark if end < mark < end + 40 else end  # the number stands behind both
    drawing.text(end + 6, base, f"{rate:.0f}")
    compared(drawing, base, value, target)


def compared(drawing, base, value, target):
    drawing.text(RATIO_X + 30, base, f"{value:.2f} ×", INK, "end")
    if target and value >= target:
        drawing.text(RATIO_X + 38, base, f"≥ {target:g} × reached", REACHED)
    elif target:
        drawing.text(RATIO_X + 38, base, f"< {target:g} × wanted", OURS)


def panel(drawing, y, size, found, targets, scales):
    """All programs with messages of one size; where the next panel begins."""
    names = sorted(found, key=lambda name: -median(found[name], "rate"))
    drawing.text(MARGIN, y, f"Messages of {TITLES[size]}", more=' font-weight="bold" font-size="15"')
    drawing.text(RATIO_X - 24, y, "sekisho is so often as fast", DIM, more=' font-size="11"')
    top = y + 8
    bottom = top + ROW * len(names)
    for scale, label in zip(scales, ("messages per second (logarithmic)", "CPU ms per message (logarithmic)")):
        drawing.axis(scale, top, bottom, label)
    for number, name in enumerate(names):
        row(drawing, top + number * ROW, name, found, targets.get((size, name)), *scales)
    return bottom + 62


def draw(path, numbers, targets):
    sizes = [size for size in TITLES if "sekisho" in numbers.get(size, {})]
    if not sizes:
        return
    runs = [found for size in sizes for found in numbers[size].values()]
    scales = (Scale(RATE_X, RATE_WIDTH, [median(found, "rate") for found in runs]),
              Scale(CPU_X, CPU_WIDTH, [max(median(found, "cpu"), 0.01) for found in runs]))
    drawing = Drawing()
    drawing.text(MARGIN, 28, "Sekisho beside other milters: the same messages, runs in turns, medians",
                 more=' font-weight="bold" font-size="17"')
    drawing.line(MARGIN + 2, 38, 54, MARK, 2.5)
    drawing.text(MARGIN + 12, 51, "where the bar of a program may end at most, for what is wanted of Sekisho", DIM)
    y = 86
    for size in sizes:
        y = panel(drawing, y, size, numbers[size], targets, scales)
    drawing.write(path, y - 20)
