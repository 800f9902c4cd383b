/*
 * top.c - a stranger's program: the processes with the highest scores, from the newest sample of a running rogue-hunter.
 *
 *     cc top.c $(pkg-config --cflags --libs librogue) -o top && ./top
 */
#include <rogue/reader.h>

#include <stdio.h>

enum { ROWS = 5 };

int main(int argc, char **argv)
{
	struct rh_process rows[ROWS];
	struct rh_ring *ring;
	struct rh_view view;
	struct rh_error error;
	enum rh_status status = rh_open(argc > 1 ? argv[1] : NULL, &ring, &error);

	if (status != RH_OK) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	rh_wait(ring, 0, 1000000000); /* a daemon that has just started has no sample yet */
	uint32_t count = 0;
	status = rh_latest(ring, &view);
	while (status == RH_OK && count < ROWS && rh_copy(&view, count, &rows[count]))
		count++;
	/* Only now is it certain that what was copied belongs together. */
	if (status != RH_OK || !rh_valid(&view)) {
		fprintf(stderr, "no sample: %s\n", status == RH_OK ? "overwritten, try again" : rh_status_text(status));
		rh_close(&ring);
		return 1;
	}
	for (uint32_t i = 0; i < count; i++)
		printf("%7u %-15.15s %5.1f\n", (unsigned)rows[i].pid, rows[i].command, (double)rows[i].score);
	rh_close(&ring);
	return 0;
}
