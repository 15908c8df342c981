"""What a person sees of the demonstration: at most 100 columns, colours only on a terminal."""
import os
import sys
import textwrap

COLUMNS = (("what the client did", 35), ("what the server answered", 27), ("which rule decided", 28))
COLOURS = {"2": "32", "4": "33", "5": "31"}  # replies: green, yellow, red
FINE = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
BAR, LINE, CROSS = ("│", "─", "┼") if FINE else ("|", "-", "+")


def paint(text, colour):
    if not text or not colour or not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\033[{colour}m{text}\033[0m"


def heading(text):
    print("\n" + paint(text, "1") + "\n")


def opening(stage):
    ports = stage.mta.ports
    mta = stage.mta
    heading(f"Sekisho with a real {mta.title}, {mta.where}")
    print(f"  {mta.title:8} port {ports['mx']} takes mail from outside, port {ports['submission']} takes the mail of alice and bob")
    print(f"  Sekisho  reads every command and header on the way; its policy is\n           {stage.gate.file}")
    print(f"  Clients  {mta.clients}")


# ---- the table ---------------------------------------------------------------------------------------


def cell(text, width):
    lines = []
    for part in text.split("\n"):
        lines += textwrap.wrap(part, width, break_on_hyphens=False) or [""]
    return lines


def row(cells, colours):
    height = max(map(len, cells))
    for number in range(height):
        shown = []
        for lines, colour, (_, width) in zip(cells, colours, COLUMNS):
            text = lines[number] if number < len(lines) else ""
            colour = colour(number) if callable(colour) else colour
            shown.append(paint(text, colour) + " " * (width - len(text)))
        print(" " + f" {BAR} ".join(shown).rstrip())


def rule_between():
    print(LINE + (LINE + CROSS + LINE).join(LINE * width for _, width in COLUMNS) + LINE)


def decided(result):
    if result.rule[0]:
        return "\n".join(result.rule)
    return "none refused it" + (",\nchanged by {}\n{}".format(*result.edit) if result.edit[0] else "")


def table(results):
    heading("Eight messages")
    row([[title] for title, _ in COLUMNS], ["1"] * len(COLUMNS))
    for number, result in enumerate(results, 1):
        rule_between()
        case, code = result.case, str(result.reply.code)
        bold_first = lambda line: "1" if line == 0 else ""
        reply = f"{code} " + " ".join(result.reply.text.split())
        row([cell(f"{number} {case.title}\n{case.does}", COLUMNS[0][1]), cell(reply, COLUMNS[1][1]),
             cell(decided(result), COLUMNS[2][1])],
            [bold_first, COLOURS.get(code[0], ""), bold_first if result.rule[0] else ""])


# ---- one message ---------------------------------------------------------------------------------------


def headers(result):
    if not result.delivered:
        return
    heading("Message 4 as bob got it: our own result on top, the forged ones removed, that of another server kept")
    header = result.delivered.raw.split(b"\n\n", 1)[0].decode("utf-8", "replace")
    ours = False
    for line in header.split("\n"):
        if not line.startswith((" ", "\t")):
            ours = line.startswith("Authentication-Results: mx.example.org")
        print("  " + paint(line.replace("\t", "        "), "1" if ours else ""))
    print("\n  The stranger had written:\n")
    for field in result.case.fields:
        print("  " + paint(field, "31"))


# ---- what to do next -------------------------------------------------------------------------------------


def attach(stage):
    heading("For your own mail server")
    print(stage.mta.attach)


def verdict(results, seconds):
    wrong = [(number, text) for number, result in enumerate(results, 1) for text in result.wrong]
    print()
    for number, text in wrong:
        print(paint(f"  Message {number} ({results[number - 1].case.title}) went wrong: {text}", "31"))
    if not wrong:
        print(paint(f"All {len(results)} ended as they should, in {seconds:.0f} s.", "32"))
    return not wrong


def how_to_talk(stage):
    mta, program, file, zone = stage.mta, os.path.relpath(stage.program), stage.gate.file, stage.directory + "/zone"
    heading("It goes on running until Ctrl-C. Talk to it:")
    if mta.network:
        print(f"  {mta.network.format(pid=os.getpid())}     (as root: a shell in its network, for these commands)\n")
    for client in ("198.51.100.66", "203.0.113.5"):
        print(f"  {mta.swaks('mx', client)} \\\n        --from you@good.example --to bob@example.org")
    print(f"""  {mta.swaks('submission', None)} \\
        -tls --auth PLAIN --auth-user alice@example.org --auth-password secret \\
        --from bob@example.org --to bob@example.org

  policy   {file}
           {program} reload -c {file}
  zone     {zone} (read again when it changes)
  mail     {stage.mta.inbox}
  records  {stage.gate.record_file}
  why      {program} explain -c {file} \\
               --zone {zone} \\
               --client 198.51.100.66 --helo stranger.example --sender you@good.example
""")
    sys.stdout.flush()


def record(record, place, text):
    """One line for each message that arrives while the demonstration goes on running."""
    print(f"  {record.get('client') or '-'} {record.get('sender') or '<>'}: {record.get('verdict')} "
          f"{record.get('reply') or ''} {place} {text}".rstrip(), flush=True)
