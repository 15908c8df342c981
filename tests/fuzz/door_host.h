/*
 * door_host.h - what a door needs of the daemon, with a small policy and a store in memory.
 */
#ifndef SEKISHO_TEST_DOOR_HOST_H
#define SEKISHO_TEST_DOOR_HOST_H

#include "door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct engine *door_host_engine;
static struct store *door_host_store;

static inline struct engine *door_host_hold(struct door_host *host)
{
	(void)host;
	return engine_hold(door_host_engine);
}

static inline bool door_host_admits(struct door_host *host, int listener, int fd)
{
	(void)host, (void)listener, (void)fd;
	return true;
}

static inline void door_host_failed(struct door_host *host, const char *why)
{
	(void)host;
	fprintf(stderr, "%s\n", why);
	abort();
}

/* Made once. */
static inline struct door_host *door_host_with(const char *config)
{
	static struct door_host host = {
	    .engine = door_host_hold, .admits = door_host_admits, .failed = door_host_failed};
	static struct counters counters;
	struct diagnostics *diagnostics;
	struct resolver *resolver;
	struct policy *policy;
	struct error err = {""};
	char path[64];
	int fd;

	if (door_host_engine)
		return &host;
	diagnostics = diagnostics_new();
	fd = memfd_create("policy", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, config, strlen(config)) != (ssize_t)strlen(config))
		abort();
	policy = policy_load(path, NULL, diagnostics);
	resolver = resolver_open_zone(SLICE("example.net TXT \"v=spf1 -all\"\n"), "zone", &err);
	door_host_store = store_open(&(struct store_settings){.url = SLICE("memory:")}, &err);
	if (!policy || !resolver || !door_host_store) {
		fputs(diagnostics_print(diagnostics), stderr);
		abort();
	}
	close(fd);
	diagnostics_free(diagnostics);
	door_host_engine = engine_new(policy, resolver, NULL, &counters);
	engine_lend_store(door_host_engine, door_host_store);
	policy_release(policy);
	resolver_release(resolver);
	return &host;
}

/* Adds the entry to the dynamic list. */
static inline void door_host_list(const char *list, const char *entry)
{
	struct arena *arena = arena_new();
	struct list_member member;
	struct error err;
	bool was;

	if (list_add(policy_list_named(engine_policy(door_host_engine), slice_of(list)), door_host_store,
		     slice_of(entry), 0, arena, &member, &was, &err))
		abort();
	arena_free(arena);
}

#endif
