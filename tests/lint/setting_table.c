/*
 * setting_table.c - the section ALL SETTINGS: every row of the settings and every key of the blocks with what can be
 * written, how often, what is preset, and an example.
 */
#include "tables.h"
#include "setting_reader.h"

#include <stdio.h>

static struct arena *arena;

/* ---- examples ------------------------------------------------------------------------ */

/* A value that can be written: for yes and no the one that is not preset, else what is preset, or the first word. */
static const char *value_of(const struct setting_key *key)
{
	static const char *const no_yes[] = {"no", "yes", NULL};
	const char *const *words = key->words ? key->words : key->type == SETTING_BOOL ? no_yes : NULL;

	if (key->type == SETTING_CHOICE)
		return "";
	if (key->type == SETTING_BOOL)
		return key->preset && strcmp(key->preset, words[1]) == 0 ? words[0] : words[1];
	if (key->preset || !words)
		return key->preset;
	return *words[0] ? words[0] : words[1];
}

/* An example of a key, or of the value before the keys of a block. "": none can be made. */
static void make_example(const struct setting_row *row, const struct setting_key *key, char *example, size_t room)
{
	const char *value = value_of(key);
	bool many = key->count == SETTING_MANY || key->takes == SETTING_REST;

	if (key->example)
		snprintf(example, room, "%s", key->example);
	else if (!value || (row->block && (row->block->value || row->block->line)))
		example[0] = '\0';
	else if (row->block)
		snprintf(example, room, "%s { %s%s%s }", row->key.name, key->name, *value ? " " : "", value);
	else
		snprintf(example, room, many ? "%s { %s }" : "%s %s", row->key.name, value);
}

static void print_example(const struct setting_row *row, const struct setting_key *key)
{
	char example[EXAMPLE_MAX];

	make_example(row, key, example, sizeof(example));
	if (!*example) {
		example_wrong(key->name ? key->name : row->key.name, "is missing; write .example in its row");
		return;
	}
	statement_check(example);
	printf(".br\nAs in\n.Li ");
	print_code(example);
	putchar('\n');
}

/* ---- rows ----------------------------------------------------------------------------- */

/* The others of its group. */
static void print_group(const struct setting_block *block, const struct setting_key *key)
{
	bool first = true;

	for (size_t i = 0; key->group && i < block->key_count; i++) {
		const struct setting_key *other = &block->keys[i];

		if (other == key || !other->group || strcmp(other->group, key->group) != 0)
			continue;
		printf("%s%s", first ? ".br\nNot with:\n.Li " : " ", other->name);
		first = false;
	}
	if (!first)
		putchar('\n');
}

/* How often it may be said, and whether it must be. */
static void print_count(const struct setting_key *key)
{
	if (key->required)
		puts(".br\nRequired.");
	if (key->count == SETTING_MANY)
		puts(".br\nSeveral values may be written.");
	if (key->count == SETTING_EACH)
		puts(".br\nMay be written several times.");
	if (key->most_items)
		printf(".br\nAt most %zu.\n", key->most_items);
}

static void print_value(const struct setting_key *key)
{
	print_text(arena_cstring(arena, setting_usage(key, arena)));
	print_count(key);
	if (!key->preset)
		return;
	printf(".br\nPreset:\n.Li ");
	print_code(key->preset);
	putchar('\n');
}

static void print_keys(const struct setting_row *row)
{
	const struct setting_block *block = row->block;

	for (size_t i = 0; i < block->key_count; i++) {
		printf(".It Li %s %s\n", row->key.name, block->keys[i].name);
		print_value(&block->keys[i]);
		print_group(block, &block->keys[i]);
		print_example(row, &block->keys[i]);
	}
}

static void print_kind(const struct setting_key *kind)
{
	printf(".br\nA word may come before it:\n.Li");
	for (size_t i = 0; kind->words[i]; i++)
		printf(" %s", kind->words[i]);
	putchar('\n');
}

static void print_row(const struct setting_row *row)
{
	const struct setting_key *value = row->block ? row->block->value : &row->key;

	if (value) {
		printf(".It Li %s\n", row->key.name);
		print_value(value);
		if (row->block && row->block->kind)
			print_kind(row->block->kind);
		if (row->block && row->block->repeats)
			puts(".br\nMay be written several times.");
		print_example(row, value);
	}
	if (row->block)
		print_keys(row);
}

void settings_print(void)
{
	struct setting_row row;

	arena = arena_new();
	for (size_t i = 0; setting_row_at(i, &row); i++)
		print_row(&row);
	arena_free(arena);
}
