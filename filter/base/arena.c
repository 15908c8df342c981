/*
 * arena.c - the memory of one session or one message, freed in one step.
 *
 * An arena is a list of blocks. Pieces are cut off the newest ordinary block;
 * when it is used up, the next is twice as big, from ARENA_FIRST (an idle
 * session must cost little) up to ARENA_BLOCK, or as big as arena_expect said.
 * A piece too big for that gets a block of its own, and the ordinary block stays
 * in use. The first block is allocated with the first piece: an unused arena
 * costs almost nothing. A reset keeps only the first block, so one huge message does
 * not hold its memory forever.
 *
 * Blocks of ARENA_BLOCK, which nearly every message takes, are pages of their own. A few that nobody uses are kept for
 * the next message, and the others go back to the system: what many messages took at a time is not held by
 * what was allocated between their blocks and lives longer.
 *
 * Under AddressSanitizer, unused memory is poisoned and there are gaps between
 * pieces, so an overrun inside a block is detected like an overrun of malloc'ed memory.
 *
 * An arena can own what a C library allocated for a message; it is released when
 * the arena is reset or freed.
 */
#include "base.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define ARENA_GAP   16
#define ARENA_PAGES false /* the search for leaks does not look into them */
#else
#define ARENA_GAP   0
#define ARENA_PAGES true
#endif

#define ARENA_FIRST 352               /* what an idle session needs: its budget of questions to the DNS */
#define ARENA_BLOCK (64 * 1024)       /* with this size, the cost of malloc is too small to measure */
#define ARENA_SPARE 16                /* blocks that are kept; more messages than this rarely begin or end together */
#define ARENA_LARGE (ARENA_BLOCK / 4) /* a piece of at least this size would waste too much of a block */
#define ALIGNMENT   _Alignof(max_align_t)

struct block {
	struct block *next; /* older */
	size_t size, used;  /* of bytes */
	_Alignas(max_align_t) char bytes[];
};

/* Foreign memory that is released with the arena; this struct is in the arena itself. */
struct ward {
	struct ward *next;
	void *what;
	void (*release)(void *);
};

struct arena {
	struct block *blocks; /* ordinary ones, the newest first; NULL before the first piece */
	struct block *large;  /* blocks of one large piece each */
	struct ward *wards;   /* the newest first */
	size_t next;          /* size of the next ordinary block */
	size_t used;
};

/* Of ARENA_BLOCK bytes, the latest used first: its pages are in the caches of the processor. */
static struct {
	pthread_mutex_t lock;
	struct block *list;
	unsigned count;
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define PAGES_SIZE (sizeof(struct block) + ARENA_BLOCK)

static struct block *pages_take(void)
{
	struct block *block;
	void *pages;

	pthread_mutex_lock(&spare.lock);
	block = spare.list;
	if (block) {
		spare.list = block->next;
		spare.count--;
	}
	pthread_mutex_unlock(&spare.lock);
	if (block)
		return block;
	pages = mmap(NULL, PAGES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return pages == MAP_FAILED ? NULL : pages;
}

static void pages_give(struct block *block)
{
	bool kept;

	pthread_mutex_lock(&spare.lock);
	kept = spare.count < ARENA_SPARE;
	if (kept) {
		block->next = spare.list;
		spare.list = block;
		spare.count++;
	}
	pthread_mutex_unlock(&spare.lock);
	if (!kept)
		munmap(block, PAGES_SIZE);
}

static struct block *block_new(size_t size, struct block *next)
{
	struct block *block = NULL;

	if (ARENA_PAGES && size == ARENA_BLOCK)
		block = pages_take();
	else if (size <= SIZE_MAX - sizeof(*block))
		block = malloc(sizeof(*block) + size);
	if (!block)
		die("out of memory: %zu bytes requested", size);
	block->next = next;
	block->size = size;
	block->used = 0;
	ASAN_POISON_MEMORY_REGION(block->bytes, size);
	return block;
}

static void block_free(struct block *block)
{
	ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
	if (ARENA_PAGES && block->size == ARENA_BLOCK)
		pages_give(block);
	else
		free(block);
}

struct arena *arena_new(void)
{
	struct arena *arena = malloc(sizeof(*arena));

	if (!arena)
		die("out of memory: %zu bytes requested", sizeof(*arena));
	*arena = (struct arena){.next = ARENA_FIRST};
	return arena;
}

/* The bytes of a block that a piece of n bytes takes. */
static size_t room_for(size_t n)
{
	return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ARENA_GAP;
}

void arena_expect(struct arena *arena, size_t n)
{
	n = n < ARENA_BLOCK / 2 ? room_for(n) : ARENA_BLOCK; /* pages that are not touched cost nothing */
	if (arena->next < n)
		arena->next = n;
}

static void blocks_free(struct block *block)
{
	while (block) {
		struct block *older = block->next;

		block_free(block);
		block = older;
	}
}

void arena_reset(struct arena *arena)
{
	struct block *first = arena->blocks;

	for (; arena->wards; arena->wards = arena->wards->next)
		arena->wards->release(arena->wards->what);
	while (first && first->next) {
		struct block *older = first->next;

		block_free(first);
		first = older;
	}
	blocks_free(arena->large);
	if (first) {
		first->used = 0;
		ASAN_POISON_MEMORY_REGION(first->bytes, first->size);
	}
	*arena = (struct arena){.blocks = first, .next = first ? 2 * ARENA_FIRST : ARENA_FIRST};
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	arena_reset(arena);
	blocks_free(arena->blocks);
	free(arena);
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

static size_t room_left(const struct arena *arena)
{
	return arena->blocks ? arena->blocks->size - arena->blocks->used : 0;
}

/* A new block for a piece that does not fit the newest one. */
static struct block *block_add(struct arena *arena, size_t room)
{
	if (room >= ARENA_LARGE) {
		arena->large = block_new(room, arena->large);
		return arena->large;
	}
	while (arena->next < room)
		arena->next *= 2;
	arena->blocks = block_new(arena->next, arena->blocks);
	arena->next = arena->next * 2 < ARENA_BLOCK ? arena->next * 2 : ARENA_BLOCK;
	return arena->blocks;
}

void *arena_raw(struct arena *arena, size_t n)
{
	struct block *block = arena->blocks;
	size_t room;
	char *piece;

	if (n > SIZE_MAX / 2)
		die("out of memory: %zu bytes requested", n);
	room = room_for(n);
	if (!block || block->size - block->used < room)
		block = block_add(arena, room);
	piece = block->bytes + block->used;
	block->used += room;
	arena->used += room;
	ASAN_UNPOISON_MEMORY_REGION(piece, n);
	return piece;
}

void *arena_alloc(struct arena *arena, size_t n)
{
	return memset(arena_raw(arena, n), 0, n);
}

void arena_own(struct arena *arena, void *what, void (*release)(void *))
{
	struct ward *ward = arena_alloc(arena, sizeof(*ward));

	*ward = (struct ward){arena->wards, what, release};
	arena->wards = ward;
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
	if (text.n == 0)
		return SLICE("");
	return (struct slice){memcpy(arena_raw(arena, text.n), text.p, text.n), text.n};
}

struct slice arena_join_parts(struct arena *arena, const struct slice *parts, size_t count)
{
	size_t n = 0;
	char *text, *end;

	for (size_t i = 0; i < count; i++)
		n += parts[i].n;
	text = end = arena_raw(arena, n);
	for (size_t i = 0; i < count; i++)
		if (parts[i].n > 0)
			end = mempcpy(end, parts[i].p, parts[i].n);
	return (struct slice){text, n};
}

char *arena_cstring(struct arena *arena, struct slice text)
{
	char *copy = arena_raw(arena, text.n + 1);

	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return copy;
}

struct slice arena_lower(struct arena *arena, struct slice text)
{
	char *copy;

	if (text.n == 0)
		return SLICE("");
	copy = arena_raw(arena, text.n);
	for (size_t i = 0; i < text.n; i++)
		copy[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] | 0x20) : text.p[i];
	return (struct slice){copy, text.n};
}

/* Most texts fit the rest of the block and are printed there at once; the others are printed a second time. */
struct slice arena_printf(struct arena *arena, const char *format, ...)
{
	size_t left = room_left(arena) > ARENA_GAP ? room_left(arena) - ARENA_GAP : 0;
	char *text = left > 0 ? arena->blocks->bytes + arena->blocks->used : NULL;
	va_list arguments;
	int n;

	ASAN_UNPOISON_MEMORY_REGION(text, left);
	va_start(arguments, format);
	n = vsnprintf(text, left, format, arguments);
	va_end(arguments);
	ASAN_POISON_MEMORY_REGION(text, left);
	if (n < 0)
		die("a text cannot be formatted, or is over 2 GB");
	text = arena_raw(arena, (size_t)n + 1);
	if ((size_t)n < left) /* the text fits: take the piece it was printed to */
		return (struct slice){text, (size_t)n};
	va_start(arguments, format);
	vsnprintf(text, (size_t)n + 1, format, arguments);
	va_end(arguments);
	return (struct slice){text, (size_t)n};
}

void *xmalloc(size_t n)
{
	void *p = calloc(1, n > 0 ? n : 1);

	if (!p)
		die("out of memory: %zu bytes requested", n);
	return p;
}

void *xrealloc(void *old, size_t n)
{
	void *p = realloc(old, n > 0 ? n : 1);

	if (!p)
		die("out of memory: %zu bytes requested", n);
	return p;
}

char *xstrdup(const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(xmalloc(n), text, n);
}

/* _exit, because other threads still run and use what atexit handlers would free. */
static int die_code = 70; /* EX_SOFTWARE of sysexits(3) */

void die_with(int code)
{
	die_code = code;
}

void die(const char *format, ...)
{
	char line[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "sekisho: %s\n", line);
	_exit(die_code);
}
