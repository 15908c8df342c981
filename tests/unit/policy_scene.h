/*
 * policy_scene.h - a policy and a message at a stage, for tests of what rules decide. Facts
 * that need the DNS are put into the memo, as if they had been computed.
 */
#ifndef SEKISHO_TEST_POLICY_SCENE_H
#define SEKISHO_TEST_POLICY_SCENE_H

#include "policy_text.h"

/* ---- a message at a stage ------------------------------------------------------- */

struct scene {
	struct arena *arena;
	struct policy *policy;
	struct session session;
	struct message message;
	struct recipient recipient;
	struct view view;
	struct fact_memo connection, of_message;
	void *slots[2][CHECK_MAX];
	struct decision decision;
	struct outcome outcome;
	char trace[4000];
};

static inline void remember(struct scene *scene, const char *name, struct value value)
{
	const struct fact *fact = fact_find(slice_of(name));
	struct value *kept = arena_alloc(scene->arena, sizeof(*kept));

	*kept = value;
	kept->type = fact->type;
	(fact->scope == SCOPE_CONNECTION ? &scene->connection : &scene->of_message)->values[fact_number(fact)] = kept;
}

static inline struct value word(const char *text)
{
	return (struct value){.state = VALUE_SET, .text = slice_of(text)};
}

static inline struct value failed(void)
{
	return (struct value){.state = VALUE_UNKNOWN, .why = "a test broke it"};
}

static inline void scene_view(struct scene *scene)
{
	scene->view = (struct view){
	    .settings = &policy_settings(scene->policy)->check,
	    .session = &scene->session,
	    .message = &scene->message,
	    .connection_memo = &scene->connection,
	    .message_memo = &scene->of_message,
	    .connection_slots = scene->slots[0],
	    .message_slots = scene->slots[1],
	};
}

/* alice@example.org from 192.0.2.1, which calls itself mail.example.org, to bob@example.net. */
static inline struct scene *scene_new(const char *text)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	char *messages;

	scene->policy = load_text(text, NULL, &messages);
	if (!scene->policy)
		fail_msg("%s\n%s", text, messages);
	free(messages);
	scene->arena = arena_new();
	scene->session =
	    (struct session){.arena = scene->arena, .helo = SLICE("mail.example.org"), .client_port = 4321};
	ip_parse(SLICE("192.0.2.1"), &scene->session.client);
	scene->message.arena = scene->arena;
	scene->message.sender = address_parse_path(SLICE("<alice@example.org>"), scene->arena);
	scene->recipient.address = address_parse_path(SLICE("<bob@example.net>"), scene->arena);
	scene->message.size = 5000;
	headers_init(&scene->message.headers, scene->arena);
	headers_add(&scene->message.headers, SLICE("Subject"), SLICE(" Buy now"));
	remember(scene, "spf", word("fail"));
	remember(scene, "spf.explanation", word("not\r\nallowed\xC3\xA9"));
	remember(scene, "client.ptr", (struct value){.state = VALUE_ABSENT});
	decision_init(&scene->decision, scene->arena);
	scene_view(scene);
	return scene;
}

static inline void scene_free(struct scene *scene)
{
	policy_release(scene->policy);
	arena_free(scene->arena);
	free(scene);
}

static inline void add_trace(struct scene *scene, const char *format, ...)
{
	size_t n = strlen(scene->trace);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(scene->trace + n, sizeof(scene->trace) - n, format, arguments);
	va_end(arguments);
}

static inline void keep_trace(void *context, const struct rule_trace *trace)
{
	static const char *const truths[] = {"false", "true", "unknown"};
	struct scene *scene = context;

	add_trace(scene, "%s%u %.*s: %s, %s", *scene->trace ? "\n" : "", trace->where.line, SLICE_ARGS(trace->source),
		  truths[trace->truth], trace->effect);
	for (size_t i = 0; i < trace->seen_count; i++)
		add_trace(scene, " [%.*s=%.*s]", SLICE_ARGS(trace->seen[i].fact), SLICE_ARGS(trace->seen[i].value));
}

static inline void run(struct scene *scene, enum stage stage, bool accepted)
{
	struct tracer tracer = {keep_trace, scene};

	scene->view.stage = stage;
	scene->recipient.known = NULL;
	scene->view.recipient = stage == STAGE_RCPT ? &scene->recipient : NULL;
	policy_run(scene->policy, KIND_INBOUND, stage, &scene->view, accepted, &scene->decision, &tracer,
		   &scene->outcome);
}

/* "reject 550 5.7.1 text / text" or the verdict alone. */
static inline const char *outcome_text(const struct scene *scene)
{
	static char text[20000];
	const struct reply *reply = &scene->outcome.reply;
	char *end = text + sprintf(text, "%s", verdict_names[scene->outcome.verdict]);

	if (reply->code)
		end += sprintf(end, " %u %.*s", reply->code, SLICE_ARGS(reply->enhanced));
	for (size_t i = 0; i < reply->line_count; i++)
		end += sprintf(end, "%s%.*s", i ? " / " : " ", SLICE_ARGS(reply->lines[i]));
	return text;
}

#define ON(stage, rules)                                                                                               \
	"list friends file:friends\nlist owners file:owners\nlist absent file:nowhere\n"                               \
	"list softly file:nowhere on-failure skip\n"                                                                   \
	"policy inbound {\non " stage " {\n" rules "\n}\n}\n"
#define FIRST_RULE 7

static inline void prepare_lists(void)
{
	write_text("friends", "alice@example.org\n192.0.2.0/24\n.example.com\n");
	write_text("owners", "alice: alice@example.org @example.net\n");
}

#endif
