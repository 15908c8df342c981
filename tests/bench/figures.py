"""What is made of the runs of one program."""
import statistics


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def spread(values):
    """Half of the distance of the quartiles."""
    if len(values) < 2:
        return 0
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return (quarters[2] - quarters[0]) / 2


def ratio(first, second, key="rate"):
    """Of the runs of each round: median and spread."""
    ratios = [a[key] / b[key] for a, b in zip(first, second) if b[key]]
    return (statistics.median(ratios), spread(ratios)) if ratios else (0, 0)


def wanted(what, reached):
    return f"({what}: {'reached' if reached else 'NOT reached'})"


def odd(runs, refused=False):
    """What came back otherwise than it should, or nothing. What is refused has to be so before its content."""
    messages, right = (sum(run[key] for run in runs) for key in ("messages", "early" if refused else "accept"))
    missing = sum(run["missing"] for run in runs)
    wrong = "reached DATA" if refused else "were not accepted"
    said = [f"{messages - right} of {messages} messages {wrong}"] if right < messages else []
    said += [f"{missing} of {messages} came back without a result"] if missing else []
    return "  NOTE " + ", ".join(said) if said else ""
