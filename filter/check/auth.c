/*
 * auth.c - SMTP AUTH (RFC 4954): who logged in, and how.
 */
#include "check_private.h"

static bool authenticated(const struct view *view)
{
	return view->session->auth_user.n || view->session->auth_method.n;
}

static struct value get_auth(struct view *view, struct slice argument)
{
	(void)argument;
	return value_bool(authenticated(view));
}

static struct value get_user(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_STRING, view->session->auth_user);
}

static struct value get_method(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_STRING, view->session->auth_method);
}

/* RFC 8601 2.7.4: auth=pass smtp.auth=user */
static void authres(struct view *view, struct authres *field)
{
	if (!authenticated(view))
		return;
	authres_method(field, SLICE("auth"), SLICE("pass"));
	if (view->session->auth_user.n)
		authres_property(field, SLICE("smtp"), SLICE("auth"), view->session->auth_user);
}

static const struct fact facts[] = {
    {"auth", TYPE_BOOL, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_auth, "the client has authenticated"},
    {"auth.user", TYPE_STRING, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_user, "its login name"},
    {"auth.method", TYPE_STRING, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_method, "the SASL mechanism"},
};

const struct check check_auth = {.number = CHECK_AUTH, .name = "auth", FACTS(facts), .authres = authres};
