/*
 * auth.c - SMTP AUTH (RFC 4954): who logged in, and how.
 *
 * The login is the one that the mail server has verified. A mechanism without a login is not a login: some mail servers
 * name one for a client certificate.
 */
#include "check_private.h"

/* auth { } */
struct auth_settings {
	bool publish_login;
};

static bool authenticated(const struct view *view)
{
	return view->session->auth_user.n > 0;
}

static struct value get_auth(struct view *view)
{
	return value_bool(authenticated(view));
}

static struct value get_user(struct view *view)
{
	return value_text(TYPE_STRING, view->session->auth_user);
}

static struct value get_method(struct view *view)
{
	return value_text(TYPE_STRING, authenticated(view) ? view->session->auth_method : SLICE(""));
}

/* RFC 8601 2.7.4: auth=pass smtp.auth=user. Every recipient of the message can read it: half of what a thief needs. */
static void authres(struct view *view, struct authres *field)
{
	const struct auth_settings *settings = check_block(view->settings, &check_auth);

	if (!authenticated(view))
		return;
	authres_method(field, SLICE("auth"), SLICE("pass"));
	if (settings->publish_login)
		authres_property(field, SLICE("smtp"), SLICE("auth"), view->session->auth_user);
}

static const struct setting_key keys[] = {
    {.name = "publish-login",
     .type = SETTING_BOOL,
     .offset = offsetof(struct auth_settings, publish_login),
     .preset = "no"},
};

static const struct setting_block block = {.name = "auth", .size = sizeof(struct auth_settings), SETTING_KEYS(keys)};

static const struct fact facts[] = {
    FACT("auth", BOOL, MAIL, get_auth, "the client has authenticated", .replays = true),
    FACT("auth.user", STRING, MAIL, get_user, "its login name", .recorded = true),
    FACT("auth.method", STRING, MAIL, get_method, "the SASL mechanism"),
};

const struct check check_auth = {CHECK_NAMED(auth), FACTS(facts), .settings = &block, .authres = authres};
