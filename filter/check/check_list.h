/*
 * check_list.h - the checks of the program, one line each. They are evaluated in this order: a check
 * reads only those before it.
 */
CHECK(client)
CHECK(time)
CHECK(noted)
CHECK(ptr)
CHECK(envelope)
CHECK(mx)
CHECK(auth)
CHECK(tls)
CHECK(header)
CHECK(from)
CHECK(spf)
CHECK(dkim)
CHECK(arc)
CHECK(forwarded)
CHECK(dmarc)
CHECK(repeats)
CHECK(limit)
CHECK(blocked)
CHECK(correspondent)
CHECK(greylist)
