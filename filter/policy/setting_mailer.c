/*
 * setting_mailer.c - mailer ADDRESS from MAILBOX: the mail server that sends our notes.
 */
#include "setting_reader.h"

#define MAILER(member) .offset = offsetof(struct mailer_setting, member)

static int read_address(struct setting_told *told, void *item, struct error *err)
{
	struct mailer_setting *mailer = item;
	struct error why;

	mailer->text = told->words[0];
	if (listen_parse(mailer->text, &mailer->address, &why) == 0 &&
	    (mailer->address.family == LISTEN_INET || mailer->address.family == LISTEN_INET6))
		return 0;
	error_set(err, "\"%s\" is not where a mail server listens", QUOTE(mailer->text));
	return -1;
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	const struct mailer_setting *mailer = block;

	if (mailer->text.n == 0)
		return 0;
	if (!setting_said(told, "from")) {
		error_set(err, "the mailer has no author; write from MAILBOX after the address, as in from "
			       "sekisho@example.org");
		return -1;
	}
	if (address_usable(&mailer->from))
		return 0;
	told->key = "from";
	error_set(err, "this is not an address that mail can come from");
	return -1;
}

static const struct setting_key address = {
    .type = SETTING_OWN,
    .read = read_address,
    .usage = "inet:PORT@HOST or inet6:PORT@[ADDRESS], as in mailer inet:25@127.0.0.1 from sekisho@example.org",
    .example = "mailer inet:25@127.0.0.1 from sekisho@example.org"};

static const struct setting_key keys[] = {
    {.name = "from",
     .type = SETTING_ADDRESS,
     MAILER(from),
     .example = "mailer inet:25@127.0.0.1 from sekisho@example.org"},
};

const struct setting_block mailer_block = {.name = "mailer",
					   .size = sizeof(struct mailer_setting),
					   .value = &address,
					   SETTING_KEYS(keys),
					   .line = true,
					   .finish = finish};
