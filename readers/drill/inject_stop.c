/*
 * inject_stop.c - who stops the monitor itself. It is continued at the end of the injection, and when the round is cleared up in any case.
 */
#include "readers/drill/inject.h"
#include "readers/drill/victim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { SHORTEST_MS = 600, LONGEST_MS = 1700 }; /* the supervisor kills a collector that hangs for longer */

/* Stops `index`, which stands still from then on; its measure is ours, since it can take none. */
static void stop(struct stage *stage, const struct stage_part *part)
{
	pid_t pid = (pid_t)part->index;
	uint64_t until_ns = stage_now() + part->size * NS_PER_MS;
	struct stage_stand *stand = victim_stand(stage);

	if (until_ns > stage->until_ns)
		until_ns = stage->until_ns;
	stand->pid = part->index;
	if (stage_start_time_ns(pid) != stage->collector_start_ns)
		return;
	stage->stopped_start_ns = stage->collector_start_ns;
	stage->stopped = part->index;
	if (kill(pid, SIGSTOP) != 0)
		return;
	victim_turn_begins(stand, stage_now());
	stage_sleep_until(until_ns);
	kill(pid, SIGCONT);
	stage->stopped = 0;
	victim_turn_ends(stage, stand);
	while (stage_is_on(stage)) /* a sender that is still there can be asked for its name */
		stage_sleep_until(stage_now() + 20 * (uint64_t)NS_PER_MS);
}

/* Where there is no collector: one that stands in for it. Returns 0 after stage_fail(), or when the round is not wanted any more. */
static pid_t start_stand_in(struct stage *stage)
{
	const struct stage_part part = {.role = STAGE_VICTIM, .name = "stand-in", .act = victim_sleeper, .cpu = -1};

	if (!stage_start(stage, &part) || !stage_await_all(stage))
		return 0;
	for (uint32_t i = 0; i < stage->actor_count; i++)
		if (stage->actors[i].role == STAGE_VICTIM) {
			stage->collector_start_ns = stage->actors[i].start_time_ns;
			return (pid_t)stage->actors[i].pid;
		}
	stage_fail(stage, "there is nothing to stop");
	return 0;
}

bool inject_stop(struct stage *stage)
{
	uint64_t ms = stage_draw(stage, SHORTEST_MS, LONGEST_MS);
	pid_t pid = stage->collector;

	if (!inject_bystanders(stage))
		return false;
	if (pid == 0)
		pid = start_stand_in(stage);
	if (pid == 0)
		return false;
	const struct stage_part part = {
	        .role = STAGE_CULPRIT, .name = stage_name(stage, "stopper"), .act = stop, .cpu = -1, .size = ms, .index = (unsigned)pid};
	stage_tell(stage, "stopped for %u ms", (unsigned)ms);
	return stage_start(stage, &part);
}
