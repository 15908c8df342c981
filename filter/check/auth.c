/*
 * auth.c - SMTP AUTH (RFC 4954): who logged in, and how.
 */
#include "check_private.h"

static bool authenticated(const struct view *view)
{
	return view->session->auth_user.n || view->session->auth_method.n;
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
    FACT("auth", BOOL, MAIL, get_auth, "the client has authenticated"),
    FACT("auth.user", STRING, MAIL, get_user, "its login name"),
    FACT("auth.method", STRING, MAIL, get_method, "the SASL mechanism"),
};

const struct check check_auth = {CHECK_NAMED(auth), FACTS(facts), .authres = authres};
