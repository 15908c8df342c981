/*
 * empty.c - programs of libmilter that do nothing but add one field: what Sekisho is held against.
 *
 *     empty replies SOCKET     every callback is there and answers, as most milters do
 *     empty limit SOCKET       receives everything, the body too, and answers only at the end: no milter that sees
 *                              whole messages can do with less
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MUTE                                                                                                           \
	(SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH | \
	 SMFIP_NR_BODY)

static sfsistat answer = SMFIS_CONTINUE;

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long more,
			     unsigned long still_more, unsigned long *actions_r, unsigned long *steps_r,
			     unsigned long *more_r, unsigned long *still_more_r)
{
	(void)ctx, (void)more, (void)still_more;
	*actions_r = actions & SMFIF_ADDHDRS;
	*steps_r = steps & (MUTE | SMFIP_HDR_LEADSPC | SMFIP_NOUNKNOWN);
	*more_r = *still_more_r = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *address)
{
	(void)ctx, (void)host, (void)address;
	return answer;
}

static sfsistat on_helo(SMFICTX *ctx, char *helo)
{
	(void)ctx, (void)helo;
	return answer;
}

static sfsistat on_path(SMFICTX *ctx, char **arguments)
{
	(void)ctx, (void)arguments;
	return answer;
}

static sfsistat on_step(SMFICTX *ctx)
{
	(void)ctx;
	return answer;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx, (void)name, (void)value;
	return answer;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t n)
{
	(void)ctx, (void)chunk, (void)n;
	return answer;
}

static sfsistat on_end(SMFICTX *ctx)
{
	static char name[] = "Authentication-Results", value[] = " mx.example.org; none";

	return smfi_insheader(ctx, 0, name, value) == MI_SUCCESS ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

static sfsistat on_close(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	static char name[] = "empty";
	struct smfiDesc description = {
	    .xxfi_name = name,
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_path,
	    .xxfi_envrcpt = on_path,
	    .xxfi_data = on_step,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_step,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end,
	    .xxfi_close = on_close,
	};

	if (argc != 3 || (strcmp(argv[1], "replies") != 0 && strcmp(argv[1], "limit") != 0)) {
		fputs("usage: empty replies|limit SOCKET\n", stderr);
		return 2;
	}
	if (strcmp(argv[1], "limit") == 0) {
		description.xxfi_negotiate = on_negotiate;
		answer = SMFIS_NOREPLY;
	}
	umask(0);
	if (smfi_register(description) != MI_SUCCESS || smfi_setconn(argv[2]) != MI_SUCCESS)
		return 1;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
