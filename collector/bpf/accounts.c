/* accounts.c - see accounts.h. */
#include "collector/bpf/accounts.h"

#include "collector/bpf/load.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS_LEAST = 16384 }; /* a storm of short-lived processes must not ask for more: making room takes a second of a busy machine */

static uint32_t power_of_two(uint32_t least)
{
	uint32_t slots = SLOTS_LEAST;
	while (slots < least && slots < UINT32_C(1) << 30)
		slots *= 2;
	return slots;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (bytes + page - 1) / page * page;
}

/* An array map, and where it is mapped. Returns its descriptor or -errno. */
static int map_make(const char *name, uint32_t value_bytes, uint32_t entries, void **ret_map, size_t *ret_bytes)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), value_bytes, entries, &options);
	if (fd < 0)
		return fd;
	size_t bytes = whole_pages((size_t)value_bytes * entries);
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		int result = -errno;
		close(fd);
		return result;
	}
	*ret_map = map;
	*ret_bytes = bytes;
	return fd;
}

int accounts_open(struct accounts *accounts, uint32_t processes)
{
	void *map = NULL, *cpu_map = NULL;
	*accounts = (struct accounts){.fd = -1, .cpu_fd = -1, .cpus = load_possible_cpus()};
	accounts->slots = power_of_two(processes > UINT32_MAX / ACCOUNTS_PER_PROCESS ? UINT32_MAX : processes * ACCOUNTS_PER_PROCESS);
	accounts->fd = map_make("accounts", sizeof(struct account), accounts->slots, &map, &accounts->map_bytes);
	if (accounts->fd < 0)
		return accounts->fd;
	accounts->map = map;
	accounts->cpu_fd = map_make("account_cpus", sizeof(struct account_cpu), accounts->cpus, &cpu_map, &accounts->cpu_bytes);
	if (accounts->cpu_fd < 0) {
		int result = accounts->cpu_fd;
		accounts_close(accounts);
		return result;
	}
	accounts->cpu_map = cpu_map;
	return 0;
}

static struct account *account_claim(struct accounts *accounts, uint32_t tgid)
{
	uint32_t place = account_place(tgid, accounts->slots);
	for (uint32_t i = 0; i < ACCOUNT_PROBES; i++) {
		struct account *account = &accounts->map[account_probe(place, i, accounts->slots)];
		if (account->tgid == 0)
			return account;
	}
	return NULL;
}

void accounts_move(struct accounts *to, const struct accounts *from)
{
	for (uint32_t slot = 0; slot < from->slots; slot++) {
		const struct account *account = &from->map[slot];
		struct account *copy = account->tgid ? account_claim(to, account->tgid) : NULL;
		if (!copy)
			continue;
		*copy = *account;
		copy->stuck = 0; /* the programs begin anew with the waits they note */
	}
	for (uint32_t cpu = 0; cpu < from->cpus; cpu++)
		to->cpu_map[cpu] = from->cpu_map[cpu];
}

struct account *accounts_find(const struct accounts *accounts, uint32_t tgid)
{
	uint32_t place = account_place(tgid, accounts->slots);
	for (uint32_t i = 0; i < ACCOUNT_PROBES; i++) {
		struct account *account = &accounts->map[account_probe(place, i, accounts->slots)];
		if (__atomic_load_n(&account->tgid, __ATOMIC_RELAXED) == tgid)
			return account;
	}
	return NULL;
}

struct account_cpu accounts_sum(const struct accounts *accounts)
{
	struct account_cpu sum = {0};
	for (uint32_t cpu = 0; cpu < accounts->cpus; cpu++) {
		const struct account_cpu *each = &accounts->cpu_map[cpu];
		sum.unowned_ns += each->unowned_ns;
		sum.accounts_full += each->accounts_full;
		sum.events_lost += each->events_lost;
		sum.blocks += each->blocks;
	}
	return sum;
}

int accounts_are_crowded(const struct accounts *accounts)
{
	uint32_t taken = 0;
	for (uint32_t slot = 0; slot < accounts->slots; slot++)
		taken += accounts->map[slot].tgid != 0;
	return taken > accounts->slots / 2;
}

void accounts_close(struct accounts *accounts)
{
	if (accounts->map)
		munmap(accounts->map, accounts->map_bytes);
	if (accounts->cpu_map)
		munmap(accounts->cpu_map, accounts->cpu_bytes);
	if (accounts->fd >= 0)
		close(accounts->fd);
	if (accounts->cpu_fd >= 0)
		close(accounts->cpu_fd);
	*accounts = (struct accounts){.fd = -1, .cpu_fd = -1};
}
