/*
 * setting_block.c - reads values and blocks by their rows: first what is preset, then what the file says.
 *
 * Each kind of mistake has one message, whatever the block. Presets go through the same functions as the file, so
 * that no default is outside of its own limits.
 */
#include "setting_reader.h"

#include <stdio.h>

/* A block that is being read. */
struct block_reader {
	struct setting_reader *reader;
	const struct setting_block *block;
	char *base;
	const struct word *said[SETTING_KEYS_MAX]; /* where each key was said last; NULL: not in the file */
	uint64_t read;                             /* bit n: keys[n] was read, be it as a preset */
};

static struct arena *arena_of(const struct block_reader *block)
{
	return block->reader->arena;
}

const char *setting_file(const struct setting_reader *reader)
{
	return file_of(reader->compiler, reader->said ? reader->said->name.place : (struct place){0});
}

static int wrong(const struct block_reader *block, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int wrong(const struct block_reader *block, struct place place, const char *format, ...)
{
	char what[DIAGNOSTIC_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (block->reader->preset)
		die("a preset of %s is wrong: %s", block->block->name, what);
	diagnostics_error(block->reader->compiler->diagnostics, place, "%s", what);
	return -1;
}

struct words setting_words(struct slice text, struct arena *arena)
{
	struct words words = {0};
	struct slice part;

	while (slice_word(&text, &part)) {
		struct word *word = arena_alloc(arena, sizeof(*word));

		word->text = part;
		if (words.last)
			words.last->next = word;
		else
			words.first = word;
		words.last = word;
		words.count++;
	}
	return words;
}

/* ---- items ----------------------------------------------------------------------------------------- */

/* The shape of every SETTING_ITEMS. */
struct items {
	const void *items;
	size_t count;
};

/* Room for one more item of the list. The room is a power of two. */
static void *add_item(struct block_reader *block, const struct setting_key *key)
{
	size_t size = setting_item_size(key), room = 4;
	char *member = block->base + key->offset, *items;
	struct items list;

	memcpy(&list, member, sizeof(list));
	while (room <= list.count)
		room *= 2;
	items = (char *)list.items;
	if (list.count == 0 || list.count * 2 == room) {
		items = arena_alloc(arena_of(block), room * size);
		if (list.count)
			memcpy(items, list.items, list.count * size);
	}
	list = (struct items){items, list.count + 1};
	memcpy(member, &list, sizeof(list));
	return items + (list.count - 1) * size;
}

static bool is_list(const struct setting_key *key)
{
	return key->count != SETTING_ONE && !(key->type == SETTING_OWN && key->size == 0);
}

static const char *name_of(const struct block_reader *block, const struct setting_key *key)
{
	return key->name ? key->name : block->block->name;
}

static int wrong_item(struct block_reader *block, const struct setting_key *key, const struct word *word,
		      const struct error *err)
{
	struct slice usage = setting_usage(key, arena_of(block));

	if (word_has_comma(word))
		return wrong(block, word->place, "\"%s\" has a comma in it; " COMMA_ADVICE, QUOTE(word->text));
	if (err->text[0])
		return wrong(block, word->place, "%s; write %.*s", err->text, SLICE_ARGS(usage));
	return wrong(block, word->place, "%s cannot %s \"%s\"; write %.*s", name_of(block, key),
		     key->count == SETTING_MANY ? "contain" : "be", QUOTE(word->text), SLICE_ARGS(usage));
}

/* One item out of the words; they are copied, as items may keep them. */
static int read_item(struct block_reader *block, const struct setting_key *key, struct run_of_words said)
{
	struct slice *words = arena_alloc(arena_of(block), (said.count + 1) * sizeof(*words));
	struct setting_told told = {.words = words,
				    .count = said.count,
				    .arena = arena_of(block),
				    .file = setting_file(block->reader),
				    .block = block->block};
	void *item = is_list(key) ? add_item(block, key) : block->base + key->offset;
	const struct word *word = said.first;
	struct error err;

	for (size_t i = 0; i < said.count; i++, word = word->next)
		words[i] = arena_copy(arena_of(block), word_value(word, arena_of(block)));
	if (setting_read_item(key, block->reader->compiler->policy, &told, item, &err) == 0)
		return 0;
	word = said.first;
	for (size_t i = 0; i < told.wrong; i++)
		word = word->next;
	return wrong_item(block, key, word, &err);
}

static int check_room(struct block_reader *block, const struct setting_key *key, const struct word *word)
{
	struct items list;

	if (!is_list(key) || !key->most_items)
		return 0;
	memcpy(&list, block->base + key->offset, sizeof(list));
	if (list.count < key->most_items)
		return 0;
	return wrong(block, word->place, "%s has more than %zu values; remove some", name_of(block, key),
		     key->most_items);
}

/* The words as items. `at`: the key or the name of the setting. */
static int read_items(struct block_reader *block, const struct setting_key *key, const struct word *at,
		      struct run_of_words said)
{
	size_t takes = key->takes == SETTING_REST ? said.count : key->takes ? key->takes : 1;

	if (said.count == 0 || said.count % takes)
		return wrong(block, at->place, "%s has %s; write %.*s", name_of(block, key),
			     said.count ? "too few values" : "no value",
			     SLICE_ARGS(setting_usage(key, arena_of(block))));
	while (said.count > 0) {
		if (check_room(block, key, said.first) ||
		    read_item(block, key, (struct run_of_words){said.first, takes}))
			return -1;
		for (size_t i = 0; i < takes; i++)
			said.first = said.first->next;
		said.count -= takes;
	}
	return 0;
}

/* ---- keys ------------------------------------------------------------------------------------------ */

const struct setting_key *setting_find_key(const struct setting_block *block, const struct word *word)
{
	for (size_t i = 0; word->kind == WORD_PLAIN && i < block->key_count; i++)
		if (slice_equal(word->text, slice_of(block->keys[i].name)))
			return &block->keys[i];
	return NULL;
}

/* "timeout, dnssec and cache" */
static struct slice key_names(const struct block_reader *block)
{
	size_t count = block->block->key_count;
	struct text text;

	text_init(&text, arena_of(block), DIAGNOSTIC_TEXT_MAX / 2);
	for (size_t i = 0; i < count; i++)
		text_printf(&text, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " and ", block->block->keys[i].name);
	return text_slice(&text);
}

static int unknown_key(const struct block_reader *block, const struct word *word)
{
	const char *names[SETTING_KEYS_MAX + 1] = {NULL};

	for (size_t i = 0; i < block->block->key_count; i++)
		names[i] = block->block->keys[i].name;
	if (block->block->key_count == 0)
		return wrong(block, word->place, "%s takes one value; write %.*s", block->block->name,
			     SLICE_ARGS(setting_usage(block->block->value, arena_of(block))));
	if (nearest_word(word->text, names))
		return wrong(block, word->place, "%s has no key \"%s\"; %s", block->block->name, QUOTE(word->text),
			     suggestion(word->text, names).text);
	return wrong(block, word->place, "%s has no key \"%s\"; its keys are %.*s", block->block->name,
		     QUOTE(word->text), SLICE_ARGS(key_names(block)));
}

/* Said before, it or one that it excludes? */
static int check_once(struct block_reader *block, const struct setting_key *key, const struct word *word)
{
	const struct setting_key *keys = block->block->keys;
	const struct word *before = block->said[key - keys];

	if (before && key->count == SETTING_ONE)
		return wrong(block, word->place, "%s is set already in line %u; remove one of them", key->name,
			     before->place.line);
	for (size_t i = 0; key->group && i < block->block->key_count; i++) {
		if (&keys[i] != key && block->said[i] && keys[i].group && strcmp(keys[i].group, key->group) == 0)
			return wrong(block, word->place, "%s excludes %s in line %u; keep one of them", key->name,
				     keys[i].name, block->said[i]->place.line);
	}
	return 0;
}

struct run_of_words setting_values_after(const struct setting_block *block, const struct setting_key *key,
					 const struct word *word)
{
	bool all = key->count == SETTING_MANY || key->takes == SETTING_REST;
	size_t most = all ? SIZE_MAX : key->type == SETTING_CHOICE ? 0 : key->takes ? key->takes : 1;
	struct run_of_words run = {word->next, 0};

	for (const struct word *value = word->next; value && run.count < most; value = value->next) {
		if (all && setting_find_key(block, value))
			break;
		run.count++;
	}
	return run;
}

/* A list that is said takes the place of the preset one. */
static void begin_key(struct block_reader *block, const struct setting_key *key, const struct word *word)
{
	size_t number = (size_t)(key - block->block->keys);

	if (!block->reader->preset && !block->said[number] && is_list(key))
		memset(block->base + key->offset, 0, sizeof(struct items));
	if (!block->reader->preset)
		block->said[number] = word;
	block->read |= 1ull << number;
}

static int read_key(struct block_reader *block, const struct setting_key *key, const struct word *word,
		    struct run_of_words values)
{
	begin_key(block, key, word);
	if (key->type != SETTING_CHOICE)
		return read_items(block, key, word, values);
	*(int *)(block->base + key->offset) = (int)key->least;
	return 0;
}

static int read_keys(struct block_reader *block, const struct word *word)
{
	while (word) {
		const struct setting_key *key = setting_find_key(block->block, word);
		struct run_of_words values;

		if (!key)
			return unknown_key(block, word);
		values = setting_values_after(block->block, key, word);
		if (check_once(block, key, word) || read_key(block, key, word, values))
			return -1;
		for (word = values.first; values.count > 0; values.count--)
			word = word->next;
	}
	return 0;
}

static int check_required(const struct block_reader *block)
{
	for (size_t i = 0; i < block->block->key_count; i++) {
		const struct setting_key *key = &block->block->keys[i];

		if (key->required && !(block->read >> i & 1))
			return wrong(block, block->reader->said->name.place, "%s has no %s; write %s%s%.*s",
				     block->block->name, key->name, key->usage ? "" : key->name,
				     key->usage ? "" : " and ", SLICE_ARGS(setting_usage(key, arena_of(block))));
	}
	return 0;
}

static void read_presets(struct block_reader *block)
{
	bool preset = block->reader->preset;

	block->reader->preset = true;
	for (size_t i = 0; i < block->block->key_count; i++) {
		const struct setting_key *key = &block->block->keys[i];
		struct words words = setting_words(slice_of(key->preset), arena_of(block));

		if (key->preset)
			read_key(block, key, words.first, (struct run_of_words){words.first, words.count});
	}
	block->reader->preset = preset;
}

/* ---- blocks ---------------------------------------------------------------------------------------- */

bool setting_says_kind(const struct setting_block *block, const struct word *word)
{
	for (size_t i = 0; block->kind && word && block->kind->words[i]; i++)
		if (word->kind == WORD_PLAIN && slice_equal(word->text, slice_of(block->kind->words[i])))
			return true;
	return false;
}

/* What comes before the keys, and how the keys are enclosed. Their first word; NULL when there is none. */
static int read_head(struct block_reader *block, const struct word **keys_r)
{
	const struct setting_syntax *said = block->reader->said;
	const struct setting_key *value = block->block->value;
	size_t takes = !value ? 0 : value->takes ? value->takes : 1, count = said->values.count;
	const struct word *rest = said->values.first;

	if (setting_says_kind(block->block, rest)) {
		if (read_items(block, block->block->kind, &said->name, (struct run_of_words){rest, 1}))
			return -1;
		rest = rest->next;
		count--;
	}
	if (value && read_items(block, value, &said->name, (struct run_of_words){rest, count < takes ? count : takes}))
		return -1;
	for (size_t i = 0; i < takes; i++)
		rest = rest->next;
	*keys_r = block->block->line ? rest : said->inside.first;
	if (block->block->line && said->braces)
		return wrong(block, said->name.place, "%s takes no { }; write its keys on the same line",
			     block->block->name);
	if (!block->block->line && rest)
		return wrong(block, rest->place, "\"%s\" is not expected here; write the keys of %s in { }",
			     QUOTE(rest->text), block->block->name);
	if (!block->block->line && !said->braces)
		return wrong(block, said->name.place, "%s has no { }; write its keys in it: %.*s", block->block->name,
			     SLICE_ARGS(key_names(block)));
	return 0;
}

static int finish(struct block_reader *block)
{
	const struct setting_syntax *said = block->reader->said;
	struct place place = said ? said->name.place : (struct place){0};
	struct setting_told told = {
	    .arena = arena_of(block), .file = setting_file(block->reader), .block = block->block};
	struct error err = {""};

	for (size_t i = 0; i < block->block->key_count; i++)
		told.said |= block->said[i] ? 1ull << i : 0;
	if (!block->block->finish || block->block->finish(block->base, &told, &err) == 0)
		return 0;
	for (size_t i = 0; told.key && i < block->block->key_count; i++)
		if (block->said[i] && strcmp(block->block->keys[i].name, told.key) == 0)
			place = block->said[i]->next ? block->said[i]->next->place : block->said[i]->place;
	return wrong(block, place, "%s", err.text);
}

int setting_read_block(struct setting_reader *reader, const struct setting_block *described, void *base)
{
	struct block_reader block = {.reader = reader, .block = described, .base = base};
	const struct word *keys;

	if (!reader->said || !described->preset_only)
		read_presets(&block);
	if (reader->said && (read_head(&block, &keys) || read_keys(&block, keys) || check_required(&block)))
		return -1;
	return finish(&block);
}

/* ---- values ---------------------------------------------------------------------------------------- */

/* Values of a list are in { }, unless all of them are read at once: then { } and a single word both do. */
int setting_read_value(struct setting_reader *reader)
{
	const struct setting_key *key = &reader->row->key;
	const struct setting_block alone = {.name = key->name};
	struct block_reader block = {.reader = reader, .block = &alone, .base = (char *)reader->settings};
	const struct setting_syntax *said = reader->said;
	bool many = key->count == SETTING_MANY, rest = key->takes == SETTING_REST;
	const struct words *words = said->braces ? &said->inside : &said->values;
	struct slice usage = setting_usage(key, reader->arena);

	if (is_list(key))
		memset(block.base + key->offset, 0, sizeof(struct items));
	if (said->braces && !many && !rest)
		return wrong(&block, said->name.place, "%s takes no { }; write %.*s", key->name, SLICE_ARGS(usage));
	if (many && (said->values.count || !said->braces))
		return wrong(&block, said->name.place, "the values of %s are written in { }; write %s { } with %.*s",
			     key->name, key->name, SLICE_ARGS(usage));
	if (!many && (said->values.count > 1 || (said->braces && said->values.count)))
		return wrong(&block, said->braces ? said->values.first->place : said->values.first->next->place,
			     "%s takes one value; write %.*s", key->name, SLICE_ARGS(usage));
	if (many && words->count == 0)
		return 0;
	return read_items(&block, key, &said->name, (struct run_of_words){words->first, words->count});
}
