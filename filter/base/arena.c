/*
 * arena.c - the memory of one session or one message, freed as a whole.
 *
 * An arena is a list of blocks. Pieces are cut off the newest ordinary block;
 * when it is used up, the next is twice as big, from ARENA_FIRST (an idle
 * session must cost little) up to ARENA_BLOCK. A piece too big for that gets a
 * block of its own, and the ordinary block stays in use. Reset keeps the first
 * block alone, so that one huge message is not paid for ever after.
 *
 * Under AddressSanitizer what is not handed out is poisoned and pieces stand
 * apart, so that an overrun inside a block is seen as one of malloc'ed memory is.
 *
 * What a C library allocated for a message can be entrusted to its arena; it is
 * let go when the arena is emptied.
 */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#define ARENA_GAP 16
#else
#define ARENA_GAP 0
#endif

#define ARENA_FIRST 2048              /* with the arena and malloc's own bytes well under a page */
#define ARENA_BLOCK (64 * 1024)       /* malloc's share of the cost is then too small to measure */
#define ARENA_OWN   (ARENA_BLOCK / 4) /* a piece from this size on would waste too much of a block */
#define ALIGNMENT   _Alignof(max_align_t)

struct block {
	struct block *next; /* older */
	size_t size, used;  /* of bytes */
	_Alignas(max_align_t) char bytes[];
};

/* Somebody else's memory that goes when the arena does; lies in the arena itself. */
struct ward {
	struct ward *next;
	void *what;
	void (*release)(void *);
};

struct arena {
	struct block *blocks; /* ordinary ones, the newest first */
	struct block *own;    /* those of one big piece each */
	struct ward *wards;   /* the newest first */
	size_t used;
};

static struct block *block_new(size_t size, struct block *next)
{
	struct block *block = size <= SIZE_MAX - sizeof(*block) ? malloc(sizeof(*block) + size) : NULL;

	if (!block)
		die("out of memory: %zu bytes wanted", size);
	block->next = next;
	block->size = size;
	block->used = 0;
	ASAN_POISON_MEMORY_REGION(block->bytes, size);
	return block;
}

static void block_free(struct block *block)
{
	ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
	free(block);
}

struct arena *arena_new(void)
{
	struct arena *arena = xmalloc(sizeof(*arena));

	arena->blocks = block_new(ARENA_FIRST, NULL);
	return arena;
}

void arena_reset(struct arena *arena)
{
	struct block *first = arena->blocks;

	for (; arena->wards; arena->wards = arena->wards->next)
		arena->wards->release(arena->wards->what);
	while (first->next) {
		struct block *older = first->next;

		block_free(first);
		first = older;
	}
	while (arena->own) {
		struct block *older = arena->own->next;

		block_free(arena->own);
		arena->own = older;
	}
	first->used = 0;
	ASAN_POISON_MEMORY_REGION(first->bytes, first->size);
	arena->blocks = first;
	arena->used = 0;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	arena_reset(arena);
	block_free(arena->blocks);
	free(arena);
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

/* The block that has `room` bytes left, `room` being a multiple of ALIGNMENT. */
static struct block *block_for(struct arena *arena, size_t room)
{
	size_t size;

	if (arena->blocks->size - arena->blocks->used >= room)
		return arena->blocks;
	if (room >= ARENA_OWN) {
		arena->own = block_new(room, arena->own);
		return arena->own;
	}
	size = arena->blocks->size * 2 < ARENA_BLOCK ? arena->blocks->size * 2 : ARENA_BLOCK;
	while (size < room)
		size *= 2;
	arena->blocks = block_new(size, arena->blocks);
	return arena->blocks;
}

void *arena_alloc(struct arena *arena, size_t n)
{
	size_t room;
	struct block *block;
	char *piece;

	if (n > SIZE_MAX / 2)
		die("out of memory: %zu bytes wanted", n);
	room = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ARENA_GAP;
	block = block_for(arena, room);
	piece = block->bytes + block->used;
	block->used += room;
	arena->used += room;
	ASAN_UNPOISON_MEMORY_REGION(piece, n);
	memset(piece, 0, n);
	return piece;
}

void arena_own(struct arena *arena, void *what, void (*release)(void *))
{
	struct ward *ward = arena_alloc(arena, sizeof(*ward));

	*ward = (struct ward){arena->wards, what, release};
	arena->wards = ward;
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
	char *copy;

	if (text.n == 0)
		return SLICE("");
	copy = arena_alloc(arena, text.n);
	memcpy(copy, text.p, text.n);
	return (struct slice){copy, text.n};
}

char *arena_cstring(struct arena *arena, struct slice text)
{
	char *copy = arena_alloc(arena, text.n + 1);

	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

struct slice arena_lower(struct arena *arena, struct slice text)
{
	char *copy;

	if (text.n == 0)
		return SLICE("");
	copy = arena_alloc(arena, text.n);
	for (size_t i = 0; i < text.n; i++)
		copy[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] | 0x20) : text.p[i];
	return (struct slice){copy, text.n};
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	int n;
	char *text;

	va_start(arguments, format);
	n = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (n < 0)
		die("a text cannot be formatted, or is over 2 GB");
	text = arena_alloc(arena, (size_t)n + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)n + 1, format, arguments);
	va_end(arguments);
	return (struct slice){text, (size_t)n};
}

void *xmalloc(size_t n)
{
	void *p = calloc(1, n > 0 ? n : 1);

	if (!p)
		die("out of memory: %zu bytes wanted", n);
	return p;
}

void *xrealloc(void *old, size_t n)
{
	void *p = realloc(old, n > 0 ? n : 1);

	if (!p)
		die("out of memory: %zu bytes wanted", n);
	return p;
}

char *xstrdup(const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(xmalloc(n), text, n);
}

/* _exit, because other threads may be anywhere: what atexit would tidy up is still in use by them. */
void die(const char *format, ...)
{
	char line[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "sekisho: %s\n", line);
	_exit(70);
}
