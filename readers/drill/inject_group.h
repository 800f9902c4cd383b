/*
 * inject_group.h - control groups of a round, of version 1 or 2: create, limit, enter. They are removed when the round is cleared up, and
 * a controller that their root did not hand down before is taken back.
 */
#ifndef READERS_DRILL_INJECT_GROUP_H
#define READERS_DRILL_INJECT_GROUP_H

#include "readers/drill/stage.h"

enum group_controller { GROUP_CPU, GROUP_MEMORY, GROUP_PIDS };

/* Can groups of that controller be made here? If not, `reason` receives why. Makes none. */
bool group_is_usable(enum group_controller controller, char reason[STAGE_REASON_BYTES]);

/* Creates a group below the root of the controller. Returns its path (of the stage), or NULL after stage_fail(). */
const char *group_create(struct stage *stage, enum group_controller controller);

/* Limits a group. Each returns false after stage_fail(). */
bool group_limit_cpu(struct stage *stage, const char *group, uint64_t quota_us, uint64_t period_us);
bool group_limit_memory(struct stage *stage, const char *group, uint64_t bytes);
bool group_limit_pids(struct stage *stage, const char *group, uint64_t count);

/* Puts the calling process into it. Returns false with errno. */
bool group_enter(const char *group);

#endif
