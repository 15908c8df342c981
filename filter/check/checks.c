/*
 * checks.c - the list of checks. Adding a check is adding one file beside this
 * one, its place to check_private.h, and one line here.
 */
#include "check_private.h"

const struct check *const checks[] = {
    [CHECK_CLIENT] = &check_client, [CHECK_PTR] = &check_ptr,     [CHECK_ENVELOPE] = &check_envelope,
    [CHECK_MX] = &check_mx,         [CHECK_AUTH] = &check_auth,   [CHECK_TLS] = &check_tls,
    [CHECK_HEADER] = &check_header, [CHECK_FROM] = &check_from,   [CHECK_SPF] = &check_spf,
    [CHECK_DKIM] = &check_dkim,     [CHECK_DMARC] = &check_dmarc, NULL,
};
