"""The result as a picture: for each size of message the programs, fastest first, on a logarithmic scale."""
import math
import statistics
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, ROW = 900, 200, 620, 20
COLOURS = {"sekisho": "#b7282e", "empty, limit": "#999999", "empty, replies": "#bbbbbb"}


def rows(found):
    rates = {name: statistics.median(run["rate"] for run in runs) for name, runs in found.items()}
    return sorted(rates.items(), key=lambda item: -item[1])


def draw(path, numbers):
    sizes = [(size, rows(numbers[size])) for size in ("2k", "60k", "1m") if size in numbers]
    if not sizes:
        return
    most = max(rate for _, bars in sizes for _, rate in bars)
    lines, y = [], 30
    for size, bars in sizes:
        lines.append(f'<text x="10" y="{y}" font-weight="bold">messages per second, {size} each (logarithmic)</text>')
        y += 10
        for name, rate in bars:
            length = BAR * math.log10(max(rate, 1)) / math.log10(most)
            colour = COLOURS.get(name, "#4a6fa5")
            lines.append(f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
                         f'<rect x="{LABEL}" y="{y + 2}" width="{length:.1f}" height="{ROW - 5}" fill="{colour}"/>'
                         f'<text x="{LABEL + length + 5:.1f}" y="{y + 14}">{rate:.0f}</text>')
            y += ROW
        y += 30
    with open(path, "w") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" '
                f'font-size="13"><rect width="100%" height="100%" fill="white"/>\n' + "\n".join(lines) + "\n</svg>\n")
