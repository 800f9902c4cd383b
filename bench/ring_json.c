/*
 * ring_json.c - the ring against what it replaces: newline JSON over a unix socket, to 1, 4 and 8 clients, for 20 and 1,000 processes.
 *
 * Cpu is that of writer and clients together, per sample. Latency is the time from when the writer begins to hand over a sample
 * until a client has looked at all of it: the median over clients and samples.
 */
#include "base/clock.h"
#include "bench/figures.h"
#include "bench/peer.h"
#include "tests/support/ring_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { RECORDS_MOST = 1000 };

struct result {
	double cpu_us, latency_us;
};

_Noreturn void peer_die(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

void peer_done(struct peer_shared *shared, int client, int i)
{
	uint64_t now = clock_now_ns(CLOCK_MONOTONIC), cpu_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);

	shared->latency_ns[i][client] = (double)(now - atomic_load(&shared->begun_ns[i]));
	shared->client_cpu_ns[client] = (double)cpu_ns;
	atomic_fetch_add(&shared->seen[i], 1);
}

/* Records with every field present that the /proc back end fills in, so that both peers hand over as much as a collector would. */
static void make_records(struct rh_process *records, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		records[i] = fixture_record(123456, i);
		for (unsigned id = 0; id <= RH_F_zombie_children_count; id++)
			if (id != RH_F_cgroup_id && (id < RH_F_instructions_count || id > RH_F_energy_uj) &&
			        (id < RH_F_ipc_ratio || id > RH_F_mem_blame_ms_per_s))
				rh_set(records[i].present, id);
		records[i].cpu_time_ns = UINT64_C(123456789012) + i;
		records[i].mem_bytes = UINT64_C(345678848);
		records[i].disk_io_bytes_per_s = 12345.6f;
		records[i].wakeups_per_s = 17.25f;
	}
}

static void nap(void)
{
	usleep(200);
}

static pid_t start_client(const struct peer *peer, const char *name, int client, int samples, struct peer_shared *shared)
{
	pid_t pid = fork();

	if (pid < 0)
		peer_die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		peer->client(name, client, samples, shared);
		_exit(0);
	}
	return pid;
}

/* Cpu and latency of all samples but the first, which finds everything cold. */
static struct result summarise(const struct peer_shared *shared, int clients, int samples, double writer_cpu_ns)
{
	double latencies[PEER_SAMPLES_MOST * PEER_CLIENTS_MOST], cpu_ns = writer_cpu_ns;
	size_t count = 0;

	for (int i = 1; i < samples; i++)
		for (int client = 0; client < clients; client++)
			latencies[count++] = shared->latency_ns[i][client];
	for (int client = 0; client < clients; client++)
		cpu_ns += shared->client_cpu_ns[client];
	return (struct result){cpu_ns / samples / 1e3, figures_median(latencies, count) / 1e3};
}

static struct result measure(const struct peer *peer, const struct rh_process *records, uint32_t count, int clients, int samples)
{
	struct peer_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PEER_CLIENTS_MOST];
	double writer_cpu_ns = 0;
	char name[64];

	if (shared == MAP_FAILED)
		peer_die("mmap");
	snprintf(name, sizeof(name), "bench-peer-%d", (int)getpid());
	void *handle = peer->open(name);
	for (int i = 0; i < clients; i++)
		pids[i] = start_client(peer, name, i, samples, shared);
	peer->accept(handle, clients);
	while (atomic_load(&shared->attached) < clients)
		nap();
	for (int i = 0; i < samples; i++) {
		usleep(2000); /* all clients wait again */
		uint64_t cpu = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		atomic_store(&shared->begun_ns[i], clock_now_ns(CLOCK_MONOTONIC));
		peer->send(handle, records, count);
		writer_cpu_ns += (double)(clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
		while (atomic_load(&shared->seen[i]) < clients)
			nap();
	}
	for (int i = 0; i < clients; i++)
		waitpid(pids[i], NULL, 0);
	peer->close(handle);
	struct result result = summarise(shared, clients, samples, writer_cpu_ns);
	munmap(shared, sizeof(*shared));
	return result;
}

int main(void)
{
	static struct rh_process records[RECORDS_MOST];
	static const uint32_t counts[] = {20, RECORDS_MOST};
	static const int clients[] = {1, 4, 8};
	char what[80];

	make_records(records, RECORDS_MOST);
	for (size_t c = 0; c < 2; c++)
		for (size_t k = 0; k < 3; k++) {
			struct result json = measure(&peer_json_socket, records, counts[c], clients[k], counts[c] > 100 ? 12 : 40);
			struct result ring = measure(&peer_ring, records, counts[c], clients[k], 40);

			printf("%u processes, %d clients: cpu a sample %.0f us by JSON, %.0f us by the ring; latency %.0f us, %.0f us\n",
			        counts[c], clients[k], json.cpu_us, ring.cpu_us, json.latency_us, ring.latency_us);
			snprintf(what, sizeof(what), "JSON / ring: cpu, %u processes, %d clients", counts[c], clients[k]);
			if (counts[c] == RECORDS_MOST)
				figure_at_least(what, json.cpu_us / ring.cpu_us, 20, "x");
			else
				figure_note(what, json.cpu_us / ring.cpu_us, "x");
			snprintf(what, sizeof(what), "JSON / ring: latency, %u processes, %d clients", counts[c], clients[k]);
			if (counts[c] == RECORDS_MOST)
				figure_at_least(what, json.latency_us / ring.latency_us, 20, "x");
			else
				figure_note(what, json.latency_us / ring.latency_us, "x");
		}
	return 0;
}
