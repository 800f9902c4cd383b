/* try.c - see try.h. */
#include "collector/bpf/try.h"

#include "collector/bpf/accounts.h"
#include "collector/bpf/block.h"
#include "collector/bpf/load.h"
#include "collector/bpf/rare.h"
#include "collector/bpf/sched.h"

#include <stdio.h>

/* The configuration with nothing but one part switched on. */
static struct config config_of(enum try_part part, const struct config *config)
{
	struct config alone = *config;
	snprintf(alone.sampling_walk, sizeof(alone.sampling_walk), "%s", part == TRY_ITERATOR ? "iterator" : "syscall");
	alone.sampling_scheduler = part == TRY_SCHEDULER;
	alone.sampling_last_words = part == TRY_LAST_WORDS;
	alone.sampling_block = part == TRY_BLOCK;
	alone.sampling_rare = part == TRY_RARE;
	return alone;
}

static int try_walk(const struct source_options *options, char error[256])
{
	struct source *source = NULL;
	int result = source_bpf_open(options, &source, error);
	if (result == 0)
		source->operations->close(&source);
	return result;
}

static int try_sched(const struct source_options *options, struct accounts *accounts, char error[256])
{
	struct sched *sched = NULL;
	int result = sched_open(options, accounts, &sched, error);
	if (result == 0)
		sched_close(&sched);
	return result;
}

static int try_block(const struct source_options *options, struct accounts *accounts, char error[256])
{
	struct block *block = NULL;
	int result = block_open(options, accounts, &block, error);
	if (result == 0)
		block_close(&block);
	return result;
}

static int try_rare(const struct source_options *options, char error[256])
{
	struct rare *rare = NULL;
	int result = rare_open(options, &rare, error);
	if (result == 0)
		rare_close(&rare);
	return result;
}

int try_part(enum try_part part, const struct source_options *options, char error[256])
{
	struct config alone = config_of(part, options->config);
	struct source_options own = *options;
	struct accounts accounts;
	own.config = &alone;
	load_quietly();
	if (part == TRY_WALK || part == TRY_ITERATOR)
		return try_walk(&own, error);
	if (part == TRY_RARE)
		return try_rare(&own, error);
	int result = accounts_open(&accounts, own.max_processes);
	if (result < 0) {
		load_explain("the accounts of processes", result, error);
		return result;
	}
	result = part == TRY_BLOCK ? try_block(&own, &accounts, error) : try_sched(&own, &accounts, error);
	accounts_close(&accounts);
	return result;
}
