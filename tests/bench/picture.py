"""The result as a picture, by python3-matplotlib: for each size of message the programs, fastest first; messages per second, how
often as fast Sekisho is and what was wanted, and processor time. Both scales are logarithmic."""
from figures import median, ratio

TITLES = {"2k": "2 KB", "60k": "60 KB", "1m": "1 MB"}
OURS, OTHERS, BARE, REACHED = "#b7282e", "#6b8fbf", "#b5b5b5", "#2a7a2a"


def colour_of(name):
    return OURS if name.startswith("sekisho") else BARE if name.startswith("empty") else OTHERS


def bars(axes, names, values, label):
    """One program a row; the number is to the right of its bar."""
    axes.barh(range(len(names)), values, color=[colour_of(name) for name in names], height=0.62)
    axes.set_xscale("log")
    axes.set_xlim(0.5 * min(values), 2.5 * max(values))
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.invert_yaxis()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for row, value in enumerate(values):
        axes.text(value * 1.04, row, f"{value:.0f}" if value >= 10 else f"{value:.2f}", va="center")


def compared(axes, names, found, wanted):
    """At the right of the bars: how often as fast Sekisho is."""
    for row, name in enumerate(names):
        if name == "sekisho":
            continue
        value, _ = ratio(found["sekisho"], found[name])
        target = wanted.get(name)
        axes.text(1.12, row, f"{value:.2f} ×", transform=axes.get_yaxis_transform(), va="center", ha="right")
        if target:
            reached = value >= target
            axes.text(1.13, row, f"≥ {target:g} reached" if reached else f"< {target:g} wanted",
                      transform=axes.get_yaxis_transform(), va="center", color=REACHED if reached else OURS)


def panel(rates, times, size, found, wanted):
    """All programs with messages of one size."""
    names = sorted(found, key=lambda name: -median(found[name], "rate"))
    bars(rates, names, [median(found[name], "rate") for name in names], "messages per second")
    rates.set_yticks(range(len(names)), names)
    rates.set_title(f"messages of {TITLES[size]}", loc="left", fontweight="bold")
    rates.set_title("sekisho is as fast, times:", loc="right", fontsize="small", x=1.25)
    compared(rates, names, found, wanted)
    bars(times, names, [max(median(found[name], "cpu"), 0.001) for name in names], "CPU ms per message")
    times.set_yticks([])


def draw(path, numbers, targets):
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    sizes = [size for size in TITLES if "sekisho" in numbers.get(size, {})]
    if not sizes:
        return
    figure = Figure(figsize=(13, 1 + 3.4 * len(sizes)), layout="constrained")
    FigureCanvasSVG(figure)
    figure.suptitle("Sekisho beside other milters: the same messages, runs in turns, medians", fontweight="bold")
    all_axes = figure.subplots(len(sizes), 2, squeeze=False, gridspec_kw={"width_ratios": (2, 1)})
    for axes, size in zip(all_axes, sizes):
        panel(*axes, size, numbers[size], {name: value for (mails, name), value in targets.items() if mails == size})
    figure.savefig(path)
