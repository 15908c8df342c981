/*
 * top.c - sekisho top: what the running daemon does, once a second, until q.
 *
 * Signals come through a descriptor, so that the terminal is put back whatever ends the program: q, SIGINT, SIGTERM,
 * SIGHUP, SIGQUIT; and while it is stopped. A daemon that is away is asked again.
 */
#include "ask.h"
#include "daemon.h"
#include "option.h"
#include "top_show.h"
#include "verbs.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define EVERY_US    (1000 * 1000)
#define ANSWER_US   (3 * 1000 * 1000) /* a daemon that reads its policy again answers late */
#define ROWS_PIPE   40
#define COLUMNS_MAX 900

struct top {
	struct ask ask;
	bool once;
	char *path;
	json_t *before, *now;
	struct error trouble; /* "": none */

	int signals;
	bool raw; /* the terminal is ours, and `saved` is how it was */
	struct termios saved;
};

/* ---- arguments ------------------------------------------------------------------------------------- */

static void usage(FILE *out)
{
	fputs("usage: sekisho top [-c FILE] [--socket PATH] [--once]\n\n" ASK_HELP
	      "  --once             print one frame and end, as when the output is not a terminal\n"
	      "  -h, --help         this\n\n"
	      "q ends it.\n",
	      out);
}

static int arguments_read(int argc, char **argv, struct top *top_r)
{
	static const struct option options[] = {ASK_OPTIONS, {"once", no_argument, NULL, 'o'}, {NULL}};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return VERB_OK;
		} else if (option == 'c') {
			top_r->ask.config = optarg;
		} else if (option == 's') {
			top_r->ask.socket = optarg;
		} else if (option == 'o') {
			top_r->once = true;
		} else if (option == '?') {
			return option_usage(argc, argv, "c:h", options);
		} else {
			usage(stderr);
			return VERB_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	usage(stderr);
	return VERB_USAGE;
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

/* A new answer takes the place of `now`. -1: there is none, and `trouble` says why. */
static int top_ask(struct top *top)
{
	json_t *answer = control_ask_within(top->path, json_pack("{s:s}", "command", "top"), ANSWER_US, &top->trouble);

	if (!answer)
		return -1;
	if (!json_is_true(json_object_get(answer, "ok"))) {
		const char *why = json_string_value(json_object_get(answer, "error"));

		error_set(&top->trouble, "%s", why ? why : "the daemon did not answer");
		json_decref(answer);
		return -1;
	}
	top->trouble.text[0] = '\0';
	json_decref(top->before);
	top->before = top->now ? top->now : json_incref(answer);
	top->now = answer;
	return 0;
}

/* ---- the terminal ------------------------------------------------------------------------------------------ */

static void put(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t put = write(STDOUT_FILENO, text, n);

		if (put < 0 && errno != EINTR)
			return;
		text += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

/* A screen of its own, without a cursor, and keys as they are pressed. */
static void terminal_take(struct top *top)
{
	struct termios keys;

	top->raw = tcgetattr(STDIN_FILENO, &top->saved) == 0;
	if (top->raw) {
		keys = top->saved;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		keys.c_cc[VMIN] = 0;
		keys.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	put_text("\033[?1049h\033[?25l");
}

static void terminal_give_back(struct top *top)
{
	put_text("\033[?25h\033[?1049l");
	if (top->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &top->saved);
}

static struct frame terminal_frame(void)
{
	struct winsize size = {0};
	struct frame frame = {.rows = 24, .columns = 80, .terminal = true};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
		frame.rows = size.ws_row;
		frame.columns = size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
	}
	return frame;
}

/* One write, so that no half frame is seen. */
static void top_draw(const struct top *top)
{
	struct frame frame = terminal_frame();
	char *text = NULL;
	size_t n = 0;

	frame.out = open_memstream(&text, &n);
	if (!frame.out)
		die("no memory for the screen");
	frame_print(&frame, top->before, top->now, top->trouble.text[0] ? top->trouble.text : NULL);
	if (fclose(frame.out) != 0)
		die("no memory for the screen");
	put(text, n);
	free(text);
}

/* ---- until it ends -------------------------------------------------------------------------------------- */

/* Stopped by the shell: the terminal is the shell's until we go on. */
static void top_stop(struct top *top)
{
	sigset_t set;

	terminal_give_back(top);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* it stops here */
	sigprocmask(SIG_BLOCK, &set, NULL);
	terminal_take(top);
}

/* True when it is time to end. */
static bool top_signal(struct top *top)
{
	struct signalfd_siginfo signal;

	if (read(top->signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
		return false;
	if (signal.ssi_signo == SIGTSTP)
		top_stop(top);
	return signal.ssi_signo != SIGTSTP && signal.ssi_signo != SIGWINCH && signal.ssi_signo != SIGCONT;
}

static bool top_key(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q')
			return true;
	return n < 0 && errno != EINTR && errno != EAGAIN; /* the terminal has gone */
}

/* Waits for the next second. True when it is time to end. */
static bool top_wait(struct top *top, int64_t until)
{
	struct pollfd ready[] = {{.fd = top->signals, .events = POLLIN},
				 {.fd = top->raw ? STDIN_FILENO : -1, .events = POLLIN}};
	int64_t left;

	while ((left = until - clock_us()) > 0) {
		if (poll(ready, 2, (int)(left / 1000) + 1) <= 0)
			continue;
		if (ready[0].revents && top_signal(top))
			return true;
		if (ready[1].revents & (POLLHUP | POLLERR | POLLNVAL))
			return true;
		if (ready[1].revents && top_key())
			return true;
		if (ready[0].revents) /* another size, or back from the shell */
			top_draw(top);
	}
	return false;
}

static int top_run(struct top *top)
{
	sigset_t set;

	sigemptyset(&set);
	for (const int *number = (const int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH, 0};
	     *number; number++)
		sigaddset(&set, *number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	top->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (top->signals < 0) {
		fprintf(stderr, "sekisho top: cannot wait for signals: %s\n", strerror(errno));
		return VERB_UNAVAILABLE;
	}
	terminal_take(top);
	do {
		top_draw(top);
		if (top_wait(top, clock_us() + EVERY_US))
			break;
		top_ask(top);
	} while (true);
	terminal_give_back(top);
	close(top->signals);
	return VERB_OK;
}

/* Rates are those of one second. */
static int top_print(struct top *top)
{
	struct frame frame = {.out = stdout, .rows = ROWS_PIPE, .columns = COLUMNS_MAX};

	usleep(EVERY_US);
	if (top_ask(top) != 0) {
		fprintf(stderr, "sekisho top: %s\n", top->trouble.text);
		return VERB_UNAVAILABLE;
	}
	frame_print(&frame, top->before, top->now, NULL);
	return VERB_OK;
}

int verb_top(int argc, char **argv)
{
	struct top top = {.ask = {argv[0], DEFAULT_CONFIG, NULL}};
	int code = arguments_read(argc, argv, &top);

	if (code >= 0)
		return code;
	top.path = ask_path(&top.ask, &code);
	if (!top.path)
		return code;
	if (top_ask(&top) != 0) {
		fprintf(stderr, "sekisho top: %s\n", top.trouble.text);
		code = VERB_UNAVAILABLE;
	} else {
		code = top.once || !isatty(STDOUT_FILENO) ? top_print(&top) : top_run(&top);
	}
	json_decref(top.before);
	json_decref(top.now);
	free(top.path);
	return code;
}
