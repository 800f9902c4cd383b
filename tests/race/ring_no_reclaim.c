/*
 * ring_no_reclaim.c - negative control of ring.c: the writer, compiled without reclaim, overwrites frames that it has not marked. The
 * race test is worth something only if it finds the torn samples that come of that.
 */
#include "tests/race/ring.c"
