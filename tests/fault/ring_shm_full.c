/*
 * ring_shm_full.c - /dev/shm is full (regression 12): the writer takes less, down to its least, or refuses with a sentence, and readers
 * of a ring that is there notice nothing. In a mount namespace of its own, with a small tmpfs over /dev/shm.
 */
#include "tests/support/ring_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

enum { MIB = 1 << 20, SKIPPED = 77 };

static void must(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "FAIL: %s\n", what);
		exit(1);
	}
}

/* Everything after this happens on an /dev/shm of that size, which ends with the process. */
static void own_shm(const char *options)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	        mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) {
		printf("skipped: a private /dev/shm needs the right to mount: %s\n", strerror(errno));
		exit(SKIPPED);
	}
}

static unsigned files_in_shm(void)
{
	DIR *folder = opendir("/dev/shm");
	unsigned count = 0;

	must(folder != NULL, "open /dev/shm");
	for (const struct dirent *entry; (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static struct ring_writer *create(const char *instance, uint64_t arena_bytes, uint64_t least_bytes, int expected)
{
	struct ring_options options = fixture_options(instance, 64, arena_bytes);
	struct ring_writer *writer;
	char text[256] = "";

	options.min_arena_bytes = least_bytes;
	int result = ring_create(&options, &writer, text);
	if (result != expected)
		fprintf(stderr, "%s: result %d, expected %d: %s\n", instance, result, expected, text);
	must(result == expected, "the result of ring_create()");
	if (result != 0)
		must(writer == NULL && strlen(text) > 20 && strstr(text, "full") && !strchr(text, '\n'),
		        "a sentence that says what is full");
	return writer;
}

static void test_halves(void)
{
	struct ring_writer *writer = create("halves", 16 * MIB, MIB, 0);

	must(ring_arena_bytes(writer) == 4 * MIB, "16 MiB become 8, then 4, which fit into 6");
	ring_close(&writer);
	must(files_in_shm() == 0, "nothing is left behind");
}

/* The last size tried is the least, even where halving would step over it. */
static void test_least(void)
{
	struct ring_writer *writer = create("least", 18 * MIB, 5 * MIB, 0);

	must(ring_arena_bytes(writer) == 5 * MIB, "18 MiB become 9, then 5");
	ring_close(&writer);
}

static void fill_up(void)
{
	static const char zeroes[4096];
	int fd = open("/dev/shm/ballast", O_WRONLY | O_CREAT | O_EXCL, 0600);

	must(fd >= 0, "create the ballast");
	while (write(fd, zeroes, sizeof(zeroes)) > 0)
		continue;
	must(errno == ENOSPC, "fill /dev/shm");
	close(fd);
}

/* A ring that exists was allocated as a whole: it goes on, for writer and readers, new ones included. */
static void test_others_go_on(void)
{
	struct ring_fixture f;
	struct rh_view view;
	struct rh_ring *late;

	must(fixture_start(&f, "full", 64, MIB) == 0, "a first ring");
	must(fixture_publish(&f, 1, 100) == 1, "publish");
	fill_up();
	create("second", 8 * MIB, MIB, -ENOSPC);
	create(f.instance, 8 * MIB, MIB, -ENOSPC); /* a successor that does not come up must not take the name */
	must(files_in_shm() == 2, "a failed start leaves nothing behind");
	for (uint64_t n = 2; n <= 500; n++) {
		must(fixture_publish(&f, n, 100) == n, "publish on a full /dev/shm");
		must(rh_latest(f.ring, &view) == RH_OK && view.sample == n && rh_valid(&view), "read on a full /dev/shm");
	}
	must(rh_open(f.instance, &late, NULL) == RH_OK && rh_writer_status(late) == RH_RUNNING, "attach on a full /dev/shm");
	rh_close(&late);
	fixture_end(&f);
	must(unlink("/dev/shm/ballast") == 0, "remove the ballast");
	f.writer = create("again", 4 * MIB, MIB, 0);
	ring_close(&f.writer);
}

int main(void)
{
	own_shm("size=6m,mode=1777");
	test_halves();
	test_least();
	test_others_go_on();
	return 0;
}
