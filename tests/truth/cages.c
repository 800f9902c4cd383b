/* cages.c - keeping the animals of the zoo; see animals.h. */
#include "tests/truth/animals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 20000, REST_MS = 15000 };

/* Of the animal that this process is. */
static struct tale *tale;
static int go_fd;

static void grouped_end(void)
{
	char path[128];
	snprintf(path, sizeof(path), "/sys/fs/cgroup/unified/rogue-zoo-%d", (int)getpid());
	rmdir(path);
	snprintf(path, sizeof(path), "/sys/fs/cgroup/rogue-zoo-%d", (int)getpid());
	rmdir(path);
}

static void *live(void *argument)
{
	const struct animal *animal = argument;
	char byte;
	tale->ready = 1;
	while (read(go_fd, &byte, 1) == 1) {
		if (animal->work)
			animal->work();
		tale->working = 0;
	}
	_exit(0);
}

static _Noreturn void be(const struct animal *animal, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	setpgid(0, 0);
	alarm(ANIMAL_LIFE_S);
	if (animal->begin)
		animal->begin();
	void *argument = (void *)(uintptr_t)animal;
	if (animal->notes & LEADERLESS) {
		animal_start_thread(live, argument);
		animal_spin_ms(12);
		syscall(SYS_exit, 0); /* this thread alone */
	}
	live(argument);
	_exit(0);
}

static bool start(struct cage *cage, const struct animal *animal, struct tale *shared)
{
	int go[2];
	pid_t parent = getpid();
	if (pipe2(go, O_CLOEXEC) != 0)
		return false;
	*cage = (struct cage){.name = animal->name, .go_fd = -1, .tale = shared, .threads_end = (animal->notes & THREADS_END) != 0};
	fflush(NULL);
	cage->pid = fork();
	if (cage->pid == 0) {
		tale = shared;
		animal_be(shared);
		go_fd = go[0];
		close(go[1]);
		be(animal, parent);
	}
	close(go[0]);
	if (animal->work)
		cage->go_fd = go[1];
	/* The pipe of one that does not work stays open as long as the zoo, so that it waits. */
	return cage->pid > 0;
}

static void put_down(struct cage *cage)
{
	if (cage->tale->other > 0)
		kill(cage->tale->other, SIGKILL);
	kill(-cage->pid, SIGKILL);
	kill(cage->pid, SIGKILL);
	waitpid(cage->pid, NULL, 0);
	if (cage->go_fd >= 0)
		close(cage->go_fd);
}

/* Waits until it has said that it is, or cannot be, in its state. */
static bool await_ready(const struct cage *cage)
{
	for (int ms = 0; ms < READY_MS && cage->tale->ready == 0; ms++)
		poll(NULL, 0, 1);
	if (cage->tale->ready == 1)
		return true;
	printf("left out: %s: %s\n", cage->name, cage->tale->ready == 2 ? cage->tale->why : "was not ready in time");
	return false;
}

unsigned zoo_open(struct cage cages[CAGES_MOST])
{
	unsigned kept = 0;
	struct tale *tales = mmap(NULL, sizeof(*tales) * animal_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tales == MAP_FAILED)
		return 0;
	for (unsigned i = 0; i < animal_count; i++)
		if (!start(&cages[i], &animals[i], &tales[i]))
			return 0;
	for (unsigned i = 0; i < animal_count; i++) {
		if (await_ready(&cages[i]))
			cages[kept++] = cages[i];
		else
			put_down(&cages[i]);
	}
	return kept;
}

void zoo_work(struct cage *cages, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (cages[i].go_fd < 0)
			continue;
		cages[i].tale->working = 1;
		if (write(cages[i].go_fd, "", 1) != 1)
			cages[i].tale->working = 0;
	}
}

bool zoo_await_rest(struct cage *cages, unsigned count)
{
	unsigned working = 1;
	for (int ms = 0; ms < REST_MS && working > 0; ms++) {
		working = 0;
		for (unsigned i = 0; i < count; i++)
			working += cages[i].tale->working != 0;
		poll(NULL, 0, 1);
	}
	return working == 0;
}

void zoo_close(struct cage *cages, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		put_down(&cages[i]);
	grouped_end();
}
