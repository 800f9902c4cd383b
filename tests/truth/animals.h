/*
 * animals.h - the zoo: real processes of every kind that gave a monitor wrong values once.
 *
 * Each is a child in a process group of its own that ends with the zoo. It is brought into its state once, and then rests; told to, it
 * works for some 100 ms and rests again.
 */
#ifndef TESTS_TRUTH_ANIMALS_H
#define TESTS_TRUTH_ANIMALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CAGES_MOST = 64, ANIMAL_LIFE_S = 120 /* none lives longer */ };

/* What an animal tells of itself; lies in memory shared with the zoo. */
struct tale {
	_Atomic int ready;   /* 1: in its state, 2: cannot come into it */
	_Atomic int working; /* has been told to work and is not done yet */
	pid_t other;         /* another process to look at, its child, or 0 */
	unsigned zombies;    /* children of it that nobody waited for */
	char why[80];        /* why it cannot */
};

/* ---- what they are (animals.c) ---- */

enum { THREADS_END = 1, LEADERLESS = 2 };

struct animal {
	const char *name;
	void (*begin)(void); /* brings this process into its state; it does not return where that cannot be */
	void (*work)(void);
	unsigned notes; /* THREADS_END, LEADERLESS */
};

extern const struct animal animals[];
extern const unsigned animal_count;

/* This process is an animal, and that is where it tells of itself. */
void animal_be(struct tale *own);

void animal_spin_ms(unsigned ms);

/* A thread with a small stack that nobody waits for. */
void animal_start_thread(void *(*run)(void *), void *argument);

/* ---- where they are kept (cages.c) ---- */

struct cage {
	const char *name;
	pid_t pid;
	int go_fd; /* a byte makes it work, -1 if it cannot */
	struct tale *tale;
	bool threads_end; /* threads of it end before it does */
	bool never_rests;
};

/* Starts all of them and waits until they are in their states; prints a line for each that cannot be. Returns how many there are. */
unsigned zoo_open(struct cage cages[CAGES_MOST]);

/* Tells them to work; they do it at the same time. */
void zoo_work(struct cage *cages, unsigned count);

/* Waits until they rest, some seconds at most. Returns whether they do. */
bool zoo_await_rest(struct cage *cages, unsigned count);

/* Ends them, and removes what they left. */
void zoo_close(struct cage *cages, unsigned count);

#endif
