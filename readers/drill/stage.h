/*
 * stage.h - where a drill is played: the processes that take part, what they measured, and what has to be put back afterwards.
 *
 * A round has a stage of its own, in memory that all its processes share. The drill forks a keeper, which leads a session of its own, builds the
 * kind up, waits for the end and clears up: kills all that take part, waits for them, removes control groups and files, continues what was stopped.
 * It does the same as soon as the drill is gone, however that died. Should the keeper itself be killed, all that take part die with it, and
 * the drill clears up; every process of a round ends by alarm() in the worst case.
 *
 * Times are CLOCK_BOOTTIME in ns, as in samples and in the database.
 */
#ifndef READERS_DRILL_STAGE_H
#define READERS_DRILL_STAGE_H

#include "base/clock.h"
#include "rogue/samples.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	STAGE_ACTORS = 2048,
	STAGE_STANDS = 32,
	STAGE_GROUPS = 2,
	STAGE_FOLDERS = 2,
	STAGE_PATH_BYTES = 320,
	STAGE_REASON_BYTES = 192,
	STAGE_PIDS = 1 << 22, /* the most that a kernel hands out */
	STAGE_CPUS = 8,       /* cpus that are loaded at most */
	STAGE_LEAD_MS = 250,  /* of quiet before the injection */
	STAGE_TAIL_MS = 400,  /* in which victims are still watched after it */
};

#define STAGE_GROUP_PREFIX "rogue-hunter-drill-" /* of the names of control groups */

enum stage_role { STAGE_CULPRIT, STAGE_VICTIM, STAGE_MEMBER, STAGE_BYSTANDER }; /* a member is culprit and victim at once, its own fault */

/* Who takes part. */
struct stage_actor {
	_Atomic uint32_t pid; /* 0 until all else is entered */
	uint8_t role;         /* enum stage_role */
	uint64_t start_time_ns;
	char command[RH_COMMAND_BYTES];
};

/* What one victim measured of itself, since the injection began. Written by that victim alone. */
struct stage_stand {
	uint32_t pid;
	_Atomic uint64_t longest_ns, longest_from_ns, sum_ns, count; /* sum and count of those of at least least_ns */
	_Atomic uint64_t first_from_ns, last_to_ns;                  /* of those */
	_Atomic uint64_t turns;
	_Atomic uint64_t since_ns; /* in a turn since then, 0 between two */
};

/* A controller of control groups (version 2) that the groups below a root were given by the round. */
struct stage_control {
	char root[STAGE_PATH_BYTES], name[16];
};

struct stage {
	/* set by the drill */
	uint64_t random, duration_ns, least_ns;
	char directory[STAGE_PATH_BYTES]; /* where files are put */
	pid_t collector;                  /* to be stopped; 0 for a stand-in of the stage's own */
	uint64_t collector_start_ns;
	uint32_t cpu_count; /* that are loaded */
	uint16_t cpus[STAGE_CPUS];
	uint64_t spare_bytes; /* of memory that may be taken in all */
	bool plain;           /* plain names and middling sizes */
	uint32_t names_used;
	/* written as it is played */
	int pipe;                            /* the keeper's: something to read once the drill is gone, or has had enough */
	_Atomic uint64_t begin_ns, until_ns; /* of the injection; 0 before */
	_Atomic uint64_t over_ns;            /* when watching ended; 0 before */
	_Atomic uint32_t started_count, actor_count, stand_count;
	struct stage_actor actors[STAGE_ACTORS];
	struct stage_stand stands[STAGE_STANDS];
	char failure[STAGE_REASON_BYTES]; /* why it could not be built up; "" if it could */
	char variant[STAGE_REASON_BYTES]; /* what was drawn: "96 on each cpu" */
	/* to be put back */
	_Atomic uint32_t group_count, folder_count, control_count;
	struct stage_control controls[STAGE_GROUPS];
	char groups[STAGE_GROUPS][STAGE_PATH_BYTES];
	char folders[STAGE_FOLDERS][STAGE_PATH_BYTES];
	_Atomic uint32_t stopped;
	_Atomic uint64_t stopped_start_ns;
	/* a storm: processes that live, and a bit for each that it made */
	_Atomic uint32_t storm_count;
	_Atomic uint64_t stormed[STAGE_PIDS / 64];
};

/* A part to be taken: what the process is made to be, and what it does from the begin of the injection on. */
struct stage_part {
	enum stage_role role;
	const char *name;                                                  /* its command, up to 15 bytes */
	void (*act)(struct stage *stage, const struct stage_part *part);   /* returns when it is over */
	void (*ready)(struct stage *stage, const struct stage_part *part); /* NULL, or what comes before the injection */
	int cpu;                                                           /* bound to it; -1 for none */
	int nice, fifo;                                                    /* fifo: real-time priority, 0 for none */
	bool own_session;
	const char *group; /* control group to enter, NULL for none */
	const char *path;  /* file to work on, borrowed until the fork */
	uint64_t size;     /* of what it works on, in its own unit */
	unsigned index;
};

/* ---- for the drill ---- */

/* Memory for a stage, shared with the processes that will be forked; NULL where there is none. */
struct stage *stage_new(void);
void stage_free(struct stage **stage);

/* A process that plays a stage, and the pipe by which it notices that we are gone. */
struct stage_keeper {
	pid_t pid;
	int pipe;
};

/* Starts the keeper, which calls `build` and plays what it built. Returns 0 or -errno. */
int stage_play(struct stage *stage, bool (*build)(struct stage *stage), struct stage_keeper *ret_keeper);

/* Has the round been played to its end and cleared up? */
bool stage_is_over(struct stage *stage, struct stage_keeper *keeper);

/* Ends the round, now if it still goes on, and returns when all is cleared up. */
void stage_end(struct stage *stage, struct stage_keeper *keeper);

/* The calling process is to be on time while the hogs of its rounds run; what it forks is an ordinary process again. Not permitted: it is late. */
void stage_come_first(void);

/* ---- for the kinds, in the keeper ---- */

/* Says why it cannot be built up. Returns false. */
bool stage_fail(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says what was drawn. */
void stage_tell(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forks a process that takes a part; to be called in the keeper. Returns false after stage_fail(). */
bool stage_start(struct stage *stage, const struct stage_part *part);

/* Forks one that does nothing but to be the parent of a crew. It is of the role of the first. Returns false after stage_fail(). */
bool stage_start_crew(struct stage *stage, const char *name, const struct stage_part *parts, size_t count);

/*
 * Waits until all that were started are there. Returns false after stage_fail() if one is not in time, or as soon as the drill is gone or has had enough.
 */
bool stage_await_all(struct stage *stage);

/* Creates a folder of its own below `directory`, which will be removed with all files in it. Returns its path, or NULL after stage_fail(). */
const char *stage_folder(struct stage *stage, const char *directory);

/* A number from low to high, both included, drawn from what is left of the stage's randomness; the middle one where it is plain. */
uint64_t stage_draw(struct stage *stage, uint64_t low, uint64_t high);

/* A harmless name of a command, each given once; the plain one where the stage is plain, and now and then. */
const char *stage_name(struct stage *stage, const char *plain);

/* ---- for the parts ---- */

bool stage_is_on(const struct stage *stage); /* before the end of the injection */
void stage_sleep_until(uint64_t boottime_ns);
static inline uint64_t stage_now(void)
{
	return clock_now_ns(CLOCK_BOOTTIME);
}

/* Start of a process since boot; 0 where there is none. */
uint64_t stage_start_time_ns(pid_t pid);

/* Is this process of the round, and in what role? Returns the actor, NULL for a stranger. A process that a storm made is the storm's first. */
const struct stage_actor *stage_find(const struct stage *stage, uint32_t pid, uint64_t start_time_ns);

/* A forked process of a storm enters itself. */
void stage_mark(struct stage *stage, pid_t pid);

#endif
