/*
 * notify.h - tells of pauses outside of the log: the journal of the system, and a program of the user's choice.
 *
 * The program gets the sentence as its argument and a clean environment, stdin, stdout and stderr are /dev/null, it has no other descriptor, no capability
 * and a session of its own. It and all it left in its process group are killed when it ends, or when its time is over. One runs at a time; a few
 * wait, those beyond are counted and told. Nothing here waits for it: notify_poll() is called with every sample.
 */
#ifndef TRACKER_NOTIFY_H
#define TRACKER_NOTIFY_H

#include "base/config.h"
#include "pause/pause.h"

#include <sys/types.h>

enum { NOTIFY_QUEUE = 4, NOTIFY_TEXT_BYTES = 256 };

/* What is told of a pause, as text. */
struct notify_message {
	char sentence[PAUSE_SENTENCE_BYTES];
	char id[PAUSE_ID_BYTES];
	char culprit[PAUSE_NAME_BYTES]; /* "" where nobody is named */
	const char *class;              /* its name */
	unsigned priority;              /* of syslog */
	float both_ratio;
	uint64_t duration_ns;
};

struct notify {
	/* results */
	uint64_t run_count;     /* programs started */
	uint64_t dropped_count; /* pauses that found the queue full */
	pid_t running;          /* 0: none */
	/* private */
	const struct config *config; /* borrowed */
	const char *journal_path;    /* borrowed */
	int journal_fd;
	uint64_t deadline_ns; /* MONOTONIC */
	bool killed;
	char refused[NOTIFY_TEXT_BYTES]; /* why the program was not run, as said last */
	char running_id[PAUSE_ID_BYTES];
	uint32_t waiting;
	struct notify_message queue[NOTIFY_QUEUE]; /* the oldest first */
};

/* `config` and `journal_path` (NULL: the usual socket) are borrowed. No system call. */
void notify_begin(struct notify *notify, const struct config *config, const char *journal_path);

/* Puts a pause into words. */
void notify_describe(const struct pause *pause, const char *sentence, struct notify_message *ret_message);

/* Sends it to the journal, if there is one and it takes it at once. Returns whether it was sent. Cost: a system call. */
bool notify_journal(struct notify *notify, const struct notify_message *message);

/* The program is to be run for it, as soon as the ones before are done. */
void notify_command(struct notify *notify, const struct notify_message *message);

/* Sees to the program that runs, and starts the next one. `now_ns` is MONOTONIC. Cost: nothing while none runs or waits, else a system call. */
void notify_poll(struct notify *notify, uint64_t now_ns);

/* Kills the program that runs, forgets those that wait. */
void notify_end(struct notify *notify);

/*
 * May this program be run? It and the folders above must belong to root or to us and not be writable by others; folders with the sticky bit may be.
 * Returns true, with its path without symbolic links in `ret_path`; or false with a sentence.
 */
bool notify_is_trusted(const char *path, char ret_path[4096], char why[NOTIFY_TEXT_BYTES]);

#endif
