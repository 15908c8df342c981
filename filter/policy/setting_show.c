/*
 * setting_show.c - what the settings are, and where each comes from: the statements of all files and what is preset, in
 * the syntax of the file, with the place in a comment.
 *
 * What the file says is shown as it says it. A block is shown key by key, since some of its keys may be preset. What
 * has no value is a comment.
 */
#include "setting_reader.h"

#include <stdio.h>
#include <string.h>

#define COMMENT_COLUMN 48

struct show {
	const struct compiler *compiler;
	FILE *out;
	int column;
	const struct setting_row *row;
	const struct setting_syntax *said; /* NULL: nothing */
	const char *base;                  /* of the struct of the block; NULL: it is not there any more */
};

static void put(struct show *show, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct show *show, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	show->column += vfprintf(show->out, format, arguments);
	va_end(arguments);
}

static void end_line(struct show *show)
{
	fputc('\n', show->out);
	show->column = 0;
}

static void end_with_place(struct show *show, struct place place)
{
	put(show, "%*s # %s:%u", show->column < COMMENT_COLUMN ? COMMENT_COLUMN - show->column : 0, "",
	    file_of(show->compiler, place), place.line);
	end_line(show);
}

static void end_with_preset(struct show *show)
{
	put(show, "%*s # preset", show->column < COMMENT_COLUMN ? COMMENT_COLUMN - show->column : 0, "");
	end_line(show);
}

static void put_words(struct show *show, struct run_of_words words)
{
	for (const struct word *word = words.first; words.count > 0; words.count--, word = word->next)
		put(show, word->kind == WORD_QUOTED ? " \"%.*s\"" : " %.*s", SLICE_ARGS(word->text));
}

/* ---- what nobody said ----------------------------------------------------------------------------- */

/* The word for a value without a preset; NULL: it has none. */
static const char *word_of(const struct setting_key *key, const char *base)
{
	static const char *const no_yes[] = {"no", "yes"};
	const char *const *words = key->words ? key->words : no_yes;
	int place = 0;

	if (key->count != SETTING_ONE || (key->type != SETTING_WORD && key->type != SETTING_BOOL))
		return NULL;
	if (base && key->type == SETTING_WORD)
		memcpy(&place, base + key->offset, sizeof(place));
	else if (base)
		place = *(const bool *)(base + key->offset);
	return words[place] && *words[place] ? words[place] : NULL;
}

/* A key that has no words after it, and is what counts. */
static bool is_chosen(const struct setting_key *key, const char *base)
{
	int chosen = 0;

	if (key->type != SETTING_CHOICE || !base)
		return false;
	memcpy(&chosen, base + key->offset, sizeof(chosen));
	return chosen == (int)key->least;
}

/* A key of a block that the file does not say. */
static void show_unsaid_key(struct show *show, const struct setting_key *key)
{
	bool presets = !show->said || !show->row->block->preset_only;
	const char *value = key->preset && presets ? key->preset : word_of(key, show->base);

	if (value)
		put(show, "    %s %s", key->name, value);
	else if (is_chosen(key, show->base))
		put(show, "    %s", key->name);
	else if (key->type == SETTING_CHOICE || key->group)
		return;
	else
		put(show, "    # %s is not set", key->name);
	if (value || is_chosen(key, show->base))
		end_with_preset(show);
	else
		end_line(show);
}

/* ---- blocks --------------------------------------------------------------------------------------- */

static void show_said_key(struct show *show, const struct setting_key *key)
{
	const struct setting_block *block = show->row->block;
	const struct word *word = show->said->inside.first;

	while (word) {
		const struct setting_key *found = setting_find_key(block, word);
		struct run_of_words values = setting_values_after(block, found, word);

		if (found == key) {
			put(show, "    %s", key->name);
			put_words(show, values);
			end_with_place(show, word->place);
		}
		for (word = values.first; values.count > 0; values.count--)
			word = word->next;
	}
}

static bool says(const struct setting_block *block, const struct word *word, const struct setting_key *key)
{
	while (word) {
		const struct setting_key *found = setting_find_key(block, word);
		struct run_of_words values = setting_values_after(block, found, word);

		if (found == key)
			return true;
		for (word = values.first; values.count > 0; values.count--)
			word = word->next;
	}
	return false;
}

static void show_braces(struct show *show)
{
	const struct setting_block *block = show->row->block;

	put(show, "%s", block->name);
	if (show->said)
		put_words(show, (struct run_of_words){show->said->values.first, show->said->values.count});
	put(show, " {");
	end_line(show);
	for (size_t i = 0; i < block->key_count; i++) {
		if (show->said && says(block, show->said->inside.first, &block->keys[i]))
			show_said_key(show, &block->keys[i]);
		else
			show_unsaid_key(show, &block->keys[i]);
	}
	put(show, "}");
	end_line(show);
}

/* Is the key accepted after these words? Only `listen milter` has engines. */
static bool fits_kind(const struct setting_block *block, const struct word *words, const struct setting_key *key)
{
	return !key->of_kind || !setting_says_kind(block, words) || slice_equal(words->text, slice_of(key->of_kind));
}

/* The keys come after the value, on its line. */
static void show_line(struct show *show)
{
	const struct setting_block *block = show->row->block;
	size_t takes = !block->value ? 0 : block->value->takes ? block->value->takes : 1;
	const struct word *words = show->said ? show->said->values.first : NULL, *keys = words;

	takes += setting_says_kind(block, keys);
	for (size_t i = 0; keys && i < takes; i++)
		keys = keys->next;
	put(show, "%s", block->name);
	if (show->said)
		put_words(show, (struct run_of_words){show->said->values.first, show->said->values.count});
	else
		put(show, " %s", block->value->preset);
	for (size_t i = 0; i < block->key_count; i++) {
		const struct setting_key *key = &block->keys[i];
		const char *value = key->preset ? key->preset : word_of(key, show->base);

		if (value && !says(block, keys, key) && fits_kind(block, words, key))
			put(show, " %s %s", key->name, value);
	}
	if (show->said)
		end_with_place(show, show->said->name.place);
	else
		end_with_preset(show);
}

/* Where the struct of the block is; the file says the block for the time `number`. */
static const char *base_of(const struct show *show, size_t number)
{
	const struct settings *settings = &show->compiler->policy->settings;
	const struct check_block *blocks;

	if (show->row->keep)
		return NULL;
	if (!show->row->check)
		return (const char *)settings + show->row->key.offset;
	blocks = &settings->check.blocks[check_number(show->row->check)];
	return number < blocks->count ? (const char *)blocks->first + number * show->row->block->size : NULL;
}

/* Is there nothing that the block could say without a statement in the file? */
static bool is_only_said(const struct setting_block *block)
{
	for (size_t i = 0; i < block->key_count; i++)
		if (block->keys[i].required)
			return true;
	return block->value ? !block->value->preset : block->repeats;
}

static void show_block(struct show *show, size_t number)
{
	const struct setting_block *block = show->row->block;
	bool nothing = !show->said && is_only_said(block);

	show->base = base_of(show, number);
	if (nothing)
		fprintf(show->out, "# %s is not set\n", block->name);
	else if (block->line)
		show_line(show);
	else
		show_braces(show);
}

/* ---- values --------------------------------------------------------------------------------------- */

static void show_said_value(struct show *show)
{
	const struct setting_syntax *said = show->said;

	put(show, "%s", show->row->key.name);
	put_words(show, (struct run_of_words){said->values.first, said->values.count});
	if (said->braces) {
		put(show, " {");
		put_words(show, (struct run_of_words){said->inside.first, said->inside.count});
		put(show, " }");
	}
	end_with_place(show, said->name.place);
}

static void show_unsaid_value(struct show *show)
{
	const struct setting_key *key = &show->row->key;
	const char *base = (const char *)&show->compiler->policy->settings;
	const char *value = key->preset ? key->preset : word_of(key, base);
	bool braces = key->count == SETTING_MANY;

	if (key->read == setting_read_authserv_id)
		value =
		    arena_cstring(show->compiler->policy->arena, show->compiler->policy->settings.check.authserv_id);
	if (!value) {
		fprintf(show->out, "# %s is not set\n", key->name);
		return;
	}
	put(show, braces ? "%s { %s }" : "%s %s", key->name, value);
	end_with_preset(show);
}

void settings_show(const struct compiler *compiler, const struct setting_row *rows, size_t count,
		   const struct file_syntax *file)
{
	for (size_t i = 0; i < count; i++) {
		struct show show = {.compiler = compiler, .out = compiler->effective, .row = &rows[i]};
		size_t number = 0;

		if (rows[i].block == &test_block)
			continue;
		for (const struct setting_syntax *said = file->first_setting; said; said = said->next) {
			if (!slice_equal(said->name.text, slice_of(rows[i].key.name)))
				continue;
			show.said = said;
			if (rows[i].block)
				show_block(&show, number);
			else
				show_said_value(&show);
			number++;
		}
		show.said = NULL;
		if (number == 0 && rows[i].block)
			show_block(&show, 0);
		else if (number == 0)
			show_unsaid_value(&show);
	}
}
