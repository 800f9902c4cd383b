/*
 * live.c - a live ring for the examples: publishes known samples at 50 Hz until its standard input ends.
 *
 * Usage: examples_live INSTANCE COUNT. Says "ready" once the first sample is out.
 */
#include "tests/support/ring_fixture.h"

#include <poll.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct ring_writer *writer;
	char text[256];

	if (argc != 3)
		return 2;
	struct ring_options options = fixture_options(argv[1], 64, 4 << 20);
	if (ring_create(&options, &writer, text) != 0) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	for (uint64_t n = 1; poll(&input, 1, n == 1 ? 0 : 20) == 0; n++) {
		if (fixture_publish_to(writer, n, (uint32_t)strtoul(argv[2], NULL, 10), sizeof(struct rh_process)) != n)
			return 1;
		if (n == 1)
			puts("ready");
		fflush(stdout);
	}
	ring_close(&writer);
	return 0;
}
