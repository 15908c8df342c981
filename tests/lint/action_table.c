/*
 * action_table.c - the section ALL ACTIONS: the class of each, its arguments, the stages at which it compiles, and an
 * example.
 */
#include "tables.h"
#include "action.h"

#include <stdio.h>

static const char *const class_names[] = {[ACTION_VERDICT] = "verdict", [ACTION_EDIT] = "edit", [ACTION_NOTE] = "note"};

static bool fits(const char *example, enum stage stage)
{
	char statement[EXAMPLE_MAX];

	snprintf(statement, sizeof(statement), "policy inbound {\non %s {\n%s\n}\n}", stage_names[stage], example);
	return statement_compiles(statement);
}

/* "connect helo mail". How many there are. */
static unsigned list_stages(const char *example, char *stages, size_t room)
{
	unsigned count = 0;
	size_t n = 0;

	stages[0] = '\0';
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
		if (!fits(example, stage))
			continue;
		n += (size_t)snprintf(stages + n, room - n, " %s", stage_names[stage]);
		count++;
	}
	return count;
}

static void print_action(const struct action *action)
{
	const char *example = action->example ? action->example : action->usage;
	char stages[EXAMPLE_MAX];
	unsigned count = list_stages(example, stages, sizeof(stages));

	if (count == 0)
		example_wrong(example, "compiles at no stage");
	printf(".It Li %s\n", action->name);
	printf("%s %s, ", action->class == ACTION_EDIT ? "an" : "a", class_names[action->class]);
	if (count == STAGE_COUNT)
		puts("at all stages:");
	else
		printf("at the stages\n.Cm%s :\n", stages);
	printf(".Li ");
	print_code(action->usage);
	putchar('\n');
	if (!action->example)
		return;
	printf(".br\nAs in\n.Li ");
	print_code(example);
	putchar('\n');
}

void actions_print(void)
{
	for (size_t i = 0; action_at(i); i++)
		print_action(action_at(i));
}
